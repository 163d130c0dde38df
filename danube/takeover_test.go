package danube_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// A second consumer of the name takes over without a gap. The first yields and does
// not come back.
func TestTakeover(t *testing.T) {
	onBoth(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		p := l.producer(client, topic)
		first := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		l.send(p, "a", "b")
		list := l.receive(first, "a", "b")
		l.ack(first, list[0])
		second := l.consumer(l.open(), topic)
		l.ack(second, l.receive(second, "b")...)
		_, err := first.Receive(l.soon())
		l.want(err, danube.ErrTakenOver, topic)
		l.want(first.Err(), danube.ErrTakenOver)
		<-first.Done()
		l.pass(3 * time.Second)
		l.send(p, "c", "d")
		l.ack(second, l.receive(second, "c", "d")...)
		if err := second.Err(); err != nil {
			l.Errorf("the second one has failed: %v", err)
		}
		l.must(first.Close(l.soon()))
		events.wantStates(l, topic, danube.Ready, danube.Failed)
	})
}

// Behind a proxy the question whether it is one goes to the broker that ended the stream.
func TestTakeoverBehindAProxy(t *testing.T) {
	embedded(t, func(l *lab) {
		topic := l.topic()
		first := l.consumer(l.open(), topic)
		second := l.consumer(l.open(), topic)
		_, err := first.Receive(l.soon())
		l.want(err, danube.ErrTakenOver, topic)
		l.pass(20 * time.Second)
		if err := second.Err(); err != nil {
			l.Errorf("the second one has failed: %v", err)
		}
		if n := len(l.broker.Calls(func(c danubetest.Call) bool { return c.Method == danubetest.MethodSubscribe })); n != 2 {
			l.Errorf("%d times subscribed, want 2", n)
		}
	}, danubetest.WithProxy(), danubetest.WithBrokers(3))
}

// A broker that ends the stream and forgets the consumer a moment later has moved the
// topic: that is no takeover.
func TestMoveIsNoTakeover(t *testing.T) {
	withBrokers(t, func(n *network) {
		b := n.brokers["seed:1"]
		var streams, checks atomic.Int32
		b.receive = func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
			if streams.Add(1) > 1 {
				<-s.Context().Done()
			}
			return nil
		}
		b.health = func() danubepb.HealthCheckResponse_ClientStatus {
			if checks.Add(1) == 2 {
				return danubepb.HealthCheckResponse_CLOSE
			}
			return danubepb.HealthCheckResponse_OK
		}
		con := n.consumer(n.open(), "/default/t")
		n.pass(time.Minute)
		if err := con.Err(); err != nil || streams.Load() != 2 {
			n.Errorf("after %d streams: %v", streams.Load(), err)
		}
	}, "seed:1")
}

// Two partitions, one of which fails: the consumer as a whole does, and says so for
// each.
func TestFailureOfOnePartition(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{Partitions: 2}))
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		l.must(l.broker.Takeover(topic+"-part-1", "s", "c"))
		_, err := con.Receive(l.soon())
		l.want(err, danube.ErrTakenOver, topic+"-part-1")
		l.must(con.Close(l.soon()))
		events.wantStates(l, topic+"-part-0", danube.Ready, danube.Failed)
		events.wantStates(l, topic+"-part-1", danube.Ready, danube.Failed)
	})
}

// A broker too busy to answer a health check has not said that the stream's end was
// no takeover: taking the subscription back on a guess would begin a fight.
func TestTakeoverOfABusyBroker(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open(func(c *danube.Config) { c.Timeouts.Health = time.Second })
		con := l.consumer(client, topic)
		l.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodHealthCheck}, When: func(c danubetest.Call) bool { return c.Consumer == "c" }, Hang: true, Count: 2})
		l.must(l.broker.Takeover(topic, "s", "c"))
		_, err := con.Receive(l.soon())
		l.want(err, danube.ErrTakenOver)
		if n := len(l.broker.Calls(func(c danubetest.Call) bool { return c.Method == danubetest.MethodSubscribe })); n != 1 {
			l.Errorf("%d times subscribed", n)
		}
	})
}

// Another name holds the Exclusive subscription: the consumer waits, and says why.
func TestExclusiveIsHeld(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		l.consumer(client, topic)
		var events sessions
		_, err := client.NewConsumer(l.within(2*time.Second), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "other", OnSession: events.add})
		l.want(err, danube.ErrPermission, "Exclusive", "deadline")
		if !errors.Is(err, context.DeadlineExceeded) {
			l.Errorf("%v does not show the context's own error", err)
		}
		events.wantStates(l, topic, danube.Connecting, danube.Failed)
	})
}

// It gets in once the holder is forgotten, as after a restart.
func TestExclusiveIsHeldForATime(t *testing.T) {
	embedded(t, func(l *lab) {
		topic := l.topic()
		first := l.consumer(l.open(), topic)
		go func() {
			l.pass(10 * time.Second)
			if err := first.Close(l.soon()); err != nil {
				l.Error(err)
			}
			l.broker.Stop()
			if err := l.broker.Start(); err != nil {
				l.Error(err)
			}
		}()
		l.consumer(l.open(), topic, func(c *danube.ConsumerConfig) { c.Name = "other" })
	})
}

func TestSharedConsumersDivide(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		shared := func(name string) *danube.Consumer {
			return l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.Type, c.Name = danube.Shared, name })
		}
		a, b := shared("a"), shared("b")
		p := l.producer(client, topic)
		l.send(p, series("m", 4)...)
		seen := map[string]string{}
		for name, con := range map[string]*danube.Consumer{"a": a, "b": b} {
			for range 2 {
				m, err := con.Receive(l.soon())
				l.must(err)
				seen[string(m.Payload)] = name
				l.must(con.Ack(m))
			}
			l.must(con.Flush(l.soon()))
		}
		if len(seen) != 4 {
			l.Errorf("got %v", seen)
		}
		// What one leaves unacknowledged the other gets.
		l.send(p, series("n", 2)...)
		m, err := a.Receive(l.soon())
		l.must(err)
		l.must(a.Close(l.soon()))
		got := map[string]*danube.Message{}
		for range 2 {
			m, err := b.Receive(l.soon())
			l.must(err)
			got[string(m.Payload)] = m
		}
		for _, m := range got { // both are here: a real broker that gets the ack of the highest first forgets the other until the next publish
			l.must(b.Ack(m))
		}
		l.must(b.Flush(l.soon()))
		if got[string(m.Payload)] == nil || len(got) != 2 {
			l.Errorf("b got %v", got)
		}
	})
}
