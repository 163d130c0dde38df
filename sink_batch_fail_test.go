package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestBatchRetrySendsOnlyWhatFailed(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := batch(func(_ context.Context, b *Batch, n int) error {
			for _, r := range b.Records() {
				switch p := string(r.Payload()); {
				case p == "2" && n <= 2, p == "4" && n <= 1:
					if err := b.Fail(r, errors.New("locked")); err != nil {
						t.Error(err)
					}
				}
			}
			return nil
		})
		r := l.sink(FromBatch(sink), batches(5, time.Second), func(c *Config) { c.RetryBackoff = 20 * time.Millisecond })
		l.publish(topic, numbers(1, 5)...)
		l.until("processed", func() bool { return len(sink.written()) >= 8 })
		r.stopped()
		// Retries wait each for itself, and what is behind waits for them.
		got := sink.text()
		if !slices.Contains([]string{"1 2 3 4 5, 2 4, 2", "1 2 3 4 5, 4, 2, 2", "1 2 3 4 5, 2, 4, 2", "1 2 3 4 5, 2, 2, 4"}, got) {
			t.Errorf("batches: %s", got)
		}
		same(t, "processed", r.metric("messages_processed_total"), 5)
		same(t, "failed", r.metric("messages_failed_total", "error_type=retryable"), 3)
		same(t, "retried", r.metric("messages_retried_total"), 3)
		same(t, "in flight", r.metric("inflight_messages"), 0)
	})
}

func TestBatchErrorIsForRecordsNotNamed(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := batch(func(_ context.Context, b *Batch, n int) error {
			if n > 1 {
				return nil
			}
			if err := b.Fail(b.Records()[0], InvalidDataf("bad row")); err != nil {
				t.Error(err)
			}
			return errors.New("connection lost")
		})
		r := l.sink(FromBatch(sink), batches(3, time.Second), func(c *Config) { c.OnError = OnErrorSkip })
		l.publish(topic, numbers(1, 3)...)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 3))
		r.stopped()
		same(t, "batches", sink.text(), "1 2 3, 2 3")
		same(t, "skipped", r.metric("messages_skipped_total"), 1)
		same(t, "failed as invalid", r.metric("messages_failed_total", "error_type=invalid_data"), 1)
		same(t, "failed retryably", r.metric("messages_failed_total", "error_type=retryable"), 2)
	})
}

// Each record of a batch that fails as a whole must not push the wait for all of
// them further: with ten records it would be over the budget at once.
func TestBatchThatFailsAsAWholeIsTriedAgain(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := batch(func(_ context.Context, _ *Batch, n int) error {
			if n <= 3 {
				return errors.New("down")
			}
			return nil
		})
		r := l.sink(FromBatch(sink), batches(10, time.Second))
		l.publish(topic, numbers(1, 10)...)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 10))
		r.stopped()
		for i := range 10 {
			n := 0
			for _, p := range sink.written() {
				if p == fmt.Sprint(i+1) {
					n++
				}
			}
			if n < 2 || n > 4 {
				t.Errorf("record %d was tried %d times", i+1, n)
			}
		}
		calls := sink.all()
		if took := calls[len(calls)-1].at.Sub(calls[0].at); took > 12*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestBatchInvalidAsAWholeIsSplitToFindTheRecord(t *testing.T) {
	for _, size := range []int{2, 3, 7, 10} {
		for _, policy := range []ErrorPolicy{OnErrorSkip, OnErrorStop} {
			t.Run(fmt.Sprint(size, " ", policy), func(t *testing.T) {
				onProfiles(t, func(t *testing.T, l *lab) {
					topic := l.topic("t", 0)
					bad := fmt.Sprint(size/2 + 1)
					var written []string
					sink := batch(func(_ context.Context, b *Batch, n int) error {
						var list []string
						for _, r := range b.Records() {
							if string(r.Payload()) == bad {
								return InvalidDataf("the insert was refused")
							}
							list = append(list, string(r.Payload()))
						}
						written = append(written, list...)
						return nil
					})
					r := l.sink(FromBatch(sink), batches(size, time.Second), func(c *Config) { c.OnError = policy })
					all := numbers(1, size)
					l.publish(topic, all...)
					if policy == OnErrorSkip {
						l.must(l.b.WaitAcked(t.Context(), topic, "s", size))
						r.stopped()
						same(t, "written", written, slices.DeleteFunc(slices.Clone(all), func(p string) bool { return p == bad }))
						same(t, "skipped", r.metric("messages_skipped_total"), 1)
						same(t, "processed", r.metric("messages_processed_total"), size-1)
					} else {
						err := r.wait()
						same(t, "exit code", ExitCode(err), 5)
						if !IsInvalidData(err) {
							t.Errorf("%v is not invalid data", err)
						}
						same(t, "written", written, all[:size/2])
						same(t, "acked", l.acked(), size/2)
					}
					same(t, "failed", r.metric("messages_failed_total", "error_type=invalid_data"), 1)
					same(t, "in flight", r.metric("inflight_messages"), 0)
				})
			})
		}
	}
}

func TestBatchPanicIsSplitToo(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		var written []string
		sink := batch(func(_ context.Context, b *Batch, _ int) error {
			for _, r := range b.Records() {
				if string(r.Payload()) == "3" {
					panic("oh no")
				}
			}
			for _, r := range b.Records() {
				written = append(written, string(r.Payload()))
			}
			return nil
		})
		r := l.sink(FromBatch(sink), batches(5, time.Second), func(c *Config) { c.OnError = OnErrorSkip })
		l.publish(topic, numbers(1, 5)...)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 5))
		r.stopped()
		same(t, "written", strings.Join(written, " "), "1 2 4 5")
		same(t, "failed", r.metric("messages_failed_total", "error_type=panic"), 1)
		if l.log.count("stack=", "sink_batch_fail_test.go") == 0 {
			t.Error("the stack is not in the log")
		}
	})
}

func TestBatchFatalEndsTheRun(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		fatal := Fatalf("the table is gone")
		sink := batch(func(_ context.Context, b *Batch, _ int) error {
			if err := b.Fail(b.Records()[1], fatal); err != nil {
				t.Error(err)
			}
			return nil
		})
		r := l.sink(FromBatch(sink), batches(3, time.Second))
		l.publish(topic, numbers(1, 3)...)
		err := r.wait()
		if !errors.Is(err, fatal) || ExitCode(err) != 1 {
			t.Errorf("got %v", err)
		}
		// The third was written too; the ack of the newest message waits for all others.
		same(t, "acked", l.acked(), 1)
		l.b.CheckAcked(t, topic, "s", 0)
		if n := strings.Count(err.Error(), "the table is gone"); n != 1 {
			t.Errorf("%v says it %d times", err, n)
		}
	})
}

// A batch that waits for its retry must end at a stop, and be handed back whole.
func TestBatchStopDuringARetryWait(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := batch(func(context.Context, *Batch, int) error { return RetryableAfter(errors.New("busy"), 9*time.Second) })
		r := l.sink(FromBatch(sink), batches(5, time.Second))
		l.publish(topic, numbers(1, 8)...)
		l.until("failed once", func() bool { return len(sink.all()) >= 1 })
		err, took := r.stop()
		if err != nil || took > time.Second {
			t.Errorf("got %v after %v, want a clean stop at once", err, took)
		}
		same(t, "acked", l.acked(), 0)
		same(t, "in flight", r.metric("inflight_messages"), 0)
	})
}

// A fault in one batch must not let another partition's wait.
func TestBatchesOfPartitionsFailApart(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 2)
		var failing atomic.Int32
		failing.Store(-1)
		sink := batch(func(_ context.Context, b *Batch, _ int) error {
			failing.CompareAndSwap(-1, b.Partition())
			if failing.Load() == b.Partition() {
				return errors.New("not here")
			}
			return nil
		})
		r := l.sink(FromBatch(sink), batches(5, time.Second))
		start := time.Now()
		l.publish(topic, numbers(1, 40)...)
		l.until("the other partition written", func() bool { return l.acked() == 20 })
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %v", took)
		}
		_, _ = r.stop()
	})
}

// When a batch is split, its second half must not overtake a first half that failed.
func TestBatchSplitKeepsTheOrder(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		var written []string
		failures := 0
		sink := batch(func(_ context.Context, b *Batch, _ int) error {
			var list []string
			for _, r := range b.Records() {
				list = append(list, string(r.Payload()))
			}
			switch {
			case slices.Contains(list, "4"):
				return InvalidDataf("the insert was refused")
			case slices.Contains(list, "1") && failures < 2:
				failures++
				return errors.New("connection lost")
			}
			written = append(written, list...)
			return nil
		})
		r := l.sink(FromBatch(sink), batches(6, time.Second), func(c *Config) { c.OnError = OnErrorSkip })
		l.publish(topic, numbers(1, 6)...)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 6))
		r.stopped()
		same(t, "written", written, []string{"1", "2", "3", "5", "6"})
		same(t, "skipped", r.metric("messages_skipped_total"), 1)
	})
}
