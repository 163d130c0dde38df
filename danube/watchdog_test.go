package danube

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// canceled is what gRPC answers when the context of a call was cancelled.
func canceled(ctx context.Context) error { return status.FromContextError(ctx.Err()).Err() }

func TestWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watchdog
		defer w.stop()
		at := target{dial: "a:1", broker: "http://a:1"}

		first := w.arm(t.Context(), at, time.Second)
		time.Sleep(999 * time.Millisecond)
		if err := w.disarm(nil); err != nil {
			t.Errorf("a call in time: %v", err)
		}
		time.Sleep(time.Hour)
		if first.Err() != nil {
			t.Error("the context of a call that ended was cancelled later")
		}
		if again := w.arm(t.Context(), at, time.Second); again != first {
			t.Error("a second call got a new context")
		}
		other := errors.New("other")
		if err := w.disarm(other); err != other {
			t.Errorf("an error of the call became %v", err)
		}

		late := w.arm(t.Context(), at, time.Second)
		<-late.Done()
		if err := w.disarm(canceled(late)); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("a call that took too long: %v, want DEADLINE_EXCEEDED", err)
		}
		if next := w.arm(t.Context(), at, time.Second); next.Err() != nil || next == late {
			t.Error("the call after one that was cut off has no fresh context")
		}
		w.disarm(nil)
	})
}

// A deadline that passes in the moment in which the call ends must not cut off the
// next call.
func TestWatchdogDeadlineAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watchdog
		defer w.stop()
		for range 100 {
			w.arm(t.Context(), target{}, time.Second)
			time.Sleep(time.Second) // the timer and the end of the call at once
			w.disarm(nil)
			next := w.arm(t.Context(), target{}, time.Second)
			synctest.Wait()
			if next.Err() != nil {
				t.Fatal("the next call was cut off")
			}
			w.disarm(nil)
		}
	})
}

func TestWatchdogTellsItsDeadlineFromTheParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watchdog
		defer w.stop()
		parent, cancel := context.WithCancelCause(t.Context())
		ctx := w.arm(parent, target{}, time.Second)
		cancel(errors.New("closing"))
		<-ctx.Done()
		if err := w.disarm(canceled(ctx)); status.Code(err) != codes.Canceled {
			t.Errorf("got %v, want CANCELLED", err)
		}
	})
}

// A call of another session ends with that one.
func TestWatchdogFollowsTheParent(t *testing.T) {
	var w watchdog
	defer w.stop()
	old, end := context.WithCancel(t.Context())
	w.arm(old, target{}, time.Hour)
	w.disarm(nil)
	ctx := w.arm(t.Context(), target{}, time.Hour)
	end()
	if ctx.Err() != nil {
		t.Error("the call ended with the context of an earlier one")
	}
	w.disarm(nil)
}

// Another broker behind the same proxy is told so.
func TestWatchdogFollowsTheTarget(t *testing.T) {
	var w watchdog
	defer w.stop()
	for _, broker := range []string{"http://a:1", "http://a:1", "http://b:1"} {
		ctx := w.arm(t.Context(), target{dial: "proxy:1", broker: broker, proxy: true}, time.Hour)
		md, _ := metadata.FromOutgoingContext(ctx)
		if got := md.Get("x-danube-broker-url"); len(got) != 1 || got[0] != broker {
			t.Errorf("got %v, want %s", got, broker)
		}
		w.disarm(nil)
	}
	ctx := w.arm(t.Context(), target{dial: "a:1", broker: "http://a:1"}, time.Hour)
	if md, ok := metadata.FromOutgoingContext(ctx); ok {
		t.Errorf("without a proxy: got %v", md)
	}
	w.disarm(nil)
}
