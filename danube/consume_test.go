package danube_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// Bursts that just fill the broker's window, each followed by quiet: the acks all go
// out, so that nothing of them comes again, to the next consumer or after a restart.
func TestBurstsLeaveNothingUnacked(t *testing.T) {
	scenario := func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		p := l.producer(client, topic)
		quiet := 20 * time.Millisecond
		if l.broker != nil {
			quiet = 700 * time.Millisecond // it looks at its subscriptions twice a second, and time costs nothing
		}
		for b := range 1000 {
			want := series(fmt.Sprint(b), 10)
			l.post(p, want...)
			list := l.receive(con, want...)
			rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			l.ack(con, list...)
			l.pass(quiet)
			if b%100 == 99 {
				l.pass(2 * time.Second)
				l.must(con.Close(l.soon()))
				con = l.consumer(client, topic)
				l.silent(con, time.Second)
			}
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
	t.Run("embedded", func(t *testing.T) { embedded(t, scenario) })
	t.Run("parking", func(t *testing.T) { embedded(t, scenario, danubetest.WithTraps(danubetest.TrapParked)) })
	t.Run("real", func(t *testing.T) { onReal(t, scenario) })
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
