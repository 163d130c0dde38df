package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// gaps returns the times between the calls for one payload.
func gaps(calls []processed, payload string) []time.Duration {
	var (
		list []time.Duration
		last time.Time
	)
	for _, c := range calls {
		if c.payload != payload {
			continue
		}
		if !last.IsZero() {
			list = append(list, c.at.Sub(last))
		}
		last = c.at
	}
	return list
}

func TestSinkRetryWaitsGrowAndStartAnewForEachRecord(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(_ context.Context, p processed) error {
			if p.attempt <= 4 {
				return errors.New("not yet")
			}
			return nil
		}}
		r := l.sink(sink, func(c *Config) { c.RetryBackoff = 100 * time.Millisecond })
		l.publish(topic, "1", "2")
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 2))
		r.stopped()
		for _, payload := range []string{"1", "2"} {
			want := 100 * time.Millisecond
			for i, got := range gaps(sink.seen(), payload) {
				if got < want/2 || got > want+want/2 {
					t.Errorf("record %s: wait %d was %v, want %v give or take half", payload, i+1, got, want)
				}
				want *= 2
			}
		}
		same(t, "retried", r.metric("messages_retried_total"), 8)
		same(t, "failed", r.metric("messages_failed_total", "error_type=retryable"), 8)
		same(t, "processed", r.metric("messages_processed_total"), 2)
	})
}

func TestSinkHonoursRetryAfter(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(_ context.Context, p processed) error {
			if p.attempt == 1 {
				return RetryableAfter(errors.New("rate limit"), 7*time.Second)
			}
			return nil
		}}
		r := l.sink(sink)
		l.publish(topic, "1")
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 1))
		r.stopped()
		same(t, "waits", gaps(sink.seen(), "1"), []time.Duration{7 * time.Second})
	})
}

func TestSinkStopsWhenARetryWouldComeTooLate(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(context.Context, processed) error {
			return RetryableAfter(errors.New("come back in a minute"), time.Minute)
		}}
		r := l.sink(sink)
		l.publish(topic, "1")
		start := time.Now()
		err := r.wait()
		if !errors.Is(err, ErrStoppedByPolicy) || time.Since(start) > time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestSinkMaxRetries(t *testing.T) {
	for _, limit := range []int{0, 1, 3} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			onProfiles(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				sink := &testSink{process: func(context.Context, processed) error { return errors.New("never") }}
				r := l.sink(sink, func(c *Config) { c.MaxRetries, c.RetryBackoff = &limit, time.Millisecond })
				l.publish(topic, "1")
				err := r.wait()
				if !errors.Is(err, ErrStoppedByPolicy) {
					t.Errorf("got %v, want the policy", err)
				}
				same(t, "calls", len(sink.seen()), 1+limit)
				if !strings.Contains(fmt.Sprint(err), fmt.Sprintf("after %d attempts", 1+limit)) {
					t.Errorf("%v does not say how often it was tried", err)
				}
			})
		})
	}
}

func TestSinkRetryBudgetEndsBeforeTheAckTimeout(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(context.Context, processed) error { return errors.New("down") }}
		r := l.sink(sink)
		l.publish(topic, "1", "2", "3")
		start := time.Now()
		err := r.wait()
		if took := time.Since(start); !errors.Is(err, ErrStoppedByPolicy) || took > 26*time.Second || took < 10*time.Second {
			t.Errorf("got %v after %v, want the policy within 25s", err, took)
		}
		sub, _ := l.b.Subscription(topic, "s")
		same(t, "ack timeouts", sub.TimedOut, 0)
		same(t, "acked", sub.Acked, 0)
	})
}

// A record that waited behind a slow one has little left of its delivery's budget.
func TestSinkRecordThatWaitedIsStillTriedAgain(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(_ context.Context, p processed) error {
			switch {
			case p.payload == "1":
				time.Sleep(24 * time.Second)
			case p.attempt < 3:
				return errors.New("not yet")
			}
			return nil
		}}
		r := l.sink(sink)
		l.publish(topic, "1", "2")
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 2))
		r.stopped()
		same(t, "seen", strings.Join(sink.payloads(), " "), "1 2 2 2")
	})
}

func TestSinkAttemptHasADeadline(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(ctx context.Context, p processed) error {
			end, ok := ctx.Deadline()
			if left := time.Until(end); !ok || left != (30*time.Second-retryMargin) {
				t.Errorf("deadline in %v (%v), want %v", left, ok, (30*time.Second - retryMargin))
			}
			if p.payload == "2" {
				return nil
			}
			<-ctx.Done()
			if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("cause %v, want a deadline", err)
			}
			return nil // it made it after all
		}}
		r := l.sink(sink)
		l.publish(topic, "1", "2")
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 2))
		r.stopped()
	})
}

// The timer of a call that returns in the instant of its deadline must not end the
// context of the next one.
func TestSinkDeadlineOfOneAttemptDoesNotEndTheNext(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(ctx context.Context, p processed) error {
			if p.rec.Offset()%2 == 0 {
				time.Sleep((30*time.Second - retryMargin))
				return nil
			}
			time.Sleep(time.Second)
			if ctx.Err() != nil {
				t.Errorf("record %s began with %v", p.payload, context.Cause(ctx))
			}
			return nil
		}}
		r := l.sink(sink)
		for i := range 50 {
			l.publish(topic, fmt.Sprint(2*i), fmt.Sprint(2*i+1))
			l.must(l.b.WaitAcked(t.Context(), topic, "s", 2*i+2))
		}
		r.stopped()
	})
}
