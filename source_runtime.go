package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/commit"
	"github.com/danube-messaging/danube-connect-go/internal/metrics"
	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// SourceRuntime moves records from a connector to Danube: it polls or runs the
// stream, publishes in order per partition with at most one send outstanding on
// each, retries until the broker has a record, commits the connector's own offsets
// behind that, and stops without dropping anything. One runtime runs once.
type SourceRuntime struct {
	*core
	source  SourceConnector
	stream  StreamConnector // set when the connector pushes
	commits *commit.Tracker[Offset]
	general *metrics.Topic // for what happens to no topic in particular

	declared bool // records for topics that are not in topics are bad
	mu       sync.Mutex
	topics   map[string]*sourceTopic

	loop    sync.WaitGroup // the goroutines that call the connector
	calling atomic.Pointer[string]
	closing atomic.Bool // nothing is accepted any more
}

// sourceTopic is one topic that a source publishes to.
type sourceTopic struct {
	name     string
	producer Producer
	metrics  *metrics.Topic
}

// NewSourceRuntime checks the configuration and everything else that can be checked
// without a broker. All problems of the configuration come in one [ConfigErrors].
func NewSourceRuntime(c SourceConnector, opts ...Option) (*SourceRuntime, error) {
	if c == nil {
		return nil, InvalidConfigf("the source connector is nil")
	}
	k, err := newCore(c, true, opts)
	if err != nil {
		return nil, err
	}
	rt := &SourceRuntime{
		core: k, source: c,
		commits: commit.New[Offset](),
		general: k.metrics.Topic(k.cfg.DestinationTopic),
		topics:  make(map[string]*sourceTopic),
	}
	if a, ok := c.(*streamSource); ok {
		rt.stream = a.StreamConnector
	}
	return rt, nil
}

// Config returns the effective configuration.
func (rt *SourceRuntime) Config() Config { return rt.cfg }

// MetricsAddress returns where metrics and probes are served, nil when they are
// not. Valid once Initialize was called.
func (rt *SourceRuntime) MetricsAddress() net.Addr { return rt.addr }

// Run initializes the connector, opens its topics, and moves records until the
// source is finished, ctx ends, SIGINT or SIGTERM comes, or it cannot go on. It then
// stops asking for records, publishes what it has within drain_timeout_ms, commits,
// calls Shutdown and returns: nil after a clean stop or a finished source, else
// every error joined; see [ExitCode]. A second signal ends it at once.
func (rt *SourceRuntime) Run(ctx context.Context) error { return rt.run(ctx, rt) }

func (rt *SourceRuntime) open(ctx context.Context) error {
	configs := []ProducerConfig{{Topic: rt.cfg.DestinationTopic, NonReliable: !rt.cfg.ReliableDispatch}}
	if c, ok := capability[ProducerConfigurer](rt.connector); ok {
		rt.declared = true
		err := protect(func() (err error) {
			configs, err = c.ProducerConfigs(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("producer configs: %w", asFatal(err))
		}
		if len(configs) == 0 {
			return InvalidConfigf("ProducerConfigs returned no topic")
		}
	}
	errs := make([]error, len(configs))
	var wg sync.WaitGroup
	for i, c := range configs {
		for _, other := range configs[:i] {
			if other.Topic == c.Topic {
				return InvalidConfigf("ProducerConfigs names topic %s twice", c.Topic)
			}
		}
		wg.Go(func() { _, errs[i] = rt.openTopic(ctx, c) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if rt.stream != nil {
		rt.loop.Go(rt.runStream)
		rt.loop.Go(rt.runCommits)
	} else {
		rt.loop.Go(rt.runPoll)
	}
	return nil
}

// openTopic opens a topic's producer, which is in place when nil is returned.
func (rt *SourceRuntime) openTopic(ctx context.Context, c ProducerConfig) (*sourceTopic, error) {
	t := &sourceTopic{name: c.Topic, metrics: rt.metrics.Topic(c.Topic)}
	cfg := danube.ProducerConfig{
		Topic:      c.Topic,
		Name:       rt.cfg.ConnectorName + strings.ReplaceAll(c.Topic, "/", "-"),
		Partitions: c.Partitions,
		OnSession:  rt.onSession("producer"),
	}
	if c.NonReliable {
		cfg.Dispatch = danube.NonReliable
	}
	p, err := rt.client.NewProducer(ctx, cfg)
	if err != nil {
		return nil, opened("producer", c.Topic, err)
	}
	t.producer = p
	rt.mu.Lock()
	rt.topics[c.Topic] = t
	rt.mu.Unlock()
	return t, nil
}

// called runs one call into the connector, which the drain can name when it does
// not come back.
func (rt *SourceRuntime) called(what string, f func() error) error {
	rt.calling.Store(&what)
	defer rt.calling.Store(nil)
	return protect(f)
}

// runPoll is the loop of a source that is polled. Commit is called from here too,
// so that a connector needs no lock.
func (rt *SourceRuntime) runPoll() {
	wait := retry.New(rt.cfg.RetryBackoff, rt.cfg.MaxBackoff)
	idle := time.NewTimer(time.Hour)
	defer idle.Stop()
	for rt.stop.Err() == nil {
		rt.commitReady()
		var records []*SourceRecord
		err := rt.called("Poll", func() (err error) {
			records, err = rt.source.Poll(rt.stop)
			return err
		})
		if !rt.publishAll(records) {
			return
		}
		switch {
		case err == nil:
			wait.Reset()
			if len(records) == 0 {
				rt.idle(idle)
			}
		case rt.stop.Err() != nil:
		case errors.Is(err, io.EOF):
			rt.log.Info("the source is finished")
			rt.cancel(errStopped)
		default:
			rt.retryCall("Poll", err, wait)
		}
	}
}

// idle waits for the next poll, committing what gets ready meanwhile.
func (rt *SourceRuntime) idle(t *time.Timer) {
	t.Reset(rt.cfg.PollInterval)
	for {
		select {
		case <-t.C:
			return
		case <-rt.stop.Done():
			return
		case <-rt.commits.Ready():
			rt.commitReady()
		}
	}
}

// retryCall deals with an error of Poll or Stream: waits, or ends the run.
func (rt *SourceRuntime) retryCall(what string, err error, wait *retry.Backoff) {
	rt.general.Failed(errorType(err))
	if isPanic(err) || KindOf(err) != KindRetryable {
		attrs := []any{"error", oneLine(err)}
		if p := (*PanicError)(nil); asPanic(err, &p) {
			attrs = append(attrs, "stack", string(p.Stack))
		}
		rt.log.Error(what+" failed, the connector cannot go on", attrs...)
		rt.fail(fmt.Errorf("%s: %w", what, asFatal(err)))
		return
	}
	d := max(wait.Next(), RetryAfter(err))
	rt.board.Set(what, oneLine(err))
	rt.log.Warn(what+" failed and will be tried again", "retry_in", d, "error", oneLine(err))
	retry.Sleep(rt.stop, d)
	rt.board.Set(what, "")
}

// runStream is the loop of a source that pushes.
func (rt *SourceRuntime) runStream() {
	wait := retry.New(rt.cfg.RetryBackoff, rt.cfg.MaxBackoff)
	for rt.stop.Err() == nil {
		err := rt.called("Stream", func() error { return rt.stream.Stream(rt.stop, &Emitter{rt}) })
		switch {
		case rt.stop.Err() != nil:
		case err == nil || errors.Is(err, io.EOF):
			rt.log.Info("the source is finished")
			rt.cancel(errStopped)
		default:
			rt.retryCall("Stream", err, wait)
		}
	}
}

// runCommits commits beside a stream.
func (rt *SourceRuntime) runCommits() {
	for {
		select {
		case <-rt.commits.Ready():
			rt.commitReady()
		case <-rt.stop.Done():
			return
		}
	}
}

// drain waits for the loop to end and for everything accepted to be published, and
// commits behind it.
func (rt *SourceRuntime) drain(ctx context.Context) error {
	idle := make(chan struct{})
	go func() {
		rt.loop.Wait()
		close(idle)
	}()
	late, cancel := context.WithCancel(rt.forced)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(noticeTime, cancel) })()
	select {
	case <-idle:
	case <-late.Done():
		rt.log.Error("a call into the connector has not returned and is left behind", "call", rt.underWay())
	}
	rt.closing.Store(true)
	rt.mu.Lock()
	topics := make([]*sourceTopic, 0, len(rt.topics))
	for _, t := range rt.topics {
		topics = append(topics, t)
	}
	rt.mu.Unlock()
	errs := make([]error, len(topics))
	var wg sync.WaitGroup
	for i, t := range topics {
		wg.Go(func() { errs[i] = t.producer.Close(ctx) }) // publishes what it holds
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil && ctx.Err() == nil {
			rt.note(err) // with ctx ended, the drain deadline says it all
		}
	}
	if rt.underWay() == "" {
		rt.commitReady()
	}
	return nil
}

func (rt *SourceRuntime) underWay() string {
	if s := rt.calling.Load(); s != nil {
		return *s
	}
	return ""
}

func (rt *SourceRuntime) unsettled() string {
	var left []string
	if n := rt.commits.Pending(); n > 0 {
		left = append(left, fmt.Sprintf("%d records were not published, and not committed", n))
	}
	if call := rt.underWay(); call != "" {
		left = append(left, call+" has not returned")
	}
	return strings.Join(left, "; ")
}
