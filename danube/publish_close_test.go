package danube_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// Before a message is accepted the caller can take it back, afterwards not.
func TestContextOfSend(t *testing.T) {
	embedded(t, func(l *lab) {
		topic := l.topic()
		p := l.producer(l.open(), topic, func(c *danube.ProducerConfig) { c.MaxPending = 1 })
		hang := l.broker.Fault(danubetest.Fault{Methods: sends, Hang: true})

		_, err := p.Send(l.within(time.Second), &danube.Outgoing{Payload: []byte("a")})
		l.want(err, danube.ErrOutcomeUnknown, "deadline")
		if !errors.Is(err, context.DeadlineExceeded) {
			l.Errorf("%v does not show the context's own error", err)
		}
		_, err = p.Send(l.within(time.Second), &danube.Outgoing{Payload: []byte("b")})
		l.want(err, danube.ErrOutcomeUnknown) // accepted, behind a
		_, err = p.Send(l.within(time.Second), &danube.Outgoing{Payload: []byte("not accepted")})
		l.want(err, danube.ErrNotSent, "deadline")
		if !errors.Is(err, context.DeadlineExceeded) {
			l.Errorf("%v does not show the context's own error", err)
		}
		why := errors.New("changed my mind")
		ctx, cancel := context.WithCancelCause(l.soon())
		cancel(why)
		_, err = p.Send(ctx, &danube.Outgoing{Payload: []byte("not accepted")})
		l.want(err, danube.ErrNotSent, "changed my mind")

		hang.Remove()
		l.send(p, "c")
		if err := p.SendAsync(ctx, &danube.Outgoing{Payload: []byte("not accepted")}, func(danube.Receipt, error) { l.Error("called back") }); !errors.Is(err, danube.ErrNotSent) {
			l.Errorf("with room, and a context that has ended: got %v, want ErrNotSent", err)
		}
		l.must(p.Close(l.soon()))
		l.broker.CheckPayloads(l, topic, "a", "b", "c")
	})
}

// A send that never gets an answer is given up after its time and repeated.
func TestSendDeadline(t *testing.T) {
	embedded(t, func(l *lab) {
		topic := l.topic()
		p := l.producer(l.open(func(c *danube.Config) { c.Timeouts.Send = 3 * time.Second }), topic)
		l.broker.Fault(danubetest.Fault{Methods: sends, Hang: true, AfterApply: true})
		start := time.Now()
		r, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte("a")})
		l.must(err)
		if d := time.Since(start); d < 3*time.Second || d > 4*time.Second || r.Attempts != 2 || !r.Ambiguous {
			l.Errorf("after %v: %+v", d, r)
		}
		l.broker.CheckPayloads(l, topic, "a", "a")
	})
}

// Close gives up when its context ends, tells what was not published and what may
// have been, and leaves no goroutine behind.
func TestCloseGivesUp(t *testing.T) {
	embedded(t, func(l *lab) {
		topic := l.topic()
		p := l.producer(l.open(), topic)
		hang := l.broker.Fault(danubetest.Fault{Methods: sends, Hang: true})
		var unknown, unsent atomic.Int32
		for range 3 {
			l.must(p.SendAsync(l.soon(), &danube.Outgoing{}, func(_ danube.Receipt, err error) {
				switch {
				case errors.Is(err, danube.ErrOutcomeUnknown):
					unknown.Add(1)
				case errors.Is(err, danube.ErrNotSent):
					unsent.Add(1)
				}
			}))
		}
		l.want(p.Close(l.within(time.Second)), danube.ErrOutcomeUnknown, "2 messages", "1 more")
		if unknown.Load() != 1 || unsent.Load() != 2 {
			l.Errorf("%d unknown and %d not sent, want 1 and 2", unknown.Load(), unsent.Load())
		}
		hang.Remove()
	})
}

// With nothing left to publish there is nothing to wait for, whether the broker is
// there or not.
func TestCloseOfAnIdleProducerWithTheBrokerDown(t *testing.T) {
	embedded(t, func(l *lab) {
		topic := l.topic()
		p := l.producer(l.open(), topic)
		l.send(p, "a")
		l.broker.Stop()
		l.pass(time.Minute)
		start := time.Now()
		l.must(p.Close(context.Background()))
		if d := time.Since(start); d > 0 {
			l.Errorf("Close took %v", d)
		}
	})
}

func TestCloseWithTheBrokerDown(t *testing.T) {
	embedded(t, func(l *lab) {
		topic := l.topic()
		p := l.producer(l.open(), topic)
		l.broker.Stop()
		l.pass(time.Second) // a send on the connection that just broke has an unknown outcome
		l.must(p.SendAsync(l.soon(), &danube.Outgoing{}, func(_ danube.Receipt, err error) {
			if !errors.Is(err, danube.ErrNotSent) {
				l.Errorf("got %v, want ErrNotSent", err)
			}
		}))
		l.want(p.Close(l.within(10*time.Second)), danube.ErrNotSent, "1 messages")
	})
}

// Bounds on what waits are per partition, and a message that is larger than the
// bound alone still gets through.
func TestPendingBounds(t *testing.T) {
	embedded(t, func(l *lab) {
		topic := l.topic()
		p := l.producer(l.open(), topic, func(c *danube.ProducerConfig) { c.MaxPendingBytes = 1000 })
		hang := l.broker.Fault(danubetest.Fault{Methods: sends, Hang: true})
		out := &danube.Outgoing{Payload: make([]byte, 400)}
		done := func(_ danube.Receipt, err error) {
			if err != nil {
				l.Error(err)
			}
		}
		for range 3 { // one is out, two wait
			l.must(p.SendAsync(l.soon(), out, done))
			l.pass(time.Millisecond)
		}
		err := p.SendAsync(l.within(time.Second), out, done)
		l.want(err, danube.ErrNotSent)
		hang.Remove()
		l.must(p.SendAsync(l.soon(), &danube.Outgoing{Payload: make([]byte, 5000)}, done))
		l.must(p.Close(l.soon()))
		if n := len(l.broker.Messages(topic)); n != 4 {
			l.Errorf("%d messages, want 4", n)
		}
	})
}
