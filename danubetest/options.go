package danubetest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
)

// Option changes how a [Broker] is made. Options are applied in order.
type Option func(*config) error

// config is what the options decide.
type config struct {
	addr          string
	bufconn       bool
	topics        []topicOption
	maxUnacked    int
	policies      map[string]FailurePolicy
	autoCreate    bool
	clusterCreate bool
	namespaces    []string
	maxMessage    int
	limits        Limits
	tls           *tls.Config
	certPEM       []byte // of a certificate that was made up
	authenticate  bool
	tokens        []Token
	verify        TokenVerifier
	grants        map[string][]Grant // by principal; nil where everything is allowed
	admins        []string
	metricsAddr   string
	serverOptions []grpc.ServerOption
	register      []func(*grpc.Server)
	logger        *slog.Logger
	forgetAcked   bool
	callLog       int
	brokers       int
	proxy         bool
	timing        Timing
	dispatchRate  int
	cache         int
	traps         [traps]bool
	seed          uint64
}

type topicOption struct {
	name string
	cfg  TopicConfig
}

func newConfig(opts []Option) (config, error) {
	cfg := config{
		addr:       "127.0.0.1:0",
		maxUnacked: 10,
		policies:   make(map[string]FailurePolicy),
		autoCreate: true,
		namespaces: []string{"default", "system"},
		maxMessage: 10 << 20,
		logger:     slog.New(slog.DiscardHandler),
		callLog:    10_000,
		brokers:    1,
		cache:      1024,
		seed:       rand.Uint64(),
		timing:     Timing{Gap: 2 * time.Second, Failover: 25 * time.Second},
	}
	cfg.setProfile(Sound)
	var errs []error
	for _, o := range opts {
		if err := o(&cfg); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, cfg.checkSecurity())
	if err := errors.Join(errs...); err != nil {
		return config{}, fmt.Errorf("danubetest: %w", err)
	}
	return cfg, nil
}

// WithAddr makes the broker listen on a TCP address, host:port. The default,
// 127.0.0.1:0, takes a free port of the loopback interface. On an unspecified host
// such as 0.0.0.0 lookups answer with the host that the client dialed.
func WithAddr(addr string) Option {
	return func(c *config) error {
		c.addr = addr
		return nil
	}
}

// WithBufconn makes the broker listen in memory instead of on a port. Clients need
// [Broker.DialOption] and must not resolve the name in [Broker.URL], which stands
// for no host: dial "passthrough:///" followed by host and port.
func WithBufconn() Option {
	return func(c *config) error {
		c.bufconn = true
		return nil
	}
}

// WithTopic creates a topic before the broker takes its first request.
func WithTopic(name string, cfg TopicConfig) Option {
	return func(c *config) error {
		c.topics = append(c.topics, topicOption{name, cfg})
		return nil
	}
}

// WithMaxUnacked sets the window: how many messages of a subscription may be
// unacknowledged at once, over all its consumers. The default is 10, as in the real
// broker; 1 to 10000.
func WithMaxUnacked(n int) Option {
	return func(c *config) error {
		if n < 1 || n > 10_000 {
			return fmt.Errorf("max unacked: %d: want 1 to 10000", n)
		}
		c.maxUnacked = n
		return nil
	}
}

// WithCache sets how many messages of a topic the broker keeps at hand: with [TrapLag] a
// subscription that reads from a cursor can catch up so many beyond the 1024 that it reads
// ahead. The default is 1024, as in the real broker (storage.wal.advanced.cache_capacity).
func WithCache(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("cache: %d: want 1 or more", n)
		}
		c.cache = n
		return nil
	}
}

// WithFailurePolicy sets what happens to unacknowledged messages in subscriptions
// of that name, on every topic. The empty name is for all subscriptions that have no
// policy of their own.
func WithFailurePolicy(subscription string, p FailurePolicy) Option {
	return func(c *config) error {
		p, err := p.withDefaults()
		if err != nil {
			return fmt.Errorf("failure policy of %q: %w", subscription, err)
		}
		c.policies[subscription] = p
		return nil
	}
}

// WithAutoCreateTopics says whether CreateProducer creates a topic that does not
// exist; it does by default. Subscribe never creates one.
func WithAutoCreateTopics(on bool) Option {
	return func(c *config) error {
		c.autoCreate = on
		return nil
	}
}

// WithClusterCreate makes the creation of a topic by CreateProducer look as in a
// cluster: the request that creates it is answered UNAVAILABLE with the advice to
// look the topic up again; from then on the topic is there.
func WithClusterCreate() Option {
	return func(c *config) error {
		c.clusterCreate = true
		return nil
	}
}

// WithNamespaces adds namespaces to the two that always exist, default and system.
func WithNamespaces(names ...string) Option {
	return func(c *config) error {
		for _, n := range names {
			if n == "" || !validPart(n) {
				return fmt.Errorf("namespace %q: want letters, digits, _ and -", n)
			}
		}
		c.namespaces = append(c.namespaces, names...)
		return nil
	}
}

// WithMaxMessageSize limits the payload of a message, in bytes; more is refused with
// INVALID_ARGUMENT. The default is 10 MiB, 0 means no limit. Independently of it no
// request may be larger than 4 MiB.
func WithMaxMessageSize(n int) Option {
	return func(c *config) error {
		if n < 0 {
			return fmt.Errorf("max message size: %d: want 0 or more", n)
		}
		c.maxMessage = n
		return nil
	}
}

// Limits are how many of something a topic may have; 0 is no limit. The real broker
// counts names that were ever used, not those that are there.
type Limits struct {
	Producers, Subscriptions, Consumers, ConsumersPerSubscription int
}

// WithLimits limits the topics of the namespaces that the broker starts with; one that
// is created by the admin service has no limits. One more producer is refused with
// RESOURCE_EXHAUSTED, one more consumer of a topic too; one more consumer of a
// subscription, and every new consumer of a topic that has all its subscriptions, with
// PERMISSION_DENIED.
func WithLimits(limits Limits) Option {
	return func(c *config) error {
		if limits.Producers < 0 || limits.Subscriptions < 0 || limits.Consumers < 0 || limits.ConsumersPerSubscription < 0 {
			return fmt.Errorf("limits: %+v: want 0 or more", limits)
		}
		c.limits = limits
		return nil
	}
}

// WithSeed makes the ids of producers and consumers the same in every run that asks for
// them in the same order, and with them which consumer of a KeyShared subscription gets
// which keys. Without it they differ each time; [Run] says what the seed was when a test
// has failed.
func WithSeed(seed uint64) Option {
	return func(c *config) error {
		c.seed = seed
		return nil
	}
}

// WithLogger makes the broker tell what it does: start and stop, topics,
// subscriptions, streams and exhausted messages at level debug, faults that fire at
// level info. The default is silence.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return errors.New("logger: want one, not nil")
		}
		c.logger = l
		return nil
	}
}

// WithForgetAcked drops a message from memory once every subscription of its topic
// is done with it, so that a benchmark's memory stays flat. Counts stay right;
// [Broker.Messages] shows what is left. Messages of a topic without a subscription
// are kept; those of a NonReliable topic are not kept at all.
func WithForgetAcked() Option {
	return func(c *config) error {
		c.forgetAcked = true
		return nil
	}
}

// WithCallLog sets how many calls [Broker.Calls] remembers, the newest; 10000 by
// default. 0 turns the log off; counts per method are kept all the same.
func WithCallLog(n int) Option {
	return func(c *config) error {
		if n < 0 {
			return fmt.Errorf("call log: %d: want 0 or more", n)
		}
		c.callLog = n
		return nil
	}
}

// TopicConfig describes a topic that is created by hand.
type TopicConfig struct {
	// Partitions is how many topics called name-part-0, name-part-1 and so on are
	// created in place of one called name, 16384 at most. 0 means not partitioned.
	Partitions int
	// Dispatch is Reliable when left out.
	Dispatch Dispatch
}

// Dispatch says what a topic promises.
type Dispatch int

// The two dispatch strategies.
const (
	// Reliable topics keep messages for each subscription until they are acknowledged.
	Reliable Dispatch = iota
	// NonReliable topics hand a message to the streams that are open when it is
	// published, and forget it.
	NonReliable
)

// String returns the name that the admin service uses.
func (d Dispatch) String() string {
	if d == NonReliable {
		return "NonReliable"
	}
	return "Reliable"
}
