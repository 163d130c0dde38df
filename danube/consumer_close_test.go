package danube_test

import (
	"context"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

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
