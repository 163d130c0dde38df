package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestSourceStopWhileIdle(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		source := &testSource{}
		r := l.source(source).ready()
		err, took := r.stop()
		if err != nil || took > time.Second {
			t.Errorf("got %v after %v, want a clean stop at once", err, took)
		}
		same(t, "the connector's life", source.lifetime(), "initialize poll shutdown")
	})
}

func TestSourceStopEndsABlockingPoll(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		source := &testSource{poll: func(ctx context.Context, _ int) ([]*SourceRecord, error) {
			<-ctx.Done()
			return texts("", "last"), ctx.Err()
		}}
		r := l.source(source).ready()
		err, took := r.stop()
		if err != nil || took > time.Second {
			t.Errorf("got %v after %v, want a clean stop at once", err, took)
		}
		l.b.CheckPayloads(t, l.name("t"), "last")
	})
}

// A source that never gets tired must not keep its own stop from coming.
func TestSourceStopWhilePollReturnsMore(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		var polled atomic.Int64
		source := &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			time.Sleep(time.Millisecond)
			return texts("", fmt.Sprint(polled.Add(1))), nil
		}}
		r := l.source(source)
		_, err := l.b.WaitPublished(t.Context(), topic, 50)
		l.must(err)
		r.stopped()
		same(t, "published", len(l.b.Messages(topic)), polled.Load())
	})
}

func TestSourceStopDuringAHangingPublish(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSendMessage}, Hang: true, Skip: 3, Count: -1})
		source := &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			if n == 1 {
				return offsets("p", 1, 10), nil
			}
			return nil, nil
		}}}
		r := l.source(source)
		_, err := l.b.WaitPublished(t.Context(), topic, 3)
		l.must(err)
		err, took := r.stop()
		if !errors.Is(err, ErrDrainDeadline) || took < 20*time.Second || took > 22*time.Second {
			t.Errorf("got %v after %v, want the drain deadline after 20s", err, took)
		}
		same(t, "exit code", ExitCode(err), 4)
		if !strings.Contains(fmt.Sprint(err), "7 records") {
			t.Errorf("%v does not say what was left", err)
		}
		same(t, "committed", source.last("p"), "p@3")
		same(t, "the connector's life", source.lifetime(), "initialize poll shutdown")
		same(t, "in flight", r.metric("inflight_messages"), 0)
	})
}

// What one Poll brought may be more than there is room for.
func TestSourceStopCountsWhatFoundNoRoom(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Hang: true}))
		source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			return texts("", numbers(1, 3000)...), nil
		}}
		r := l.source(source)
		l.must(h.Wait(t.Context(), 1))
		err, _ := r.stop()
		if !errors.Is(err, ErrDrainDeadline) || !strings.Contains(fmt.Sprint(err), "3000 records") {
			t.Errorf("got %v, want the drain deadline and 3000 records", err)
		}
	})
}

// An error that is for good must show, also when it comes after the stop.
func TestSourcePublishThatFailsDuringTheDrainIsAnError(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Delay: time.Second, Err: errDenied}))
		source := &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			if n == 1 {
				return offsets("p", 1, 1), nil
			}
			return nil, nil
		}}}
		r := l.source(source)
		l.until("publishing", func() bool { return r.metric("inflight_messages") == 1 })
		err, _ := r.stop()
		if ExitCode(err) != 1 || !strings.Contains(fmt.Sprint(err), "no binding grants") {
			t.Errorf("got %v, want the broker's refusal", err)
		}
		same(t, "committed", source.last("p"), "")
		_ = h
	})
}

func TestSourcePollThatDoesNotReturnIsLeftBehind(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		release, called := make(chan struct{}), make(chan struct{})
		source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			if n == 1 {
				return texts("", "1"), nil
			}
			close(called)
			<-release
			return texts("", "2"), nil
		}}
		r := l.source(source)
		_, err := l.b.WaitPublished(t.Context(), topic, 1)
		l.must(err)
		<-called // a stop before it would find nothing that hangs
		err, took := r.stop()
		if !errors.Is(err, ErrDrainDeadline) || took > 22*time.Second || !strings.Contains(fmt.Sprint(err), "Poll") {
			t.Errorf("got %v after %v, want the drain deadline and Poll", err, took)
		}
		same(t, "exit code", ExitCode(err), 4)
		same(t, "the connector's life", source.lifetime(), "initialize poll shutdown")
		close(release)
	})
}

func TestSourceSecondSignalForcesTheEnd(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Hang: true}))
		source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			return texts("", fmt.Sprint(n)), nil
		}}
		r := l.source(source)
		l.must(h.Wait(t.Context(), 1))
		r.signal(syscall.SIGINT, false)
		l.pause(time.Second)
		start := time.Now()
		r.signal(syscall.SIGINT, true)
		err := r.wait()
		var forced *ForcedError
		if !errors.As(err, &forced) || !strings.Contains(forced.Unsettled, "records were not published") || time.Since(start) > time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		same(t, "exit code", ExitCode(err), 130)
	})
}

func TestSourceEOFDrainsAndEndsCleanly(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		check := &testSink{}
		sink := l.sink(check)
		source := &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			if n == 3 {
				return offsets("p", 21, 30), io.EOF
			}
			return offsets("p", 10*n-9, 10*n), nil
		}}}
		r := l.source(source)
		if err := r.wait(); err != nil {
			t.Errorf("Run: %v, want nil", err)
		}
		same(t, "committed", source.last("p"), "p@30")
		same(t, "offsets committed", len(source.all()), 30)
		same(t, "the connector's life", source.lifetime(), "initialize poll shutdown")
		same(t, "polls", len(source.polled()), 3)
		l.until("all arrived", func() bool { return len(check.seen()) == 30 })
		sink.stopped()
		var want []string
		for _, n := range numbers(1, 30) {
			want = append(want, "p"+n)
		}
		same(t, "arrived", check.payloads(), want)
	})
}
