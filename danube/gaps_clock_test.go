package danube_test

import (
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// A producer whose clock is behind, or that gives its messages the times of events long
// ago, keeps no loss from being reported.
func TestGapsOfMessagesWithOldTimes(t *testing.T) {
	embedded(t, func(l *lab) {
		var seen anomalies
		topic := l.topic()
		con := l.consumer(l.open(), topic, func(c *danube.ConsumerConfig) { c.OnAnomaly, c.MaxQueued = seen.add, 5 })
		publish := func(n int) {
			for range n {
				_, err := l.broker.Publish(topic, []byte("x"), danubetest.PubOpts{PublishTime: time.Unix(1e8, 0)})
				l.must(err)
			}
		}
		publish(3)
		for range 3 {
			l.ack(con, l.receive(con, "x")...)
		}
		l.pass(time.Minute)
		const n = 1000
		publish(n)
		l.pass(time.Second)
		got := 0
		for {
			m, err := con.Receive(l.within(time.Minute))
			if err != nil {
				break
			}
			l.must(con.Ack(m))
			got++
		}
		missing := 0
		publish(1) // shows what is missing before it
		l.receive(con, "x")
		seen.mu.Lock()
		defer seen.mu.Unlock()
		for _, a := range seen.list {
			if a.Kind == danube.GapFound {
				missing += int(a.To - a.From + 1)
			}
		}
		if got == n || got+missing != n {
			t.Errorf("of %d, %d came and %d were reported missing", n, got, missing)
		}
	}, danubetest.WithTraps(danubetest.TrapTail))
}
