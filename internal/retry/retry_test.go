package retry

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaitsGrowToTheCapAndKeepTheirJitter(t *testing.T) {
	const limit = 1500 * time.Millisecond
	b := New(100*time.Millisecond, limit)
	want := 100 * time.Millisecond
	atCap := map[time.Duration]bool{}
	for i := range 200 {
		got := b.Next()
		if got < want/2 || got > want+want/2 {
			t.Fatalf("wait %d: got %v, want %v give or take half", i, got, want)
		}
		if got > limit {
			t.Fatalf("wait %d: got %v, more than the limit", i, got)
		}
		if want == time.Second {
			atCap[got] = true
		}
		want = min(2*want, time.Second)
	}
	if len(atCap) < 10 {
		t.Errorf("the waits at the cap hardly vary: %v", atCap)
	}
	b.Reset()
	if got := b.Next(); got > 150*time.Millisecond {
		t.Errorf("after Reset: got %v, want the first wait again", got)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if New(time.Hour, time.Hour).Wait(ctx) {
			t.Error("Wait says that it slept an hour")
		}
		if got := time.Since(start); got != time.Second {
			t.Errorf("ended after %v, want 1s", got)
		}
		if Sleep(ctx, 0) {
			t.Error("Sleep(0) of an ended context says true")
		}
		if !Sleep(context.Background(), time.Minute) {
			t.Error("Sleep did not sleep")
		}
	})
}

func TestNoWaitIsLongerThanTheLimit(t *testing.T) {
	for _, initial := range []time.Duration{time.Millisecond, time.Second, time.Minute} {
		b := New(initial, time.Second)
		for i := range 100 {
			if got := b.Next(); got > time.Second || got <= 0 {
				t.Errorf("from %v: wait %d is %v, want at most 1s", initial, i, got)
			}
		}
	}
}
