package danube_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// Bursts that just fill the broker's window, each followed by quiet: the acks all go
// out, so that nothing of them comes again, to the next consumer or after a restart.
func TestBurstsLeaveNothingUnacked(t *testing.T) {
	scenario := func(l *lab, bursts int) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		p := l.producer(client, topic)
		for b := range bursts {
			want := series(fmt.Sprint(b), 10)
			l.post(p, want...)
			list := l.receive(con, want...)
			rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			l.ack(con, list...)
		}
		if l.broker != nil {
			l.broker.CheckNoUnacked(l, topic, "s")
			l.broker.Stop()
			l.must(l.broker.Start())
			l.silent(con, time.Minute)
		}
		l.must(con.Close(l.soon()))
		con = l.consumer(client, topic)
		l.silent(con, 2*time.Second)
		l.send(p, "next")
		l.ack(con, l.receive(con, "next")...)
	}
	t.Run("embedded", func(t *testing.T) { embedded(t, func(l *lab) { scenario(l, 1000) }) })
	t.Run("real", func(t *testing.T) { onReal(t, func(l *lab) { scenario(l, 100) }) })
}

// Whatever breaks, and however often: every message comes, none while it is in work
// or after it was acknowledged, and per partition in order.
func TestChaos(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			embedded(t, func(l *lab) { chaos(l, rand.New(rand.NewPCG(seed, 1))) },
				danubetest.WithMaxUnacked(5+int(seed)*7), danubetest.WithFailurePolicy("", danubetest.FailurePolicy{MaxRedeliveries: 1000}))
		})
	}
}

func chaos(l *lab, rnd *rand.Rand) {
	const n, parts = 600, 2
	var events sessions
	topic, client := l.topic(), l.open(func(c *danube.Config) { c.Timeouts.Ack, c.Timeouts.Send = 3*time.Second, 3*time.Second })
	l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{Partitions: parts}))
	con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession, c.MaxQueued = events.add, 7 })
	p := l.producer(client, topic)
	methods := []danubetest.Method{danubetest.MethodSendMessage, danubetest.MethodAck, danubetest.MethodSubscribe, danubetest.MethodReceiveMessages,
		danubetest.MethodTopicLookup, danubetest.MethodCreateProducer, danubetest.MethodHealthCheck}
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func(rnd *rand.Rand) {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(rnd.IntN(3000)) * time.Millisecond):
			}
			m := methods[rnd.IntN(len(methods))]
			f := danubetest.Fault{Methods: []danubetest.Method{m}, Optional: true, AfterApply: rnd.IntN(2) == 0, Count: 1 + rnd.IntN(3)}
			switch rnd.IntN(6) {
			case 0:
				l.broker.DropStreams([]danubetest.StreamEnd{danubetest.StreamUnavailable, danubetest.StreamInternal, danubetest.StreamEOF}[rnd.IntN(3)])
			case 1:
				l.broker.CloseClient([]string{"c", "p-0", "p-1"}[rnd.IntN(3)])
			case 2:
				l.broker.Stop()
				<-time.After(time.Duration(rnd.IntN(5000)) * time.Millisecond)
				if err := l.broker.Start(); err != nil {
					l.Error(err)
				}
			case 3:
				f.Hang = true
				h := l.broker.Fault(f)
				<-time.After(time.Duration(rnd.IntN(4000)) * time.Millisecond)
				h.Remove()
			case 4:
				l.broker.Fault(danubetest.Fault{EndStream: danubetest.StreamUnavailable, AfterApply: rnd.IntN(2) == 0, Skip: rnd.IntN(20), Optional: true})
			default:
				f.Err = status.Error(codes.Unavailable, "chaos")
				l.broker.Fault(f)
			}
		}
	}(rand.New(rand.NewPCG(rnd.Uint64(), 2)))
	receipts := make(chan danube.Receipt, n)
	for i := range n {
		l.must(p.SendAsync(context.Background(), &danube.Outgoing{Payload: []byte(fmt.Sprint(i)), Key: fmt.Sprint(i % 5)}, func(r danube.Receipt, err error) {
			if err != nil {
				l.Error(err)
			}
			receipts <- r
		}))
	}

	seen := map[danube.ID]bool{}
	payloads := map[string]int{}
	next := map[string]uint64{}
	var hand []*danube.Message
	var copies atomic.Int32 // of ambiguous publishes
	for len(payloads) < n {
		if len(hand) > 0 && (len(hand) == 4 || rnd.IntN(3) == 0) {
			i := rnd.IntN(len(hand))
			l.must(con.Ack(hand[i]))
			hand = append(hand[:i], hand[i+1:]...)
			continue
		}
		m, err := con.Receive(l.within(5 * time.Minute))
		l.must(err)
		if seen[m.ID()] {
			l.Fatalf("%+v comes again", m.ID())
		}
		seen[m.ID()] = true
		if m.Offset != next[m.WireTopic] {
			l.Fatalf("%s: offset %d, want %d", m.WireTopic, m.Offset, next[m.WireTopic])
		}
		next[m.WireTopic]++
		if payloads[string(m.Payload)]++; payloads[string(m.Payload)] > 1 {
			copies.Add(1)
		}
		hand = append(hand, m)
	}
	close(stop)
	<-stopped
	for _, m := range hand {
		l.must(con.Ack(m))
	}
	l.must(p.Close(l.within(time.Minute)))
	l.must(con.Flush(l.within(5 * time.Minute)))
	ambiguous := 0
	for range n {
		if r := <-receipts; r.Ambiguous {
			ambiguous += r.Attempts - 1
		}
	}
	if int(copies.Load()) > ambiguous {
		l.Errorf("%d messages came twice, and only %d publishes were ambiguous", copies.Load(), ambiguous)
	}
	for {
		m, err := con.Receive(l.within(time.Minute))
		if err != nil {
			break
		}
		if seen[m.ID()] || payloads[string(m.Payload)] == 0 {
			l.Errorf("%+v comes again", m.ID())
		}
		l.ack(con, m) // the second copy of an ambiguous publish
	}
	l.broker.CheckNoUnacked(l, topic, "s")
	events.check(l)
}

// An application that does not receive stops the reading, at both bounds, and loses
// nothing.
func TestReadingStopsWhenNobodyReceives(t *testing.T) {
	bounds := map[string]func(*danube.ConsumerConfig){
		"by number": func(c *danube.ConsumerConfig) { c.MaxQueued = 3 },
		"by bytes":  func(c *danube.ConsumerConfig) { c.MaxQueuedBytes = 300 },
	}
	for name, bound := range bounds {
		t.Run(name, func(t *testing.T) {
			embedded(t, func(l *lab) {
				topic, client := l.topic(), l.open()
				con := l.consumer(client, topic, bound)
				p := l.producer(client, topic)
				payload := make([]byte, 100)
				for range 40 {
					_, err := p.Send(l.soon(), &danube.Outgoing{Payload: payload})
					l.must(err)
				}
				l.pass(10 * time.Second)
				for i := range 40 {
					m, err := con.Receive(l.soon())
					l.must(err)
					if m.Offset != uint64(i) {
						l.Fatalf("offset %d, want %d", m.Offset, i)
					}
					l.must(con.Ack(m))
				}
				l.must(con.Flush(l.soon()))
			}, danubetest.WithMaxUnacked(100))
		})
	}
}

// What waits for Receive when the consumer closes is for the next consumer: nobody
// could acknowledge it here.
func TestCloseHandsNothingOut(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		p := l.producer(client, topic)
		l.send(p, "a", "b", "c")
		a := l.receive(con, "a")[0]
		l.must(con.Ack(a))
		l.must(con.Close(l.soon()))
		_, err := con.Receive(l.soon())
		l.want(err, danube.ErrClosed)
		con = l.consumer(client, topic)
		l.ack(con, l.receive(con, "b", "c")...)
	})
}

// Close sends the acks that were given before it, and a message in work does not
// keep it waiting.
func TestCloseSendsAcks(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		p := l.producer(client, topic)
		l.send(p, series("m", 8)...)
		list := l.receive(con, series("m", 8)...)
		for _, m := range append(list[:5], list[6]) { // m-5 and m-7 stay in work
			l.must(con.Ack(m))
		}
		start := time.Now()
		l.must(con.Close(l.soon()))
		if d := time.Since(start); d > time.Second {
			l.Errorf("it took %v", d)
		}
		con = l.consumer(client, topic)
		l.ack(con, l.receive(con, "m-5", "m-7")...)
		l.silent(con, time.Second)
	})
}

// The ack of the newest message waits for the older ones, or until there is a newer
// one.
func TestAckOfTheNewestWaits(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		p := l.producer(client, topic)
		l.send(p, "a", "b")
		list := l.receive(con, "a", "b")
		l.ack(con, list[1]) // Flush does not wait for it
		l.pass(time.Second)
		acked := func() int {
			info, _ := l.broker.Subscription(topic, "s")
			return info.Acked
		}
		if n := acked(); n != 0 {
			l.Errorf("%d acks came", n)
		}
		l.send(p, "c")
		c := l.receive(con, "c")[0]
		l.pass(time.Second)
		if n := acked(); n != 1 {
			l.Errorf("%d acks came, want that of b", n)
		}
		l.ack(con, c, list[0])
		if n := acked(); n != 3 {
			l.Errorf("%d acks came, want all", n)
		}
	})
}

func TestCloseOfAConsumerWithTheBrokerDown(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		other := l.topic()
		idle, busy := l.consumer(client, topic), l.consumer(client, other)
		p := l.producer(client, other)
		l.send(p, "a")
		a := l.receive(busy, "a")[0]
		l.broker.Stop()
		l.pass(time.Second)
		l.must(idle.Close(context.Background()))
		l.must(busy.Ack(a))
		start := time.Now()
		l.want(busy.Close(l.within(3*time.Second)), danube.ErrOutcomeUnknown, "acks", other)
		if d := time.Since(start); d != 3*time.Second {
			l.Errorf("Close took %v, want the 3 s of its context", d)
		}
	})
}

// A Handler that blocks keeps Close waiting until its context ends, not longer, and
// one that watches Done keeps nobody waiting.
func TestCloseWithABlockedHandler(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		free, calls := make(chan struct{}), 0
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) {
			c.Handler = func(*danube.Message) {
				calls++
				<-free
			}
		})
		p := l.producer(client, topic)
		l.send(p, "a", "b")
		l.pass(time.Second)
		start := time.Now()
		l.want(con.Close(l.within(2*time.Second)), context.DeadlineExceeded, "Handler", topic)
		if d := time.Since(start); d != 2*time.Second {
			l.Errorf("Close took %v", d)
		}
		close(free)
		l.pass(time.Second)
		if calls != 1 {
			l.Errorf("the Handler was called %d times, want once", calls)
		}

		var watching *danube.Consumer
		got := make(chan *danube.Message) // nobody takes them
		ready := make(chan struct{})
		watching = l.consumer(client, topic, func(c *danube.ConsumerConfig) {
			c.Handler = func(m *danube.Message) {
				<-ready
				select {
				case got <- m:
				case <-watching.Done():
				}
			}
		})
		close(ready)
		l.pass(time.Second)
		l.must(watching.Close(context.Background()))
	})
}

// A Handler that blocks keeps its own partition back and no other, and acks go out.
func TestHandlerBlocksOnePartition(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{Partitions: 2}))
		free, got := make(chan struct{}), make(chan *danube.Message, 10)
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) {
			c.Handler = func(m *danube.Message) {
				if m.Partition == 0 {
					<-free
				}
				got <- m
			}
		})
		p := l.producer(client, topic)
		l.send(p, "0", "1", "0", "1")
		for range 2 {
			m := <-got
			if m.Partition != 1 {
				l.Fatalf("partition %d got on", m.Partition)
			}
			l.must(con.Ack(m))
		}
		l.must(con.Flush(l.soon()))
		close(free)
		for range 2 {
			l.must(con.Ack(<-got))
		}
		l.must(con.Close(l.soon()))
		l.broker.CheckNoUnacked(l, topic, "s")
	})
}

func TestPause(t *testing.T) {
	onBoth(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		p := l.producer(client, topic)
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		l.send(p, "a", "b")
		list := l.receive(con, "a", "b")
		con.Pause()
		con.Pause()
		l.pass(time.Second)
		l.must(con.Ack(list[0]))
		l.must(con.Flush(l.soon())) // nothing can be sent
		l.send(p, "c")
		l.silent(con, 2*time.Second)
		con.Resume()
		con.Resume()
		l.ack(con, append(l.receive(con, "c"), list[1])...)
		l.silent(con, time.Second)
		con.Pause()
		l.pass(time.Second)
		l.must(con.Close(l.soon()))
		events.wantStates(l, topic, danube.Ready, danube.Connecting, danube.Ready, danube.Connecting)
		con = l.consumer(client, topic)
		l.silent(con, time.Second)
		if l.broker != nil {
			l.broker.CheckNoUnacked(l, topic, "s")
		}
	})
}
