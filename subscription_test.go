package connect

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestSinkIsTakenOver(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		first := &testSink{}
		r1 := l.sink(first)
		l.publish(topic, numbers(1, 5)...)
		l.until("processed", func() bool { return len(first.seen()) == 5 })

		second := &testSink{}
		r2 := l.sink(second)
		err := r1.wait()
		if !errors.Is(err, ErrTakenOver) {
			t.Errorf("the first: got %v, want ErrTakenOver", err)
		}
		same(t, "exit code", ExitCode(err), 3)
		same(t, "the first's life", first.lifetime(), "initialize process shutdown")
		l.publish(topic, numbers(6, 10)...)
		l.until("processed by the second", func() bool { return slices.Contains(second.payloads(), "10") })
		r2.stopped()
		if got := strings.Join(second.payloads(), " "); !strings.HasSuffix(got, "6 7 8 9 10") {
			t.Errorf("the second got %s", got)
		}
	})
}

// What the one taken over has in work is finished, and comes again to the other.
func TestSinkFinishesItsRecordWhenTakenOver(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		var done atomic.Int64
		first := &testSink{process: func(context.Context, processed) error {
			time.Sleep(10 * time.Second)
			done.Add(1)
			return nil
		}}
		r1 := l.sink(first)
		l.publish(topic, "1", "2")
		l.until("in Process", func() bool { return len(first.seen()) == 1 })
		second := &testSink{}
		r2 := l.sink(second)
		if err := r1.wait(); ExitCode(err) != 3 {
			t.Errorf("the first: %v", err)
		}
		same(t, "finished by the first", done.Load(), 1)
		l.must(l.b.WaitIdle(t.Context(), topic, "s"))
		r2.stopped()
		same(t, "seen by the second", strings.Join(second.payloads(), " "), "1 2")
	})
}

func TestSinksShareASubscription(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sinks := []*testSink{{}, {}}
		var runs []*run
		for _, s := range sinks {
			runs = append(runs, l.sink(s, func(c *Config) { c.SubscriptionType = SubscriptionShared }))
		}
		l.publish(topic, numbers(1, 100)...)
		l.until("all processed", func() bool { return len(sinks[0].seen())+len(sinks[1].seen()) == 100 })
		for _, r := range runs {
			if r.ended() {
				t.Fatalf("they took each other over: %v", r.err)
			}
			r.stopped()
		}
		var got []string
		for i, s := range sinks {
			if n := len(s.seen()); n < 10 {
				t.Errorf("sink %d got %d of 100", i, n)
			}
			got = append(got, s.payloads()...)
		}
		want := numbers(1, 100)
		slices.Sort(got)
		slices.Sort(want)
		same(t, "processed", got, want)
	})
}

func TestSinkWaitsForAnExclusiveSubscription(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		first := l.sink(&testSink{})
		second := l.begin(&testSink{}, func(c *Config) { c.ConnectorName = "other" })
		l.pause(time.Minute)
		if second.ended() || second.board.NotReady() == nil {
			t.Errorf("the second: ended %v, not ready %v", second.ended(), second.board.NotReady())
		}
		second.stopped()
		first.stopped()
	})
}
