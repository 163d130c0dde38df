package danube_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

var sends = []danubetest.Method{danubetest.MethodSendMessage}

// A publish that was stored but not answered is repeated with its request id, and
// its receipt says that it may be there twice.
func TestAmbiguousPublish(t *testing.T) {
	embedded(t, func(l *lab) {
		topic := l.topic()
		p := l.producer(l.open(), topic)
		f := danubetest.AmbiguousPublish(topic)
		f.Count = 2
		l.broker.Fault(f)
		r, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte("a")})
		l.must(err)
		if r.Attempts != 3 || !r.Ambiguous {
			l.Errorf("receipt: %+v, want 3 attempts, ambiguous", r)
		}
		next, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte("b")})
		l.must(err)
		if next.Attempts != 1 || next.Ambiguous || next.RequestID != r.RequestID+1 {
			l.Errorf("the next receipt: %+v after %+v", next, r)
		}
		l.broker.CheckPayloads(l, topic, "a", "a", "a", "b")
		for _, m := range l.broker.Messages(topic)[:3] {
			if m.RequestID != r.RequestID {
				l.Errorf("stored with request id %d, want %d", m.RequestID, r.RequestID)
			}
		}
	})
}

// What was ambiguous once stays so, whatever the last attempts were.
func TestAmbiguousStaysSo(t *testing.T) {
	embedded(t, func(l *lab) {
		topic := l.topic()
		p := l.producer(l.open(), topic)
		l.broker.Fault(danubetest.AmbiguousPublish(topic), danubetest.Fault{Methods: sends, Err: status.Error(codes.ResourceExhausted, "slow down"), Skip: 0})
		r, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte("a")})
		l.must(err)
		if r.Attempts != 3 || !r.Ambiguous {
			l.Errorf("receipt: %+v, want 3 attempts, ambiguous", r)
		}
	})
}

// The waits between attempts begin anew after each success.
func TestBackoffOfProducerBeginsAnew(t *testing.T) {
	embedded(t, func(l *lab) {
		p := l.producer(l.open(), l.topic())
		for range 20 {
			l.broker.Fault(danubetest.Fault{Methods: sends, Err: status.Error(codes.ResourceExhausted, "slow down")})
			start := time.Now()
			l.send(p, "a")
			if d := time.Since(start); d > 150*time.Millisecond {
				l.Fatalf("the second attempt came after %v", d)
			}
		}
	})
}

// Attempts that certainly did not count leave no doubt in the receipt.
func TestRetriedPublish(t *testing.T) {
	refusals := map[string]error{
		"throttled": status.Error(codes.ResourceExhausted, "slow down"),
		"draining":  status.Error(codes.PermissionDenied, "Unable to publish the message: the topic is draining or closed"),
		"forgotten": status.Error(codes.NotFound, "The producer with id 7 does not exist"),
		"moved":     status.Error(codes.PermissionDenied, "Unable to publish the message: Topic not found in registry"),
	}
	for name, refusal := range refusals {
		t.Run(name, func(t *testing.T) {
			embedded(t, func(l *lab) {
				topic := l.topic()
				p := l.producer(l.open(), topic)
				l.broker.Fault(danubetest.Fault{Methods: sends, Err: refusal, Count: 3})
				r, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte("a")})
				l.must(err)
				if r.Attempts != 4 || r.Ambiguous {
					l.Errorf("receipt: %+v, want 4 attempts, not ambiguous", r)
				}
				l.broker.CheckPayloads(l, topic, "a")
			})
		})
	}
}

// A broker orders nothing beyond one outstanding send, so there is one per partition;
// partitions do not wait for each other.
func TestOneOutstandingSendPerPartition(t *testing.T) {
	embedded(t, func(l *lab) {
		const parts, each, delay = 3, 10, time.Second
		topic := l.topic()
		p := l.producer(l.open(), topic, func(c *danube.ProducerConfig) { c.Partitions = parts })
		l.broker.Fault(danubetest.Fault{Methods: sends, Delay: delay, Count: -1})
		start := time.Now()
		l.post(p, series("m", parts*each)...)
		l.must(p.Close(l.within(time.Minute)))
		if took := time.Since(start); took != each*delay {
			l.Errorf("%d messages on each of %d partitions took %v, want %v", each, parts, took, each*delay)
		}
		last := map[string]time.Time{}
		for _, c := range l.broker.Calls(func(c danubetest.Call) bool { return c.Method == danubetest.MethodSendMessage }) {
			if before, ok := last[c.Topic]; ok && c.At.Sub(before) < delay {
				l.Errorf("%s: a send %v after the one before, which takes %v", c.Topic, c.At.Sub(before), delay)
			}
			last[c.Topic] = c.At
		}
	})
}

func TestProducerOverRestart(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic := l.topic()
		p := l.producer(l.open(), topic, func(c *danube.ProducerConfig) { c.OnSession = events.add })
		l.send(p, "a")
		l.broker.Stop()
		l.pass(time.Minute) // the producer notices although it has nothing to do
		if got := events.of(topic); got[len(got)-1] != danube.Connecting {
			l.Errorf("with the broker gone: %v", got)
		}
		l.post(p, "b", "c")
		l.pass(time.Minute)
		l.must(l.broker.Start())
		l.send(p, "d")
		l.broker.CheckPayloads(l, topic, "a", "b", "c", "d")
		l.broker.Stop()
		l.must(l.broker.Start()) // it has forgotten the producer's id
		start := time.Now()
		l.send(p, "e")
		if d := time.Since(start); d > 2*time.Second {
			l.Errorf("it took %v to register again", d)
		}
		l.broker.CheckPayloads(l, topic, "a", "b", "c", "d", "e")
		l.must(p.Close(l.soon()))
		events.wantStates(l, topic, danube.Ready, danube.Connecting, danube.Ready, danube.Connecting, danube.Ready)
	})
}

// A broker that answers CLOSE has forgotten the producer: it registers again, at
// once, also when there is nothing to send.
func TestHealthCloseForProducer(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic := l.topic()
		p := l.producer(l.open(), topic, func(c *danube.ProducerConfig) { c.OnSession = events.add })
		l.broker.Fault(danubetest.HealthClose("p"))
		l.pass(6 * time.Second)
		events.wantStates(l, topic, danube.Ready, danube.Connecting, danube.Ready)
		l.send(p, "a")
	})
}

// A message that the broker never takes fails alone, here before it is sent, there
// by the broker's answer.
func TestOversizedMessage(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		p := l.producer(client, topic)
		const limit = 4 << 20
		results, attempts := make(chan error, 4), make(chan int, 4)
		for _, out := range []*danube.Outgoing{
			{Payload: []byte("before")},
			{Payload: make([]byte, limit+1)},
			{Payload: []byte("x"), Key: strings.Repeat("k", limit)},
			{Payload: []byte("after")},
		} {
			l.must(p.SendAsync(l.soon(), out, func(r danube.Receipt, err error) {
				results <- err
				attempts <- r.Attempts
			}))
		}
		l.must(<-results)
		l.want(<-results, danube.ErrTooLarge, "4194304", "4194305")
		l.want(<-results, danube.ErrTooLarge, "4194304")
		l.must(<-results)
		for i, want := range []int{1, 0, 0, 1} { // what is too large is not even sent
			if n := <-attempts; n != want {
				l.Errorf("message %d: %d attempts, want %d", i, n, want)
			}
		}
		l.ack(con, l.receive(con, "before", "after")...)
		// The largest one that the client lets through is taken, and comes through.
		_, err := p.Send(l.soon(), &danube.Outgoing{Payload: make([]byte, limit-2048)})
		l.must(err)
		m, err := con.Receive(l.soon())
		l.must(err)
		if len(m.Payload) != limit-2048 {
			l.Errorf("%d bytes came", len(m.Payload))
		}
		l.ack(con, m)
	})
}

func TestRefusedMessageFailsAlone(t *testing.T) {
	refusals := map[string]struct{ err, reason error }{
		"policy": {status.Error(codes.InvalidArgument, "Message size 9 exceeds maximum allowed 8 bytes"), danube.ErrTooLarge},
		"limit":  {status.Error(codes.OutOfRange, "decoded message length too large"), danube.ErrTooLarge},
		"schema": {status.Error(codes.PermissionDenied, "Unable to publish the message: Schema ID 3 is not known"), danube.ErrSchema},
	}
	for name, tt := range refusals {
		t.Run(name, func(t *testing.T) {
			embedded(t, func(l *lab) {
				topic := l.topic()
				p := l.producer(l.open(), topic)
				l.broker.Fault(danubetest.Fault{Methods: sends, Err: tt.err})
				r, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte("a")})
				l.want(err, tt.reason, topic)
				if r.Attempts != 1 {
					l.Errorf("receipt: %+v", r)
				}
				l.send(p, "b")
				l.broker.CheckPayloads(l, topic, "b")
				l.must(p.Close(l.soon()))
			})
		})
	}
}

// What nobody can repair ends the producer as a whole, and everything that waits.
func TestFatalPublish(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic := l.topic()
		p := l.producer(l.open(), topic, func(c *danube.ProducerConfig) { c.OnSession = events.add })
		l.broker.Fault(danubetest.Fault{Methods: sends, Delay: time.Second, Err: status.Error(codes.PermissionDenied, "no binding grants Produce")})
		var failed atomic.Int32
		for range 5 {
			l.must(p.SendAsync(l.soon(), &danube.Outgoing{}, func(_ danube.Receipt, err error) {
				if errors.Is(err, danube.ErrPermission) {
					failed.Add(1)
				}
			}))
		}
		l.pass(2 * time.Second)
		if n := failed.Load(); n != 5 {
			l.Errorf("%d of 5 were told why", n)
		}
		_, err := p.Send(l.soon(), &danube.Outgoing{})
		l.want(err, danube.ErrPermission)
		l.want(p.Close(l.soon()), danube.ErrNotSent, "4 messages")
		events.wantStates(l, topic, danube.Ready, danube.Failed)
	})
}

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
