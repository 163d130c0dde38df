package danube

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func msg(n int) *Message { return &Message{Offset: uint64(n), Payload: make([]byte, n)} }

func TestInboxIsFirstInFirstOut(t *testing.T) {
	b := newInbox(10000, 1<<30)
	in, got := 0, 0
	for in < 5000 {
		for range 5 {
			in++
			b.put(t.Context(), &Message{Offset: uint64(in)})
		}
		for range 3 { // the backlog grows, so that what was taken is cut off on the way
			m, err := b.take(t.Context())
			if got++; err != nil || m.Offset != uint64(got) {
				t.Fatalf("got %v, %v; want %d", m.Offset, err, got)
			}
		}
	}
	for got < in {
		m, err := b.take(t.Context())
		if got++; err != nil || m.Offset != uint64(got) {
			t.Fatalf("got %v, %v; want %d", m.Offset, err, got)
		}
	}
	if b.bytes != 0 || b.n != 0 {
		t.Errorf("an empty inbox counts %d bytes, %d items", b.bytes, b.n)
	}
}

// Neither the number nor the bytes go over their bounds, but one message always
// fits.
func TestInboxBounds(t *testing.T) {
	tests := map[string]struct {
		items, bytes int
		in           []int
		next         int
		waits        bool
	}{
		"room":                 {3, 100, []int{10, 10}, 10, false},
		"full by number":       {2, 100, []int{10, 10}, 10, true},
		"full by bytes":        {9, 20, []int{10, 10}, 1, true},
		"exactly full":         {9, 20, []int{10}, 10, false},
		"too large, alone":     {9, 20, nil, 1000, false},
		"too large, not alone": {9, 20, []int{1}, 1000, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newInbox(tt.items, tt.bytes)
				for _, n := range tt.in {
					b.put(t.Context(), msg(n))
				}
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				b.put(ctx, msg(tt.next))
				if waited := time.Since(start) == time.Second; waited != tt.waits {
					t.Errorf("push waited: %v, want %v", waited, tt.waits)
				}
			})
		})
	}
}

// Several partitions wait for room in one inbox: as much as there is room for goes
// in, however many pops one wake-up stands for.
func TestInboxWakesAllPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newInbox(4, 100)
		for range 4 {
			b.put(t.Context(), msg(1))
		}
		var in atomic.Int32
		for range 4 {
			go func() {
				b.put(t.Context(), msg(1))
				in.Add(1)
			}()
		}
		synctest.Wait()
		for range 3 {
			if _, err := b.take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n := in.Load(); n != 3 {
			t.Errorf("%d partitions got on, want 3", n)
		}
		b.take(t.Context())
		synctest.Wait()
		if n := in.Load(); n != 4 {
			t.Errorf("%d partitions got on, want 4", n)
		}
	})
}

func TestInboxWakesAllReceivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newInbox(10, 100)
		var got atomic.Int32
		for range 3 {
			go func() {
				if _, err := b.take(t.Context()); err == nil {
					got.Add(1)
				}
			}()
		}
		synctest.Wait()
		for range 3 {
			b.put(t.Context(), msg(1))
		}
		synctest.Wait()
		if n := got.Load(); n != 3 {
			t.Errorf("%d of 3 receivers got a message", n)
		}
	})
}

func TestInboxPopEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("why")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		if _, err := newInbox(1, 1).take(ctx); !errors.Is(err, why) {
			t.Errorf("got %v, want the cause of the context", err)
		}
	})
}

// After close what is there is still handed out, everybody who waits is told, and
// nothing goes in.
func TestInboxClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newInbox(1, 100)
		b.put(t.Context(), msg(1))
		var in atomic.Int32
		for range 3 {
			go func() {
				b.put(t.Context(), msg(2))
				in.Add(1)
			}()
		}
		synctest.Wait()
		b.close()
		synctest.Wait()
		if n := in.Load(); n != 3 {
			t.Errorf("%d of 3 partitions that waited got on", n)
		}
		if m, err := b.take(t.Context()); err != nil || m.Offset != 1 {
			t.Errorf("got %v, %v; want what was there", m, err)
		}
		var told atomic.Int32
		for range 3 {
			go func() {
				if _, err := b.take(t.Context()); errors.Is(err, errInboxClosed) {
					told.Add(1)
				}
			}()
		}
		synctest.Wait()
		if n := told.Load(); n != 3 {
			t.Errorf("%d of 3 receivers were told", n)
		}
	})
}

// Close of a consumer drops what nobody can acknowledge any more.
func TestInboxDrop(t *testing.T) {
	b := newInbox(10, 100)
	b.put(t.Context(), msg(1))
	b.drop()
	if _, err := b.take(t.Context()); !errors.Is(err, errInboxClosed) {
		t.Errorf("got %v, want it closed and empty", err)
	}
	if b.bytes != 0 {
		t.Errorf("%d bytes are counted", b.bytes)
	}
}
