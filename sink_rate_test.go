package connect

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// most returns the largest number of calls, or records, within one second.
func most(at []time.Time) (n int) {
	slices.SortFunc(at, time.Time.Compare)
	for i := range at {
		j := i
		for j < len(at) && at[j].Sub(at[i]) < time.Second-time.Millisecond {
			j++
		}
		n = max(n, j-i)
	}
	return n
}

func times(calls []processed) (at []time.Time) {
	for _, c := range calls {
		at = append(at, c.at)
	}
	return at
}

// In no second more than the limit, the first one included, over all partitions and
// workers of a topic.
func TestSinkRateLimit(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"in order":   func(*Config) {},
		"by key":     func(c *Config) { c.Ordering = OrderKey },
		"any order":  func(c *Config) { c.Ordering = OrderNone },
		"with nacks": nacking,
	} {
		t.Run(name, func(t *testing.T) {
			onProfiles(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 3)
				sink := &testSink{}
				r := l.sink(sink, change, func(c *Config) { c.RateLimit = 10 })
				l.publish(topic, numbers(1, 100)...)
				start := time.Now()
				l.must(l.b.WaitAcked(t.Context(), topic, "s", 100))
				if took := time.Since(start); took < 9700*time.Millisecond || took > 11*time.Second {
					t.Errorf("100 records at 10 a second took %v", took)
				}
				if n := most(times(sink.seen())); n > 10 {
					t.Errorf("%d records in a second", n)
				}
				r.stopped()
			})
		})
	}
	t.Run("batches", func(t *testing.T) {
		onProfiles(t, func(t *testing.T, l *lab) {
			topic := l.topic("t", 0)
			sink := batch(nil)
			r := l.sink(FromBatch(sink), func(c *Config) { c.RateLimit = 3 })
			l.publish(topic, numbers(1, 60)...)
			start := time.Now()
			l.must(l.b.WaitAcked(t.Context(), topic, "s", 60))
			if took := time.Since(start); took < 19*time.Second || took > 22*time.Second {
				t.Errorf("60 records at 3 a second took %v", took)
			}
			r.stopped()
			for _, n := range sink.sizes() {
				if n > 6 { // what waits for the limit is in hand
					t.Errorf("a batch of %d records waited for %d s", n, n/3)
				}
			}
			same(t, "order", strings.Join(sink.written(), " "), strings.Join(numbers(1, 60), " "))
		})
	})
}

// Attempts count, not records: it is the other system that is to be spared.
func TestSinkRateLimitCountsAttempts(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(_ context.Context, p processed) error {
			if p.attempt < 4 {
				return errors.New("busy")
			}
			return nil
		}}
		r := l.sink(sink, func(c *Config) { c.RateLimit, c.RetryBackoff, c.MaxBackoff = 5, time.Millisecond, 2*time.Millisecond })
		l.publish(topic, numbers(1, 10)...)
		start := time.Now()
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 10))
		if took := time.Since(start); took < 7700*time.Millisecond {
			t.Errorf("40 attempts at 5 a second took %v", took)
		}
		if n := most(times(sink.seen())); n > 5 {
			t.Errorf("%d attempts in a second", n)
		}
		r.stopped()
	})
}

func TestSinkRateLimitOfEachTopic(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		a, b, c := l.topic("a", 0), l.topic("b", 2), l.topic("c", 0)
		sink := topicsSink{&testSink{}, func(context.Context) ([]ConsumerConfig, error) {
			return []ConsumerConfig{{Topic: a}, {Topic: b, RateLimit: 20}, {Topic: c, RateLimit: 1000}}, nil
		}}
		r := l.sink(sink, func(c *Config) { c.RateLimit = 5 })
		start := time.Now()
		for _, topic := range []string{a, b, c} {
			l.publish(topic, numbers(1, 40)...)
		}
		for topic, want := range map[string]time.Duration{a: 8 * time.Second, b: 2 * time.Second, c: 40 * time.Millisecond} {
			var last time.Time
			l.until("all written", func() bool { return r.metric("messages_processed_total", "topic="+topic) == 40 })
			for _, call := range sink.seen() {
				if call.rec.Topic() == topic {
					last = call.at
				}
			}
			if took := last.Sub(start); took < want-time.Second/4 || took > want+time.Second/2 {
				t.Errorf("%s took %v, want %v", topic, took, want)
			}
		}
		r.stopped()
	})
}

// A stop does not wait for the limit, and what waits is handed back.
func TestSinkStopWhileTheRateLimitHoldsBack(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{}
		r := l.sink(sink, func(c *Config) { c.RateLimit = 1 })
		l.publish(topic, numbers(1, 8)...)
		l.until("three written", func() bool { return len(sink.seen()) == 3 })
		if err, took := r.stop(); err != nil || took > time.Second {
			t.Errorf("got %v after %v", err, took)
		}
		same(t, "acked", l.acked(), 3)
		same(t, "in flight", r.metric("inflight_messages"), 0)
		rest := &testSink{}
		r = l.sink(rest)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 8))
		r.stopped()
		same(t, "the next one got", strings.Join(rest.payloads(), " "), "4 5 6 7 8")
	})
}

// A pause holds back what only waits for the limit, too.
func TestSinkPauseWhileTheRateLimitHoldsBack(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{}
		rt := l.newSink(sink, l.config(func(c *Config) { c.RateLimit = 1 }))
		r := l.start(rt.core, rt.Run).ready()
		l.publish(topic, numbers(1, 8)...)
		l.until("three written", func() bool { return len(sink.seen()) == 3 })
		rt.Pause()
		l.pause(5 * time.Second)
		same(t, "seen while paused", len(sink.seen()), 3)
		rt.Resume()
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 8))
		r.stopped()
		same(t, "order", strings.Join(sink.payloads(), " "), strings.Join(numbers(1, 8), " "))
	})
}
