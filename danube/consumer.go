package danube

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/gate"
)

// Consumer receives one subscription of one topic. It is safe for concurrent use.
//
// Messages of an Exclusive partition come in the order of their offsets, also over
// sessions. Only right after NewConsumer a broker may send first what it had ready for
// a predecessor that did not read: up to eight messages from the middle. What the
// broker sends a second time while it was not settled is handed out once; what comes
// again after it was acknowledged is acknowledged again and handed to nobody.
type Consumer struct {
	client *Client
	cfg    ConsumerConfig
	inbox  *inbox
	parts  atomic.Pointer[map[string]*partition] // by the topic on the wire; replaced when one joins

	gate   gate.Gate       // shut while the consumer is paused
	ctx    context.Context // ends with the consumer
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	err     error // why the consumer has failed
	closing bool  // no partition joins any more
	growing sync.WaitGroup

	close ending
}

// NewConsumer opens a consumer and returns when every partition has its stream. It
// retries, with backoff, everything that may pass, until ctx ends; that includes a
// topic that does not exist yet and an Exclusive subscription that another name
// holds.
func (c *Client) NewConsumer(ctx context.Context, cfg ConsumerConfig) (*Consumer, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	who := Who{Consumer: cfg.Name, Subscription: cfg.Subscription}
	cfg.OnSession, cfg.OnAnomaly = c.cfg.Hooks.heardSessions(who, cfg.OnSession), c.cfg.Hooks.heardAnomalies(who, cfg.OnAnomaly)
	if cfg.CreateTopic {
		if err := c.ensureTopic(ctx, cfg); err != nil {
			return nil, err
		}
	}
	parts, err := c.awaitPartitions(ctx, cfg.Topic, cfg.OnSession, true)
	if err != nil {
		return nil, err
	}
	con := &Consumer{client: c, cfg: cfg}
	con.parts.Store(&map[string]*partition{})
	con.ctx, con.cancel = context.WithCancelCause(context.Background())
	if cfg.Handler == nil {
		con.inbox = newInbox(cfg.MaxQueued, cfg.MaxQueuedBytes)
		if cfg.Stamps != nil {
			con.inbox.handOut = func(m *Message) { con.partition(m).handOut(m) }
		}
	}
	if err := c.register(con); err != nil {
		return nil, err
	}
	con.start(parts...)
	for _, p := range con.partitions() {
		select {
		case <-p.opened:
		case <-con.ctx.Done():
		case <-ctx.Done():
			p.mu.Lock()
			last := p.last
			p.mu.Unlock()
			con.fail(gaveUp("subscribe to", p.topic, ctx, last))
		}
	}
	if con.ctx.Err() != nil || len(con.partitions()) == 0 {
		_ = con.Close(ctx)
		if err := con.Err(); err != nil {
			return nil, err
		}
		return nil, &Error{Op: "subscribe to", Topic: cfg.Topic, Reason: ErrClosed}
	}
	if parts[0] != NoPartition && cfg.PartitionRefresh > 0 {
		con.mu.Lock()
		defer con.mu.Unlock()
		if !con.closing {
			con.growing.Go(func() { c.watchPartitions(con.ctx, cfg.Topic, parts, cfg.PartitionRefresh, con.grow) })
		}
	}
	return con, nil
}

// start begins to consume partitions; false means that the consumer closes.
func (c *Consumer) start(numbers ...int32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	parts, fresh := maps.Clone(*c.parts.Load()), make([]*partition, 0, len(numbers))
	for _, n := range numbers {
		p := newPartition(c, n)
		parts[p.topic], fresh = p, append(fresh, p)
	}
	c.parts.Store(&parts)
	for _, p := range fresh { // they are known before anything comes
		c.client.lookout.add(p)
		go p.run()
	}
	return true
}

// partitions returns all there are at present.
func (c *Consumer) partitions() []*partition { return slices.Collect(maps.Values(*c.parts.Load())) }

// partition returns the one that a message came from, nil for another consumer's.
func (c *Consumer) partition(m *Message) *partition { return (*c.parts.Load())[m.WireTopic] }

// ensureTopic creates a topic that does not exist, by making a producer on it: the
// broker's client port has no other way.
func (c *Client) ensureTopic(ctx context.Context, cfg ConsumerConfig) error {
	parts, err := c.awaitPartitions(ctx, cfg.Topic, cfg.OnSession, false)
	if err != nil || len(parts) > 0 {
		return err
	}
	p, err := c.NewProducer(ctx, ProducerConfig{Topic: cfg.Topic, Name: cfg.Name, OnSession: notReady(cfg.OnSession)})
	if err != nil {
		return err
	}
	return p.Close(ctx)
}

// notReady passes on everything but Ready: that of a producer is not a consumer's.
func notReady(report func(SessionEvent)) func(SessionEvent) {
	if report == nil {
		return nil
	}
	return func(e SessionEvent) {
		if e.State != Ready {
			report(e)
		}
	}
}

// Receive returns the next message of any partition, in order within each. It
// waits until there is one, ctx ends (its cause), or the consumer ends: ErrClosed
// after Close; after a failure its reason, such as ErrTakenOver, once what was received
// before is handed out. With a Handler there is nothing to receive.
func (c *Consumer) Receive(ctx context.Context) (*Message, error) {
	if c.inbox == nil {
		return nil, invalid("Receive on a consumer of %s that has a Handler", c.cfg.Topic)
	}
	m, err := c.inbox.take(ctx)
	if errors.Is(err, errInboxClosed) {
		if err := c.Err(); err != nil {
			return nil, err
		}
		return nil, &Error{Op: "receive from", Topic: c.cfg.Topic, Reason: ErrClosed}
	}
	return m, err
}

// Ack acknowledges one message. It only queues: acks go out in the background,
// several at once, and are repeated until the broker has answered, or until the
// message comes again. An error means that the message is not this consumer's to
// acknowledge: received by another one, acknowledged before, or from before the
// topic's numbering started again.
func (c *Consumer) Ack(m *Message) error {
	p := c.partition(m)
	if p == nil || !p.settle(m, settled) {
		return &Error{Op: "acknowledge", Topic: m.WireTopic, Reason: ErrInvalid, Err: errNotOurs}
	}
	return nil
}

var errNotOurs = errors.New("no such message waits for it here")

// Nack hands one message back: the broker delivers it again after its own backoff
// or after delay, whichever is longer (at most 60 s by default), and at the sixth
// delivery by default blocks the subscription for good. It comes behind what was
// published after it. On a topic that has gone quiet it may not come before the
// next publish. For an ordered consumer, trying again in the process is better.
func (c *Consumer) Nack(ctx context.Context, m *Message, delay time.Duration, reason string) error {
	p := c.partition(m)
	if p == nil || !p.settle(m, nacked) {
		return &Error{Op: "nack", Topic: m.WireTopic, Reason: ErrInvalid, Err: errNotOurs}
	}
	return p.nack(ctx, m, delay, reason)
}

// Flush waits until every ack that can go out was answered. The ack of the highest
// offset of a partition cannot while a lower one is not settled, and none can while
// the consumer is paused.
func (c *Consumer) Flush(ctx context.Context) error {
	if c.gate.Waiting() != nil {
		return nil
	}
	for _, p := range c.partitions() {
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Done is closed when the consumer has ended, by Close or by a failure.
func (c *Consumer) Done() <-chan struct{} { return c.ctx.Done() }

// Err is why the consumer has failed, nil while it works and after Close.
func (c *Consumer) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *Consumer) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	c.cancel(err)
	if c.inbox != nil {
		c.inbox.close()
	}
}

// Close stops handing out messages, also those that wait for Receive, sends the acks
// that it can until ctx ends, and ends the consumer's goroutines. What was received
// and not acknowledged, the broker delivers to the next consumer of the name. Streams
// are read until the acks are through, and until the broker has sent what it sends
// without any, at most a second longer.
// Calling it again, also meanwhile, returns the same; the context that ends first counts.
//
// Close waits for the Handler to return, at most until ctx ends; it must not be called
// from there. A Handler that waits for something should watch Done as well.
func (c *Consumer) Close(ctx context.Context) error {
	return c.close.end(ctx, func(ctx context.Context) error {
		c.mu.Lock()
		c.closing = true
		c.mu.Unlock()
		for _, p := range c.partitions() {
			p.stopDelivery()
		}
		if c.inbox != nil {
			c.inbox.drop()
		}
		var errs []error
		if c.Err() == nil {
			errs = append(errs, c.Flush(ctx))
			c.awaitQuiet(ctx)
		}
		c.cancel(ErrClosed)
		c.growing.Wait()
		for _, p := range c.partitions() {
			c.client.lookout.remove(p)
			p.told()
			errs = append(errs, p.wait(ctx))
		}
		c.client.forget(c)
		return errors.Join(errs...)
	})
}
