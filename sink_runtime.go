package connect

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"sync"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// SinkRuntime moves records from Danube to a connector: it receives, keeps the
// order of each partition, makes batches, retries, acknowledges what the connector
// has written, and stops without losing anything. One runtime runs once.
type SinkRuntime struct {
	*core
	sink  SinkConnector
	batch BatchSinkConnector // set when the connector takes batches
	dead  deadLetters

	newSettler func(Consumer) settler // tests put another one between
	policies   policies               // nil without an admin address

	routing sync.Mutex // for routes to be added, and for paused
	routes  []*sinkRoute
	paused  bool
}

// NewSinkRuntime checks the configuration and everything else that can be checked
// without a broker. All problems of the configuration come in one [ConfigErrors].
func NewSinkRuntime(c SinkConnector, opts ...Option) (*SinkRuntime, error) {
	if c == nil {
		return nil, InvalidConfigf("the sink connector is nil")
	}
	k, err := newCore(c, false, opts)
	if err != nil {
		return nil, err
	}
	rt := &SinkRuntime{core: k, sink: c, newSettler: newAckSettler}
	if a, ok := c.(*batchSink); ok {
		rt.batch = a.BatchSinkConnector
	}
	return rt, nil
}

// Config returns the effective configuration.
func (rt *SinkRuntime) Config() Config { return rt.cfg }

// MetricsAddress returns where metrics and probes are served, nil when they are
// not. Valid once Initialize was called.
func (rt *SinkRuntime) MetricsAddress() net.Addr { return rt.addr }

// Run initializes the connector, subscribes, and moves records until ctx ends,
// SIGINT or SIGTERM comes, or it cannot go on. It then stops taking records in,
// lets those in work finish within drain_timeout_ms, sends their acks, hands the
// rest back to the broker, calls Shutdown and returns: nil after a clean stop, else
// every error joined; see [ExitCode]. A second signal ends it at once.
func (rt *SinkRuntime) Run(ctx context.Context) error { return rt.run(ctx, rt) }

// open subscribes to every route.
func (rt *SinkRuntime) open(ctx context.Context) error {
	configs, err := rt.consumerConfigs(ctx)
	if err != nil {
		return err
	}
	routes := make([]*sinkRoute, len(configs))
	for i, c := range configs {
		routes[i] = newSinkRoute(rt, rt.consumerConfig(c), rt.routeOptions(c))
		if err := routes[i].check(); err != nil {
			return err
		}
	}
	done, err := rt.openAdmin()
	if err != nil {
		return err
	}
	defer done()
	if err := rt.openDeadLetters(ctx, routes); err != nil {
		return err
	}
	// One that fails for good ends the wait of the others.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var wg sync.WaitGroup
	for _, r := range routes {
		rt.addRoute(r)
		wg.Go(func() {
			if err := r.open(ctx); err != nil {
				fail(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// drain ends the intake of all routes and waits for what is in work.
func (rt *SinkRuntime) drain(ctx context.Context) error {
	errs := make([]error, len(rt.routes))
	var wg sync.WaitGroup
	for i, r := range rt.routes {
		wg.Go(func() { errs[i] = r.drain(ctx) })
	}
	wg.Wait()
	for _, err := range append(errs, rt.dead.close(ctx)) {
		rt.note(err)
	}
	return nil
}

func (rt *SinkRuntime) unsettled() string {
	n := 0
	for _, r := range rt.routes {
		n += r.inHand()
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d records in hand were not acknowledged and will be delivered again", n)
}

// consumerConfigs returns what to consume: the connector's choice, or the
// configuration's.
func (rt *SinkRuntime) consumerConfigs(ctx context.Context) ([]ConsumerConfig, error) {
	configs := []ConsumerConfig{{}}
	if c, ok := capability[ConsumerConfigurer](rt.connector); ok {
		var own []ConsumerConfig
		err := rt.guard("ConsumerConfigs", func() (err error) {
			own, err = c.ConsumerConfigs(ctx)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("consumer configs: %w", asFatal(err))
		}
		configs = own
		if len(configs) == 0 {
			return nil, InvalidConfigf("ConsumerConfigs returned no topic")
		}
	}
	seen := map[string]bool{}
	for _, c := range configs {
		topic := or(c.Topic, rt.cfg.SourceTopic)
		if seen[topic] {
			return nil, InvalidConfigf("ConsumerConfigs names topic %s twice", topic)
		}
		for other := range seen {
			if isPartOf(topic, other) || isPartOf(other, topic) {
				return nil, InvalidConfigf("ConsumerConfigs: topics %s and %s overlap: one is a partition of the other, and its records would come twice", min(topic, other), max(topic, other))
			}
		}
		seen[topic] = true
		if err := c.check(topic); err != nil {
			return nil, err
		}
	}
	return configs, nil
}

// check finds what is wrong with the settings that a route has of its own.
func (c ConsumerConfig) check(topic string) error {
	if !topicPattern.MatchString(topic) {
		return InvalidConfigf("ConsumerConfigs: topic %q: expected /namespace/name, each of letters, digits, _ and -", topic)
	}
	if _, ok := parseOrdering(string(or(c.Ordering, OrderPartition))); !ok {
		return InvalidConfigf("ConsumerConfigs: %s: ordering %q: %s", topic, c.Ordering, expectedOrderings)
	}
	if _, ok := parseErrorPolicy(string(or(c.OnError, OnErrorAuto))); !ok {
		return InvalidConfigf("ConsumerConfigs: %s: on_error %q: %s", topic, c.OnError, expectedPolicies)
	}
	if _, ok := parseExhaustedPolicy(string(or(c.OnExhausted, OnErrorAuto))); !ok {
		return InvalidConfigf("ConsumerConfigs: %s: on_exhausted %q: %s", topic, c.OnExhausted, expectedExhaustedPolicies)
	}
	if _, ok := subscriptionTypes[or(c.Type, SubscriptionExclusive)]; !ok {
		return InvalidConfigf("ConsumerConfigs: %s: subscription type %q: %s", topic, c.Type, expectedSubscriptionTypes)
	}
	if c.Concurrency < 0 || c.BatchSize < 0 || c.BatchTimeout < 0 || c.NackDelay < 0 || c.RateLimit < 0 {
		return InvalidConfigf("ConsumerConfigs: %s: concurrency, batch size, batch timeout, nack delay and rate limit must not be negative", topic)
	}
	return nil
}

// routeOptions are the configuration's settings with those of the route over them.
func (rt *SinkRuntime) routeOptions(c ConsumerConfig) routeOptions {
	o := routeOptions{
		ordering:     or(or(c.Ordering, rt.cfg.Ordering), OrderPartition),
		concurrency:  or(c.Concurrency, rt.cfg.Concurrency),
		onError:      c.OnError,
		onExhausted:  c.OnExhausted,
		nackDelay:    or(c.NackDelay, rt.cfg.NackDelay),
		batchSize:    or(c.BatchSize, rt.cfg.BatchSize),
		batchTimeout: or(c.BatchTimeout, rt.cfg.BatchTimeout),
		rateLimit:    or(c.RateLimit, rt.cfg.RateLimit),
	}
	if o.onError == "" || o.onError == OnErrorAuto {
		o.onError = rt.cfg.onError()
	}
	if o.onExhausted == "" || o.onExhausted == OnErrorAuto {
		o.onExhausted = rt.cfg.policy(rt.cfg.OnExhausted)
	}
	return o
}

func (rt *SinkRuntime) consumerConfig(c ConsumerConfig) danube.ConsumerConfig {
	d := danube.ConsumerConfig{
		Topic:        or(c.Topic, rt.cfg.SourceTopic),
		Subscription: or(c.Subscription, rt.cfg.SubscriptionName),
		Name:         c.ConsumerName,
		Type:         or(c.Type, rt.cfg.SubscriptionType).client(),
		CreateTopic:  c.CreateTopic,
		OnSession:    rt.onSession("subscription", or(c.Topic, rt.cfg.SourceTopic)),
	}
	if d.Name == "" {
		d.Name = rt.cfg.ConnectorName
		if d.Type == danube.Shared || d.Type == danube.KeyShared {
			d.Name += replicaSuffix()
		}
	}
	return d
}

func or[T comparable](v, instead T) T {
	var zero T
	if v == zero {
		return instead
	}
	return v
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// replicaSuffix tells processes that share a subscription apart: two of one name
// would take the stream from each other without end.
func replicaSuffix() string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	return fmt.Sprintf("-%s-%08x", notInNames.ReplaceAllString(host, "-"), rand.Uint32())
}
