package danube_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// Over a restart of the broker nothing is lost, what the application has comes once,
// and what it acknowledged does not come again.
func TestConsumerOverRestart(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		p := l.producer(client, topic)
		l.send(p, series("m", 8)...)
		list := l.receive(con, series("m", 8)...)
		l.ack(con, list[0], list[1], list[3])
		l.must(con.Ack(list[4]))
		l.broker.Stop()
		l.must(con.Ack(list[2])) // waits for the broker
		l.pass(20 * time.Second)
		l.must(l.broker.Start())
		l.must(con.Ack(list[6]))
		l.must(con.Ack(list[7])) // waits for m-5
		l.must(con.Flush(l.soon()))
		l.send(p, "next")
		next := l.receive(con, "next")[0]
		l.ack(con, next, list[5])
		l.silent(con, time.Minute)
		l.broker.CheckNoUnacked(l, topic, "s")
		events.wantStates(l, topic, danube.Ready, danube.Connecting, danube.Ready)
	})
}

// However a stream ends, another follows, and nothing is lost or handed out twice.
func TestStreamEnds(t *testing.T) {
	for _, end := range []danubetest.StreamEnd{danubetest.StreamEOF, danubetest.StreamUnavailable, danubetest.StreamInternal} {
		t.Run(end.String(), func(t *testing.T) {
			embedded(t, func(l *lab) {
				var events sessions
				topic, client := l.topic(), l.open()
				con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
				p := l.producer(client, topic)
				l.send(p, "a", "b")
				a := l.receive(con, "a", "b")
				if n := l.broker.DropStreams(end); n != 1 {
					l.Fatalf("%d streams ended", n)
				}
				l.send(p, "c")
				l.ack(con, append(l.receive(con, "c"), a...)...)
				l.silent(con, time.Minute)
				l.broker.CheckNoUnacked(l, topic, "s")
				events.wantStates(l, topic, danube.Ready, danube.Connecting, danube.Ready)
			})
		})
	}
}

// A stream that breaks in the middle, again and again.
func TestStreamEndsAtDeliveries(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprint("the message goes out: ", after), func(t *testing.T) {
			embedded(t, func(l *lab) {
				topic, client := l.topic(), l.open()
				con := l.consumer(client, topic)
				p := l.producer(client, topic)
				l.broker.Fault(danubetest.Fault{EndStream: danubetest.StreamUnavailable, AfterApply: after, Skip: 3, Count: 5})
				l.post(p, series("m", 30)...)
				for _, m := range series("m", 30) {
					l.must(con.Ack(l.receive(con, m)[0]))
				}
				l.must(con.Flush(l.soon()))
				l.silent(con, time.Minute)
				l.broker.CheckNoUnacked(l, topic, "s")
			}, danubetest.WithFailurePolicy("", danubetest.FailurePolicy{MaxRedeliveries: 100}))
		})
	}
}

// A broker that says CLOSE has lost the consumer though its stream is silent and open.
func TestHealthCloseForConsumer(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		p := l.producer(client, topic)
		l.send(p, "a")
		a := l.receive(con, "a")
		l.broker.Fault(danubetest.HealthClose("c"))
		l.pass(6 * time.Second)
		events.wantStates(l, topic, danube.Ready, danube.Connecting, danube.Ready)
		l.send(p, "b")
		l.ack(con, append(a, l.receive(con, "b")...)...)
		l.broker.CheckNoUnacked(l, topic, "s")
	})
}

// Health checks go on for as long as the session lasts.
func TestHealthChecksGoOn(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		f := danubetest.HealthClose("c")
		f.Skip = 9
		l.broker.Fault(f)
		l.pass(55 * time.Second)
		events.wantStates(l, topic, danube.Ready, danube.Connecting, danube.Ready)
	})
}

// A session that lasted makes the waits between attempts begin anew.
func TestBackoffOfConsumerBeginsAnew(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		for range 10 {
			l.pass(15 * time.Second)
			l.broker.DropStreams(danubetest.StreamUnavailable)
			l.pass(160 * time.Millisecond)
			if got := events.of(topic); got[len(got)-1] != danube.Ready {
				l.Fatalf("160 ms after the stream broke: %v", got)
			}
		}
	})
}

// A stream that the broker refuses is no session.
func TestRefusedStream(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		l.producer(client, topic)
		l.broker.Fault(danubetest.Fault{
			Methods: []danubetest.Method{danubetest.MethodReceiveMessages}, Count: 2,
			Err: status.Error(codes.NotFound, "The consumer with the id 7 does not exist"),
		})
		l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		events.wantStates(l, topic, danube.Connecting, danube.Ready)
	})
}

// Without the permission to receive there is nothing to try again.
func TestReceiveForbidden(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		l.producer(client, topic)
		l.broker.Fault(danubetest.Fault{
			Methods: []danubetest.Method{danubetest.MethodReceiveMessages},
			Err:     status.Error(codes.PermissionDenied, "no binding grants Consume on the cluster"),
		})
		_, err := client.NewConsumer(l.soon(), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"})
		l.want(err, danube.ErrPermission, "no binding grants", topic)
	})
}

// An ack that is refused for good would let the window fill up in silence.
func TestAckForbidden(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		l.send(l.producer(client, topic), "a")
		l.broker.Fault(danubetest.Fault{
			Methods: []danubetest.Method{danubetest.MethodAck},
			Err:     status.Error(codes.PermissionDenied, "no binding grants Consume on the cluster"),
		})
		l.must(con.Ack(l.receive(con, "a")[0]))
		_, err := con.Receive(l.soon())
		l.want(err, danube.ErrPermission)
		l.want(con.Err(), danube.ErrPermission)
		<-con.Done()
		l.must(con.Close(l.soon()))
		events.wantStates(l, topic, danube.Ready, danube.Failed)
	})
}

// Acks that fail are sent again, whether the broker has applied them or not.
func TestAckFailures(t *testing.T) {
	faults := map[string]danubetest.Fault{
		"lost":               danubetest.AckLost("s"),
		"applied but failed": danubetest.AckAppliedButFailed("s"),
		"no answer":          {Methods: []danubetest.Method{danubetest.MethodAck}, Hang: true},
		"other error":        {Methods: []danubetest.Method{danubetest.MethodAck}, Err: status.Error(codes.Internal, "Error acknowledging message: disk on fire")},
		"topic moved":        {Methods: []danubetest.Method{danubetest.MethodAck}, Err: status.Error(codes.Internal, "Error acknowledging message: Topic x not found in registry")},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			embedded(t, func(l *lab) {
				topic, client := l.topic(), l.open(func(c *danube.Config) { c.Timeouts.Ack = 2 * time.Second })
				con := l.consumer(client, topic)
				p := l.producer(client, topic)
				f.Count = 4
				l.broker.Fault(f)
				l.post(p, series("m", 20)...)
				for _, m := range series("m", 20) {
					l.must(con.Ack(l.receive(con, m)[0]))
				}
				l.must(con.Flush(l.soon()))
				l.broker.CheckNoUnacked(l, topic, "s")
				l.silent(con, time.Minute)
			})
		})
	}
}

// Acks that hang on a session that is gone do not keep back those of the next one.
func TestAcksEndWithTheirSession(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		l.send(l.producer(client, topic), series("m", 10)...)
		hang := l.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodAck}, Hang: true, Count: 9})
		for _, m := range l.receive(con, series("m", 10)...) {
			l.must(con.Ack(m))
		}
		l.must(hang.Wait(l.soon(), 9))
		l.broker.DropStreams(danubetest.StreamUnavailable)
		start := time.Now()
		l.must(con.Flush(l.soon()))
		if d := time.Since(start); d > 3*time.Second {
			l.Errorf("it took %v", d)
		}
		l.broker.CheckNoUnacked(l, topic, "s")
		hang.Remove()
	})
}

// The topic is deleted and made again: numbering starts at 0 and nothing of the old
// topic can be acknowledged any more.
func TestNumberingStartsAgain(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		p := l.producer(client, topic)
		l.send(p, "a", "b", "c")
		old := l.receive(con, "a", "b", "c")
		l.ack(con, old[0])
		l.must(con.Ack(old[2])) // waits for b
		l.must(l.broker.DeleteTopic(topic))
		l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
		l.pass(10 * time.Second) // the consumer is back
		l.send(p, "d")
		d := l.receive(con, "d")[0]
		if d.Offset != 0 {
			l.Fatalf("d is at offset %d", d.Offset)
		}
		l.want(con.Ack(old[1]), danube.ErrInvalid)
		l.want(con.Nack(l.soon(), old[1], 0, ""), danube.ErrInvalid)
		l.ack(con, d)
		l.send(p, "e")
		l.ack(con, l.receive(con, "e")...)
		l.broker.CheckNoUnacked(l, topic, "s")
		events.check(l)
	})
}

// Flush does not wait for acks that nobody can send any more.
func TestFlushOverANewEpoch(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		p := l.producer(client, topic)
		l.send(p, "a", "b")
		list := l.receive(con, "a", "b")
		lost := l.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodAck}, Err: status.Error(codes.Unavailable, ""), Count: -1})
		l.must(con.Ack(list[0]))
		l.must(con.Ack(list[1]))
		flushed := make(chan error, 1)
		go func() { flushed <- con.Flush(l.within(time.Minute)) }()
		l.must(l.broker.DeleteTopic(topic))
		l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
		l.pass(10 * time.Second)
		l.send(p, "c")
		l.receive(con, "c")
		l.must(<-flushed)
		lost.Remove()
	})
}

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
