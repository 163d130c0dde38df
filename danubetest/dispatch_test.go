package danubetest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// arrivals returns when the next n messages come, since start, rounded to milliseconds.
func (c *consumer) arrivals(start time.Time, n int) (list []time.Duration) {
	c.s.t.Helper()
	for range n {
		c.next()
		list = append(list, time.Since(start).Round(time.Millisecond))
	}
	return list
}

func TestWindowIsPerSubscription(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c1 := s.open(topic, sub, "c1", shared)
		c2 := s.open(topic, sub, "c2", shared)
		other := s.open(topic, "other", "c", exclusive)
		p.send(numbers(0, 20)...)
		want(t, "c1", c1.offsets(2), []int{0, 2})
		want(t, "c2", c2.offsets(2), []int{1, 3})
		want(t, "other", other.offsets(4), []int{0, 1, 2, 3})
		c2.ack(0) // whoever received it
		want(t, "c1", c1.offsets(1), []int{4})
		i := info(t, b)
		want(t, "in flight, pending, acked, cursor", []int{i.InFlight, i.Pending, i.Acked, int(i.Cursor)}, []int{4, 15, 1, 0})
	}, danubetest.WithMaxUnacked(4))
}

func TestOutOfOrderAcksMoveTheCursorLater(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		want(t, "cursor at first", info(t, b).Cursor, -1)
		p.send(numbers(0, 5)...)
		c.offsets(5)
		var cursors []int64
		for _, o := range []uint64{2, 0, 1, 4, 3} {
			c.ack(o)
			cursors = append(cursors, info(t, b).Cursor)
		}
		want(t, "cursors", cursors, []int{-1, 0, 2, 2, 4})
	})
}

func TestNackSchedule(t *testing.T) {
	for _, tc := range []struct {
		name   string
		policy danubetest.FailurePolicy
		delay  time.Duration
		want   []time.Duration // of deliveries, when each is nacked at once
	}{
		{"default", danubetest.FailurePolicy{}, 0,
			[]time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 31 * time.Second}},
		{"consumer asks for more", danubetest.FailurePolicy{}, 10 * time.Second,
			[]time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second, 40 * time.Second, 56 * time.Second}},
		{"consumer asks for too much", danubetest.FailurePolicy{}, 2 * time.Minute,
			[]time.Duration{0, 1 * time.Minute, 2 * time.Minute}},
		{"fixed", danubetest.FailurePolicy{Backoff: danubetest.Fixed, BaseDelay: 2 * time.Second, MaxRedeliveries: 2}, 0,
			[]time.Duration{0, 2 * time.Second, 4 * time.Second}},
		{"no more than the longest delay", danubetest.FailurePolicy{MaxDelay: 3 * time.Second}, 0,
			[]time.Duration{0, 1 * time.Second, 3 * time.Second, 6 * time.Second, 9 * time.Second, 12 * time.Second}},
		{"rounded up to a heartbeat", danubetest.FailurePolicy{BaseDelay: 600 * time.Millisecond}, 0,
			[]time.Duration{0, 1 * time.Second, 2500 * time.Millisecond}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
				p := s.producer(topic, "p")
				c := s.open(topic, sub, "c", exclusive)
				start := time.Now()
				p.send("x")
				var got []time.Duration
				for range tc.want {
					got = append(got, c.arrivals(start, 1)...)
					c.nack(0, tc.delay)
				}
				want(t, "deliveries", got, tc.want)
			}, danubetest.WithFailurePolicy("", tc.policy))
		})
	}
}

func TestAckTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		start := time.Now()
		time.Sleep(300 * time.Millisecond)
		p.send("x")
		// Seen at 30.5 s, the first heartbeat after 30.3 s; again a second later.
		want(t, "deliveries", c.arrivals(start, 2), []time.Duration{300 * time.Millisecond, 31500 * time.Millisecond})
		i := info(t, b)
		want(t, "timed out, redelivered", []int{i.TimedOut, i.Redelivered}, []int{1, 1})
		d := b.Messages(topic)[0].Deliveries
		want(t, "first delivery", []any{d[0].Outcome, d[0].Ended.Sub(start), d[0].Attempt}, []any{danubetest.TimedOut, 30500 * time.Millisecond, 1})
		want(t, "second delivery", []any{d[1].Outcome, d[1].Ended.IsZero(), d[1].Attempt}, []any{danubetest.InFlight, true, 2})
	})
}

func TestLateAckIsIgnored(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("x")
		c.offsets(1)
		c.nack(0, 0)
		c.ack(0) // waits for its retry
		want(t, "again", c.offsets(1), []int{0})
		c.ack(0)
		c.ack(0) // is settled
		c.nack(0, 0)
		i := info(t, b)
		want(t, "late, acked, nacked", []int{i.LateAcks, i.Acked, i.Nacked}, []int{3, 1, 1})
		b.CheckNoUnacked(t, topic, sub)
	})
}

func TestBlock(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("bad", "good")
		want(t, "offsets", c.offsets(2), []int{0, 1})
		c.nack(1, 0) // has attempts left, and is delivered although the other blocks
		for range 2 {
			c.nack(0, 0)
			if !info(t, b).Blocked {
				want(t, "again", slices.Sorted(slices.Values(c.offsets(2))), []int{0, 1})
			}
		}
		p.send("more")
		i := info(t, b)
		want(t, "blocked, exhausted, pending, in flight", []any{i.Blocked, i.Exhausted, i.Pending, i.InFlight}, []any{true, 1, 2, 1})
		c.ack(0) // is not waited for any more
		c.nack(0, 0)
		if d := b.Dump(); !strings.Contains(d, "0 is exhausted after 2 attempts") || !strings.Contains(d, "BLOCKED") {
			t.Error(d)
		}
		c.ack(1)
		c.quiet(time.Hour)
		want(t, "acked", info(t, b).Acked, 1)

		// Neither reconnecting nor subscribing again helps; a restart does.
		s.open(topic, sub, "c", exclusive).quiet(time.Hour)
		b.Stop()
		must(t, b.Start())
		s = dial(t, b)
		c = s.open(topic, sub, "c", exclusive)
		want(t, "after the restart", c.offsets(3), []int{0, 1, 2})
	}, danubetest.WithFailurePolicy(sub, danubetest.FailurePolicy{MaxRedeliveries: 1}))
}

func TestDrop(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("bad", "good")
		want(t, "offsets", c.offsets(2), []int{0, 1})
		c.nack(0, 0)
		p.send("more")
		want(t, "next", c.offsets(1), []int{2})
		c.ack(1, 2)
		i := info(t, b)
		want(t, "dropped, acked, cursor, blocked", []any{i.Dropped, i.Acked, i.Cursor, i.Blocked}, []any{1, 2, 2, false})
		d := b.Messages(topic)[0].Deliveries[0]
		want(t, "delivery", []any{d.Outcome, d.NackReason}, []any{danubetest.Dropped, "because"})
		c.quiet(time.Hour)
	}, danubetest.WithFailurePolicy(sub, danubetest.FailurePolicy{MaxRedeliveries: -1, Poison: danubetest.Drop}))
}

func TestLostConnectionsCountAsAttempts(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("x")
		for n := range 6 {
			c.offsets(1)
			want(t, "attempt", b.Messages(topic)[0].Deliveries[n].Attempt, n+1)
			if n < 5 {
				start := time.Now()
				c.cancel()
				synctest.Wait()
				c.receive()
				want(t, "time to the redelivery", time.Since(start), "0s")
			}
		}
		want(t, "blocked", info(t, b).Blocked, false)
		c.nack(0, 0)
		want(t, "blocked after one nack", info(t, b).Blocked, true)
	})
}

func TestSharedHandsOverWhatAConsumerLeft(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		var all []*consumer
		for i := range 3 {
			all = append(all, s.open(topic, sub, fmt.Sprint("c", i), shared))
		}
		p.send(numbers(0, 6)...)
		for i, c := range all {
			want(t, "turn", c.offsets(2), []int{i, i + 3})
		}
		all[0].ack(3) // not its own
		all[2].ack(2)
		all[1].cancel() // leaves 1 and 4
		want(t, "c0 is given", all[0].offsets(1), []int{1})
		want(t, "c2 is given", all[2].offsets(1), []int{4})
		i := info(t, b)
		want(t, "in flight of each", []int{i.Consumers[0].InFlight, i.Consumers[1].InFlight, i.Consumers[2].InFlight}, []int{2, 0, 2})
		want(t, "active", []bool{i.Consumers[0].Active, i.Consumers[1].Active, i.Consumers[2].Active}, []bool{true, false, true})
	})
}

func TestConsumerWithoutStreamGetsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.subscribe(topic, sub, "c", exclusive)
		p.send(numbers(0, 50)...) // is not held up either
		time.Sleep(time.Hour)
		want(t, "healthy", s.check(asCons, c.id), healthy)
		want(t, "in flight", info(t, b).InFlight, 0)
		c.receive()
		want(t, "offsets", c.offsets(10), []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	})
}

func TestIdleBrokerIsAsleep(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("x")
		c.offsets(1)
		c.ack(0)
		time.Sleep(time.Minute) // the alarm for the ack timeout goes off in vain
		before := danubetest.Wakes(b)
		time.Sleep(100 * 24 * time.Hour)
		want(t, "wakes", danubetest.Wakes(b)-before, 1) // the question itself
	})
}

func TestSlowStreamHoldsUpNobody(t *testing.T) {
	b := danubetest.Run(t, danubetest.WithMaxUnacked(100))
	s := dial(t, b)
	p := s.producer(topic, "p")
	slow := s.open(topic, "slow", "c", exclusive)
	fast := s.open(topic, "fast", "c", exclusive)
	big := string(make([]byte, 1<<20))
	for i := range 30 {
		p.send(big)
		want(t, "offset", fast.offsets(1), []int{i})
		fast.ack(uint64(i))
	}
	want(t, "slow", slow.offsets(30)[29], 29)
}
