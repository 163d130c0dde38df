package danube_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// In real time, over ports: many producers and consumers at once, the broker stopped
// and started under them, everything comes and no goroutine is left.
func TestManyOverTCP(t *testing.T) {
	overTCP(t, func(l *lab) {
		const topics, parts, each = 3, 3, 300
		client := l.open(func(c *danube.Config) { c.BackoffMax = 200 * time.Millisecond })
		var wg sync.WaitGroup
		half := make(chan struct{}, topics)
		for range topics {
			topic := l.topic()
			l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{Partitions: parts}))
			con := l.consumer(client, topic)
			p := l.producer(client, topic)
			wg.Go(func() {
				for i := range each {
					err := p.SendAsync(l.soon(), &danube.Outgoing{Payload: []byte(fmt.Sprint(i))}, func(_ danube.Receipt, err error) {
						if err != nil {
							l.Error(err)
						}
					})
					if err != nil {
						l.Error(err)
					}
				}
			})
			wg.Go(func() {
				got := map[string]bool{}
				for len(got) < each {
					m, err := con.Receive(l.soon())
					if err != nil {
						l.Error(err)
						return
					}
					got[string(m.Payload)] = true
					if err := con.Ack(m); err != nil {
						l.Error(err)
					}
					if len(got) == each/2 {
						half <- struct{}{}
					}
				}
				if err := con.Flush(l.soon()); err != nil {
					l.Error(err)
				}
			})
		}
		<-half
		l.broker.Stop()
		l.must(l.broker.Start())
		wg.Wait()
		l.must(client.Close(l.soon()))
	})
}

// A broker that is gone for good keeps nobody: everything ends with the context of
// Close, and all goroutines with it.
func TestCloseOverTCPWithTheBrokerDown(t *testing.T) {
	overTCP(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con, p := l.consumer(client, topic), l.producer(client, topic)
		l.send(p, "a")
		a := l.receive(con, "a")[0]
		l.broker.Stop()
		l.must(con.Ack(a))
		l.must(p.SendAsync(l.soon(), &danube.Outgoing{}, func(_ danube.Receipt, err error) {
			if !errors.Is(err, danube.ErrNotSent) && !errors.Is(err, danube.ErrOutcomeUnknown) {
				l.Errorf("got %v", err)
			}
		}))
		if err := client.Close(l.within(300 * time.Millisecond)); err == nil {
			l.Error("Close says that all is well")
		}
	})
}

// Calls from many goroutines on one producer and one consumer, closed in the middle.
func TestCloseUnderLoad(t *testing.T) {
	overTCP(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con, p := l.consumer(client, topic), l.producer(client, topic)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					if _, err := p.Send(context.Background(), &danube.Outgoing{Payload: []byte("x")}); err != nil {
						if !errors.Is(err, danube.ErrClosed) {
							l.Error(err)
						}
						return
					}
				}
			})
			wg.Go(func() {
				for {
					m, err := con.Receive(context.Background())
					if err != nil {
						if !errors.Is(err, danube.ErrClosed) {
							l.Error(err)
						}
						return
					}
					_ = con.Ack(m) // may be closed by now
				}
			})
			wg.Go(func() { _ = con.Flush(l.soon()) })
		}
		l.must(l.broker.WaitAcked(l.soon(), topic, "s", 100))
		l.must(p.Close(l.soon()))
		l.must(con.Close(l.soon()))
		wg.Wait()
	})
}
