package danubetest_test

import (
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// T3 d, 6.11: see the scenarios of KeyShared for what a real broker does.
func TestTrapKeyParked(t *testing.T) {
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		c := s.openKeys(topic, "c")
		keyed(t, b, "a", "a")
		c.offsets(1)
		time.Sleep(time.Second)
		want(t, "parked", info(t, b).Parked, true)
		c.ack(0) // waits
		time.Sleep(time.Hour)
		want(t, "acked", info(t, b).Acked, 0)
		keyed(t, b, "b")
		want(t, "then", c.offsets(2), []int{2, 1})
	}, danubetest.TrapKeyParked)
}

func TestTrapKeyBeat(t *testing.T) {
	for _, on := range []bool{true, false} {
		bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			s.producer(topic, "p")
			c := s.openKeys(topic, "c")
			keyed(t, b, "a", "a")
			c.offsets(1)
			start := time.Now()
			time.Sleep(100 * time.Millisecond)
			c.nack(0, 0)
			i := info(t, b)
			want(t, "dropped at once", i.Dropped, pickOne(on, 0, 1))
			if !on {
				return
			}
			must(t, b.WaitSubscription(t.Context(), topic, sub, func(i danubetest.SubscriptionInfo) bool { return i.Dropped == 1 }))
			want(t, "after", time.Since(start), 500*time.Millisecond)
		}, danubetest.WithFailurePolicy("", danubetest.FailurePolicy{MaxRedeliveries: -1, Poison: danubetest.Drop}),
			pickOne(on, danubetest.WithTraps(danubetest.TrapKeyBeat), danubetest.WithTraps()))
	}
}

func TestTrapKeyDrain(t *testing.T) {
	for _, on := range []bool{true, false} {
		bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			s.producer(topic, "p")
			c := s.openKeys(topic, "c")
			keyed(t, b, "a", "a", "b")
			c.ack(c.offsets(2)[1])
			c.nack(0, 0)
			keyed(t, b, "c")
			want(t, "then", c.offsets(1), pickOne(on, "[3]", "[1]"))
			if on {
				c.ack(3)
				i := info(t, b)
				want(t, "cursor, skipped", []int{int(i.Cursor), i.Skipped}, []int{0, 1})
			}
		}, danubetest.WithFailurePolicy("", danubetest.FailurePolicy{MaxRedeliveries: -1, Poison: danubetest.Drop}),
			pickOne(on, danubetest.WithTraps(danubetest.TrapKeyDrain), danubetest.WithTraps()))
	}
}
