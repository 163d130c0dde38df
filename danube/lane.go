package danube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// maxRequest is the most that a broker takes in one request, everything included.
const maxRequest = 4 << 20

// pending is one accepted message on its way.
type pending struct {
	m    *Outgoing
	done func(Receipt, error)
	at   time.Time // of its acceptance, where a hook wants to know
}

// lane publishes to one partition: one goroutine, one send outstanding, the
// message at the head repeated until it is settled.
type lane struct {
	p         *Producer
	topic     string // on the wire
	partition int32
	name      string
	queue     *bounded[pending]
	wait      *retry.Backoff

	ctx    context.Context // ends when the lane must give up
	cancel context.CancelCauseFunc
	opened chan struct{} // closed at the first session, or when the lane has failed
	ended  chan struct{} // closed when the goroutine is gone

	mu      sync.Mutex
	err     error // the lane has failed: nothing can be sent any more
	last    error // why the last attempt at a session failed
	isOpen  bool
	unsent  int // messages that ended without having been handed to the broker
	unknown int // and those that may be in the topic

	// The rest belongs to the lane's goroutine.
	sess       *session
	maker      target    // the broker that was told to create the topic, while nobody has it
	told       time.Time // when
	requests   uint64
	watch      watchdog
	schema     *SchemaID // the session's; nil for none
	override   *SchemaID // the message's
	stamps     stamper
	msg        danubepb.StreamMessage
	attributes []byte // of msg, as on the wire
	id         danubepb.MsgID
	resp       danubepb.MessageResponse
}

func newLane(p *Producer, partition int32) *lane {
	l := &lane{
		p: p, topic: p.cfg.Topic, partition: partition, name: p.cfg.Name,
		queue:  newBounded[pending](p.cfg.MaxPending, p.cfg.MaxPendingBytes, 2),
		wait:   p.client.backoff(),
		opened: make(chan struct{}),
		ended:  make(chan struct{}),
		// Numbers of two runs of one producer do not meet: the high half is the time.
		requests: uint64(time.Now().Unix()) << 32,
		stamps:   newStamper(p.cfg.Stamp),
	}
	if partition != NoPartition {
		l.topic = partitionTopic(p.cfg.Topic, partition)
		l.name = fmt.Sprintf("%s-%d", p.cfg.Name, partition)
	}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l
}

func (l *lane) accept(ctx context.Context, m *Outgoing, done func(Receipt, error)) error {
	if err := l.refusal(); err != nil {
		return err
	}
	it := pending{m: m, done: done}
	if l.p.client.cfg.Hooks.Published != nil {
		it.at = time.Now()
	}
	ok, err := l.queue.push(ctx, it, m.size())
	if err != nil {
		return &Error{Op: "publish", Topic: l.topic, Reason: ErrNotSent, Err: err}
	}
	if !ok {
		if err := l.refusal(); err != nil {
			return err
		}
		return &Error{Op: "publish", Topic: l.topic, Reason: ErrClosed}
	}
	return nil
}

// refusal is why nothing is taken any more.
func (l *lane) refusal() error {
	err := l.failure()
	if err == nil || !errors.Is(err, ErrClosed) {
		return err
	}
	return &Error{Op: "publish", Topic: l.topic, Reason: ErrClosed}
}

func (l *lane) run() {
	defer close(l.ended)
	defer l.dropSession(ErrClosed)
	defer l.watch.stop()
	if err := l.ensureSession(); err != nil {
		l.fail(err)
	}
	for {
		it, ok, done := l.queue.pop()
		if ok {
			l.publish(it)
			l.msg.Payload, l.msg.RoutingKey = nil, nil // theirs again
			continue
		}
		if done {
			return
		}
		var lost <-chan struct{}
		if l.sess != nil {
			lost = l.sess.ctx.Done()
		}
		select {
		case <-l.queue.ready:
		case <-lost:
			// Nothing to send, but readiness should not wait for the next message.
			l.dropSession(context.Cause(l.sess.ctx))
			if err := l.ensureSession(); err != nil {
				l.fail(err)
			}
		}
	}
}

// giveUpOpening makes the lane fail because nobody waits for it any longer.
func (l *lane) giveUpOpening(ctx context.Context) {
	l.mu.Lock()
	last := l.last
	l.mu.Unlock()
	l.cancel(gaveUp("create producer", l.topic, ctx, last))
}

// giveUp ends a message that cannot be waited for any longer.
func (l *lane) giveUp(it pending, r Receipt, cause error) {
	reason := ErrNotSent
	l.mu.Lock()
	if r.Ambiguous {
		reason = ErrOutcomeUnknown
		l.unknown++
	} else {
		l.unsent++
	}
	l.mu.Unlock()
	l.settle(it, r, &Error{Op: "publish", Topic: l.topic, Reason: reason, Err: cause})
}

// fail makes every further send end with err.
func (l *lane) fail(err error) {
	l.mu.Lock()
	first := l.err == nil
	if first {
		l.err = err
	}
	l.mu.Unlock()
	l.queue.close()
	l.cancel(err)
	l.markOpened()
	if first && !errors.Is(err, ErrClosed) {
		l.p.fail(l, err)
		l.report(Failed, err)
	}
}

func (l *lane) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *lane) markOpened() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.isOpen {
		l.isOpen = true
		close(l.opened)
	}
}

func (l *lane) report(s SessionState, err error) {
	if l.p.cfg.OnSession != nil {
		l.p.cfg.OnSession(SessionEvent{Topic: l.topic, Partition: l.partition, State: s, Err: err})
	}
}

// close publishes what was accepted, at most until ctx ends.
func (l *lane) close(ctx context.Context) error {
	closed := &Error{Op: "close producer", Topic: l.topic, Reason: ErrClosed}
	if idle := l.queue.close(); idle {
		l.cancel(closed) // it may be waiting for a session that nobody needs
	}
	select {
	case <-l.ended:
	case <-ctx.Done():
		l.cancel(&Error{Op: "close producer", Topic: l.topic, Reason: ErrClosed, Err: context.Cause(ctx)})
		<-l.ended
	}
	l.cancel(closed)
	l.mu.Lock()
	defer l.mu.Unlock()
	var reason, left error
	switch {
	case l.unknown > 0:
		reason, left = ErrOutcomeUnknown, fmt.Errorf("%d messages were not published, and %d more may have been", l.unsent, l.unknown)
	case l.unsent > 0:
		reason, left = ErrNotSent, fmt.Errorf("%d messages were not published", l.unsent)
	default:
		return nil
	}
	if l.err != nil && !errors.Is(l.err, ErrClosed) {
		left = fmt.Errorf("%w: %w", left, l.err)
	}
	return &Error{Op: "close producer", Topic: l.topic, Reason: reason, Err: left}
}
