package connect

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// acked says how many messages of the lab's topic t were acknowledged.
func (l *lab) acked() int {
	sub, _ := l.b.Subscription(l.name("t"), "s")
	return sub.Acked
}

func TestSinkStopWhileIdle(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		sink := &testSink{}
		r := l.sink(sink)
		err, took := r.stop()
		if err != nil || took > time.Second {
			t.Errorf("got %v after %v, want a clean stop at once", err, took)
		}
		same(t, "exit code", ExitCode(err), 0)
		same(t, "the connector's life", sink.lifetime(), "initialize shutdown")
	})
}

func TestSinkStopWaitsForProcess(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		started := make(chan struct{}, 10)
		sink := &testSink{process: func(ctx context.Context, _ processed) error {
			started <- struct{}{}
			select {
			case <-time.After(700 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		r := l.sink(sink)
		l.publish(topic, numbers(1, 3)...)
		<-started
		r.stopped()
		same(t, "seen", strings.Join(sink.payloads(), " "), "1")
		same(t, "processed", r.metric("messages_processed_total"), 1)
		same(t, "in flight", r.metric("inflight_messages"), 0)

		next := &testSink{}
		r = l.sink(next)
		l.until("delivered again", func() bool { return len(next.seen()) == 2 })
		r.stopped()
		same(t, "delivered again", strings.Join(next.payloads(), " "), "2 3")
	})
}

func TestSinkStopDuringARetryWait(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(context.Context, processed) error {
			return RetryableAfter(errors.New("busy"), 9*time.Second)
		}}
		r := l.sink(sink)
		l.publish(topic, "1", "2")
		l.until("failed once", func() bool { return r.metric("messages_retried_total") == 1 })
		err, took := r.stop()
		if err != nil || took > time.Second {
			t.Errorf("got %v after %v, want a clean stop at once", err, took)
		}
		same(t, "in flight", r.metric("inflight_messages"), 0)
		next := &testSink{}
		r = l.sink(next)
		l.until("delivered again", func() bool { return len(next.seen()) == 2 })
		r.stopped()
		same(t, "delivered again", strings.Join(next.payloads(), " "), "1 2")
	})
}

// hang returns a Process that waits for release, whatever its context says.
func hang(release <-chan struct{}) func(context.Context, processed) error {
	return func(context.Context, processed) error {
		<-release
		return nil
	}
}

func TestSinkStopLeavesAProcessBehindThatDoesNotReturn(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		release := make(chan struct{})
		sink := &testSink{process: hang(release)}
		r := l.sink(sink)
		l.publish(topic, numbers(1, 3)...)
		l.until("in Process", func() bool { return len(sink.seen()) == 1 })
		err, took := r.stop()
		if !errors.Is(err, ErrDrainDeadline) || took < 20*time.Second || took > 22*time.Second {
			t.Errorf("got %v after %v, want the drain deadline after 20s", err, took)
		}
		same(t, "exit code", ExitCode(err), 4)
		if !strings.Contains(err.Error(), "3 records") {
			t.Errorf("%v does not say what was left", err)
		}
		same(t, "the connector's life", sink.lifetime(), "initialize process shutdown")
		same(t, "acked", l.acked(), 0)
		close(release)
		l.pause(time.Second)
		same(t, "acked when Process came back after all", l.acked(), 0)
	})
}

func TestSinkHungProcessShowsOnHealthz(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		release := make(chan struct{})
		sink := &testSink{process: hang(release)}
		r := l.sink(sink)
		l.publish(topic, "1")
		l.until("in Process", func() bool { return len(sink.seen()) == 1 })
		l.pause(30 * time.Second)
		same(t, "overdue after 30s", len(r.overdue()), 0)
		l.pause(6 * time.Second)
		late := r.overdue()
		if len(late) != 1 || !strings.Contains(late[0], topic) {
			t.Errorf("overdue after 36s: %v, want the topic's loop", late)
		}
		close(release)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 1))
		same(t, "overdue at the end", len(r.overdue()), 0)
		r.stopped()
	})
}

// A Process that gives up because its context ended at the deadline was not finished.
func TestSinkThatIsCutOffAtTheDeadlineSaysSo(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(ctx context.Context, _ processed) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		r := l.sink(sink, func(c *Config) { c.DrainTimeout = 3 * time.Second })
		l.publish(topic, "1", "2")
		l.until("in Process", func() bool { return len(sink.seen()) == 1 })
		err, took := r.stop()
		if !errors.Is(err, ErrDrainDeadline) || took < 3*time.Second || took > 4*time.Second {
			t.Errorf("got %v after %v, want the drain deadline after 3s", err, took)
		}
		same(t, "exit code", ExitCode(err), 4)
		same(t, "acked", l.acked(), 0)
		same(t, "in flight", r.metric("inflight_messages"), 0)
	})
}

func TestSinkThatFinishesAfterTheDeadlineIsClean(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(ctx context.Context, _ processed) error {
			<-ctx.Done()
			time.Sleep(100 * time.Millisecond)
			return nil
		}}
		r := l.sink(sink, func(c *Config) { c.DrainTimeout = time.Second })
		l.publish(topic, "1")
		l.until("in Process", func() bool { return len(sink.seen()) == 1 })
		r.stopped()
		same(t, "acked", l.acked(), 1)
	})
}

func TestSinkAcksThatAreNotAnsweredAreTheDrainDeadline(t *testing.T) {
	for _, late := range []bool{false, true} {
		name := "Process returns in time"
		if late {
			name = "Process returns at the deadline"
		}
		t.Run(name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodAck}, Hang: true, Count: -1})
				sink := &testSink{process: func(ctx context.Context, _ processed) error {
					if late {
						<-ctx.Done()
					}
					return nil
				}}
				r := l.sink(sink, func(c *Config) { c.DrainTimeout = 2 * time.Second })
				l.publish(topic, "1")
				l.until("in Process", func() bool { return len(sink.seen()) == 1 })
				err, took := r.stop()
				if !errors.Is(err, ErrDrainDeadline) || took > 4*time.Second {
					t.Errorf("got %v after %v, want the drain deadline after 2s", err, took)
				}
				same(t, "exit code", ExitCode(err), 4)
			})
		})
	}
}

func TestSinkStopHandsBackWhatWaits(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		release := make(chan error)
		sink := &testSink{process: func(context.Context, processed) error { return <-release }}
		r := l.sink(sink)
		l.publish(topic, numbers(1, 30)...)
		l.until("a window in hand", func() bool { return r.metric("inflight_messages") == 10 })
		release <- Fatalf("no more")
		if err := r.wait(); ExitCode(err) != 1 {
			t.Errorf("got %v", err)
		}
		same(t, "in flight", r.metric("inflight_messages"), 0)
		same(t, "acked", l.acked(), 0)
	})
}

func TestSinkSecondSignalForcesTheEnd(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		release := make(chan struct{})
		sink := &testSink{process: hang(release)}
		r := l.sink(sink)
		l.publish(topic, "1")
		l.until("in Process", func() bool { return len(sink.seen()) == 1 })
		r.signal(syscall.SIGTERM, false)
		l.pause(time.Second)
		if r.ended() {
			t.Fatalf("the first signal forced the end: %v", r.err)
		}
		start := time.Now()
		r.signal(syscall.SIGTERM, true)
		err := r.wait()
		var forced *ForcedError
		if !errors.As(err, &forced) || forced.Unsettled == "" || time.Since(start) > time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		same(t, "exit code", ExitCode(err), 143)
		close(release)
	})
}
