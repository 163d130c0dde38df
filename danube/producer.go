package danube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// Producer publishes to one topic. It is safe for concurrent use. Per partition,
// messages are published in the order in which they were accepted, one at a time:
// a broker orders nothing beyond one outstanding send.
type Producer struct {
	client *Client
	cfg    ProducerConfig
	lanes  atomic.Pointer[[]*lane] // replaced when some join
	keyed  atomic.Int64            // how many of them keys are spread over
	turn   atomic.Uint64
	failed atomic.Pointer[Error] // why one partition failed, and with it the producer
	close  ending

	mu      sync.Mutex
	stop    context.CancelFunc // of the looks at the partitions; nil without any
	closing bool
	growing sync.WaitGroup
}

// NewProducer opens a producer and returns when it has a session on every
// partition. It retries, with backoff, everything that may pass, until ctx ends.
func (c *Client) NewProducer(ctx context.Context, cfg ProducerConfig) (*Producer, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	cfg.OnSession = c.cfg.Hooks.heardSessions(Who{Producer: cfg.Name}, cfg.OnSession)
	parts, err := c.producerPartitions(ctx, cfg)
	if err != nil {
		return nil, err
	}
	p := &Producer{client: c, cfg: cfg}
	var lanes []*lane
	for _, n := range parts {
		lanes = append(lanes, newLane(p, n))
	}
	p.lanes.Store(&lanes)
	p.keyed.Store(int64(len(lanes)))
	if err := c.register(p); err != nil {
		return nil, err
	}
	for _, l := range lanes {
		go l.run()
	}
	for _, l := range lanes {
		select {
		case <-l.opened:
		case <-ctx.Done():
			l.giveUpOpening(ctx)
			<-l.opened
		}
		if err := l.failure(); err != nil {
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			_ = p.Close(ended) // nothing was accepted, so nothing is lost
			return nil, err
		}
	}
	if cfg.Partitions == 0 && parts[0] != NoPartition && cfg.PartitionRefresh > 0 {
		p.watch(parts)
	}
	return p, nil
}

// watch begins to look for new partitions.
func (p *Producer) watch(parts []int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	p.growing.Go(func() {
		p.client.watchPartitions(ctx, p.cfg.Topic, parts, p.cfg.PartitionRefresh, func(listed []int32) bool { return p.grow(ctx, listed) })
	})
}

// unwatch ends that.
func (p *Producer) unwatch() {
	p.mu.Lock()
	p.closing = true
	if p.stop != nil {
		p.stop()
	}
	p.mu.Unlock()
	p.growing.Wait()
}

// producerPartitions finds the partitions to publish to, asking until somebody
// answers.
func (c *Client) producerPartitions(ctx context.Context, cfg ProducerConfig) ([]int32, error) {
	if cfg.Partitions > 0 {
		parts := make([]int32, cfg.Partitions)
		for i := range parts {
			parts[i] = int32(i)
		}
		return parts, nil
	}
	parts, err := c.awaitPartitions(ctx, cfg.Topic, cfg.OnSession, false)
	if err == nil && len(parts) == 0 {
		parts = []int32{NoPartition}
	}
	return parts, err
}

// awaitPartitions lists a topic's partitions, with backoff until a broker answers
// and, where the topic must exist, until it does.
func (c *Client) awaitPartitions(ctx context.Context, topic string, report func(SessionEvent), mustExist bool) ([]int32, error) {
	wait := c.backoff()
	for {
		parts, err := c.router.partitions(ctx, topic)
		if err == nil && len(parts) == 0 && mustExist {
			err = &Error{Op: "subscribe to", Topic: topic, Reason: ErrNotFound, Err: errors.New("the topic does not exist yet")}
		}
		if err == nil {
			return parts, nil
		}
		if report != nil {
			report(SessionEvent{Topic: topic, Partition: NoPartition, State: Connecting, Err: err})
		}
		if isFatal(err) {
			return nil, err
		}
		d := wait.Next()
		c.log.Warn("danube: no answer about a topic's partitions yet", "topic", topic, "retry_in", d, "error", err)
		if !sleep(ctx, d) {
			return nil, gaveUp("list partitions of", topic, ctx, err)
		}
	}
}

// gaveUp is the error of a caller that did not wait any longer: its own reason, and
// what kept it waiting.
func gaveUp(op, topic string, ctx context.Context, last error) *Error {
	err := context.Cause(ctx)
	if last != nil && !errors.Is(last, err) {
		err = fmt.Errorf("%w; the last attempt: %w", err, last)
	}
	return &Error{Op: op, Topic: topic, Err: err}
}

// Partitions returns the number of partitions that are published to, 1 for a topic
// without any.
func (p *Producer) Partitions() int { return len(*p.lanes.Load()) }

// Send publishes one message and returns when the broker has it. The broker has it
// in memory then; it writes to disk later (up to 5 s by default), so a broker that
// is killed may still lose it.
//
// An attempt that fails for a reason that may pass is repeated with the same
// request id until it succeeds or the producer is closed, and later messages of
// the partition wait behind it. Errors: ErrNotSent when ctx ended before the
// message was accepted; ErrOutcomeUnknown when it ended after, and then the
// message is still published; ErrTooLarge and ErrSchema for a message that will
// never be taken; everything else means that the producer as a whole has failed: what
// one partition is refused for good, such as the permission, ends it, and the other
// partitions only publish what they have accepted.
func (p *Producer) Send(ctx context.Context, m *Outgoing) (Receipt, error) {
	type result struct {
		r   Receipt
		err error
	}
	done := make(chan result, 1)
	if err := p.SendAsync(ctx, m, func(r Receipt, err error) { done <- result{r, err} }); err != nil {
		return Receipt{}, err
	}
	select {
	case res := <-done:
		return res.r, res.err
	case <-ctx.Done():
		return Receipt{}, &Error{Op: "publish", Topic: p.cfg.Topic, Reason: ErrOutcomeUnknown, Err: context.Cause(ctx)}
	}
}

// SendAsync accepts a message for publishing and returns; it waits only for room
// (MaxPending, MaxPendingBytes), at most until ctx ends, which is ErrNotSent.
// After nil, done is called exactly once, from the partition's goroutine, in the
// order of acceptance, with what Send would return; it must not block. After an
// error, done is not called and the message is not published.
func (p *Producer) SendAsync(ctx context.Context, m *Outgoing, done func(Receipt, error)) error {
	if m == nil || done == nil {
		return invalid("SendAsync to %s: message and done are both required", p.cfg.Topic)
	}
	if err := p.failed.Load(); err != nil {
		return err
	}
	return p.lane(m.Key).accept(ctx, p.client.cfg.Hooks.inject(ctx, m), done)
}

// fail notes why a partition has failed, once. One that has not joined yet is tried again.
func (p *Producer) fail(l *lane, err error) {
	if !slices.Contains(*p.lanes.Load(), l) {
		return
	}
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Op: "publish", Topic: l.topic, Err: err}
	}
	p.failed.CompareAndSwap(nil, e)
}

func (p *Producer) lane(key string) *lane {
	lanes := *p.lanes.Load()
	switch {
	case len(lanes) == 1:
		return lanes[0]
	case key != "":
		return lanes[keyPartition(key, min(int(p.keyed.Load()), len(lanes)))]
	}
	// One that is full is passed over: a partition whose broker is slow, or away, does not
	// hold up the others. When all are, one of them is waited for.
	var l *lane
	for range lanes {
		l = lanes[(p.turn.Add(1)-1)%uint64(len(lanes))]
		if !l.queue.full.Load() {
			break
		}
	}
	return l
}

// Close stops taking messages, publishes what was accepted, and ends the
// producer's goroutines. When ctx ends first, the rest fails: what was not handed
// to the broker with ErrNotSent, what was with ErrOutcomeUnknown; Close then says
// so. Calling it again, also meanwhile, returns the same; the context that ends first
// counts.
func (p *Producer) Close(ctx context.Context) error {
	return p.close.end(ctx, func(ctx context.Context) error {
		p.unwatch()
		lanes := *p.lanes.Load()
		errs := make([]error, len(lanes))
		var wg sync.WaitGroup
		for i, l := range lanes {
			wg.Go(func() { errs[i] = l.close(ctx) })
		}
		wg.Wait()
		p.client.forget(p)
		return errors.Join(errs...)
	})
}
