package connect

import (
	"slices"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// Dead letters that nobody has read yet are still there when their topic has moved: the
// broker has a cursor for their subscription.
func TestSinkDeadLettersSurviveAMove(t *testing.T) {
	onTraps(t, func(t *testing.T, l *lab) {
		l.cursors = true
		topic := l.topic("t", 0)
		r := l.sink(fails("bad", InvalidDataf("no")), l.deadTopic)
		l.pause(20 * time.Second)
		l.publish(topic, "1", "bad", "2")
		l.until("all acked", func() bool { return l.acked() == 3 })
		dead := l.name("dead")
		sub, _ := l.b.Subscription(dead, deadLetterSubscription)
		same(t, "waiting for a reader", sub.Pending, 1)
		l.must(l.b.UnloadTopic(dead))
		l.pause(10 * time.Second)
		same(t, "after the move", string(l.letters(dead, 1)[0].Payload), "bad")
		r.stopped()
	}, danubetest.WithBrokers(2))
}

// The marker is published once the subscription is seen to be empty, and is gone when
// somebody reads; where dead letters wait there is none.
func TestSinkDeadLetterMarker(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		l.cursors = true
		topic, dead := l.topic("t", 0), l.name("dead")
		markers := func() (n int) {
			for _, m := range l.b.Messages(dead) {
				if _, marker := m.Attributes[markerAttribute]; marker {
					n++
				}
			}
			return n
		}
		r := l.sink(fails("bad", InvalidDataf("no")), l.deadTopic)
		start := time.Now()
		r.stopped() // before anything was stored, and without a wait
		if d := time.Since(start); d > time.Second {
			t.Errorf("a stop took %v", d)
		}
		same(t, "markers of a short run", markers(), 0)

		r = l.sink(fails("bad", InvalidDataf("no")), l.deadTopic)
		l.pause(20 * time.Second)
		same(t, "markers", markers(), 1)
		sub, _ := l.b.Subscription(dead, deadLetterSubscription)
		same(t, "acked", sub.Acked, 1)
		if slices.ContainsFunc(l.b.Consumers(), func(c danubetest.ConsumerInfo) bool { return c.Topic == dead && c.Streaming }) {
			t.Error("the subscription is still read")
		}
		l.publish(topic, "bad")
		l.until("acked", func() bool { return l.acked() == 1 })
		r.stopped()

		r = l.sink(&testSink{}, l.deadTopic) // a dead letter waits
		l.pause(20 * time.Second)
		r.stopped()
		same(t, "markers beside a dead letter", markers(), 1)
		same(t, "what a reader gets", string(l.letters(dead, 1)[0].Payload), "bad")
	})
}
