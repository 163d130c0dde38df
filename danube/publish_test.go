package danube_test

import (
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

// A partition that is full is passed over: messages without a key go to the others, those
// with its keys wait.
func TestFullPartitionIsPassedOver(t *testing.T) {
	embedded(t, func(l *lab) {
		topic := l.topic()
		p := l.producer(l.open(), topic, func(c *danube.ProducerConfig) { c.Partitions, c.MaxPending = 3, 4 })
		hang := l.broker.Fault(danubetest.Fault{Methods: sends, Topic: topic + "-part-1", Hang: true, Count: -1})
		var done [3]atomic.Int32
		for range 300 {
			l.must(p.SendAsync(l.soon(), &danube.Outgoing{Payload: []byte("m")}, func(r danube.Receipt, err error) {
				if err != nil {
					l.Errorf("partition %d: %v", r.Partition, err)
				}
				done[r.Partition].Add(1)
			}))
			l.pass(time.Millisecond)
		}
		if a, b, c := done[0].Load(), done[1].Load(), done[2].Load(); b != 0 || a+c != 295 || a < 140 || c < 140 {
			l.Errorf("%d, %d and %d messages are published", a, b, c) // one is under way, four wait
		}
		// The key "a" belongs to partition 1.
		l.want(p.SendAsync(l.within(time.Second), &danube.Outgoing{Key: "a"}, func(danube.Receipt, error) {}), danube.ErrNotSent)
		hang.Remove()
		l.must(p.Close(l.within(5 * time.Minute)))
		if n := done[1].Load(); n != 5 {
			l.Errorf("%d messages of the full partition are published, want 5", n)
		}
	})
}
