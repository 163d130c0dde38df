package danube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func mustPush(t *testing.T, q *bounded[int], bytes int) {
	t.Helper()
	if ok, err := q.push(t.Context(), bytes, bytes); !ok || err != nil {
		t.Fatalf("push: %v, %v", ok, err)
	}
}

func TestQueueIsFirstInFirstOut(t *testing.T) {
	q := newBounded[int](100, 1<<20, 8)
	var in, got int
	for round := range 50 { // so that the ring wraps and grows at every place
		for range round {
			in++
			mustPush(t, q, in)
			if q.n > 40 {
				break
			}
		}
		for range round/2 + 1 {
			it, ok, done := q.pop()
			if done {
				t.Fatal("an open queue says that it is done")
			}
			if !ok {
				break
			}
			if got++; it != got {
				t.Fatalf("got message %d, want %d", it, got)
			}
		}
	}
	for got < in {
		it, _, _ := q.pop()
		if got++; it != got {
			t.Fatalf("got message %d, want %d", it, got)
		}
	}
	if q.bytes != 0 || q.n != 0 {
		t.Errorf("an empty queue counts %d messages, %d bytes", q.n, q.bytes)
	}
}

func TestQueueBounds(t *testing.T) {
	tests := map[string]struct {
		items, bytes int
		in           []int
		next         int
		waits        bool
	}{
		"room":                     {3, 100, []int{10, 10}, 10, false},
		"full by number":           {2, 100, []int{10, 10}, 10, true},
		"full by bytes":            {9, 20, []int{10, 10}, 1, true},
		"exactly full by bytes":    {9, 20, []int{10}, 10, false},
		"one too large always":     {9, 20, nil, 1000, false},
		"one too large, not alone": {9, 20, []int{1}, 1000, true},
		"empty messages":           {2, 1, []int{0}, 0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newBounded[int](tt.items, tt.bytes, 8)
				for _, n := range tt.in {
					mustPush(t, q, n)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				ok, err := q.push(ctx, tt.next, tt.next)
				if waits := !ok; waits != tt.waits || (err != nil) != tt.waits {
					t.Errorf("push: %v, %v; want it to wait: %v", ok, err, tt.waits)
				}
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want the context's error", err)
				}
			})
		})
	}
}

// A context that has ended already is told before the message is accepted, also
// when there is room: the caller does not want it published.
func TestQueueRefusesAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	q := newBounded[int](2, 100, 8)
	if ok, err := q.push(ctx, 1, 1); ok || !errors.Is(err, why) {
		t.Errorf("got %v, %v; want the cause", ok, err)
	}
	if q.n != 0 {
		t.Error("the message is in the queue")
	}
}

// Nobody overtakes: who waits longest gets in first, a large value too, and one pop
// lets in as many as fit, once an eighth of the bytes is free.
func TestQueueAdmitsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newBounded[int](100, 100, 8)
		mustPush(t, q, 60)
		mustPush(t, q, 40)
		var in atomic.Int32
		for _, n := range []int{50, 7, 3, 90, 8} {
			go func() {
				if ok, _ := q.push(t.Context(), n, n); ok {
					in.Add(1)
				}
			}()
			synctest.Wait()
		}
		if n := in.Load(); n > 0 {
			t.Errorf("%d got into a full queue", n)
		}
		for _, want := range []struct{ out, in int }{{60, 3}, {40, 3}, {50, 4}, {7, 4}, {3, 4}, {90, 5}, {8, 5}} {
			if v, ok, _ := q.pop(); !ok || v != want.out {
				t.Fatalf("got %d, %v; want %d", v, ok, want.out)
			}
			synctest.Wait()
			if n := int(in.Load()); n != want.in {
				t.Errorf("after %d left, %d are in, want %d", want.out, n, want.in)
			}
		}
	})
}

// withShares runs a test on a queue of a consumer, which takes more when an eighth of it
// is free, and on one of a producer, which waits for half.
func withShares(t *testing.T, f func(t *testing.T, share int)) {
	for _, share := range []int{8, 2} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, share) })
		})
	}
}

// A large queue that was full wakes nobody for one place: who waits is let in when its
// share is free, and then goes on without waiting.
func TestQueueWakesForManyPlaces(t *testing.T) {
	withShares(t, func(t *testing.T, share int) {
		q := newBounded[int](80, 1<<20, share)
		places := 80 / share
		for range 80 {
			mustPush(t, q, 1)
		}
		var in atomic.Int32
		go func() {
			for range places {
				if ok, _ := q.push(t.Context(), 1, 1); ok {
					in.Add(1)
				}
			}
		}()
		for i := range places {
			synctest.Wait()
			if n := in.Load(); n > 0 {
				t.Fatalf("%d got in after %d left", n, i)
			}
			q.pop()
		}
		synctest.Wait()
		if n := in.Load(); int(n) != places || q.n != 80 {
			t.Errorf("%d got in, %d are there, want %d and 80", n, q.n, places)
		}
	})
}

// Who gives up waiting is out, and does not stand in the way of the next.
func TestQueueWaiterGivesUp(t *testing.T) {
	withShares(t, func(t *testing.T, share int) {
		q := newBounded[int](100, 100, share)
		mustPush(t, q, 60)
		ctx, cancel := context.WithCancel(t.Context())
		var gone, in bool
		go func() {
			_, err := q.push(ctx, 99, 99)
			gone = errors.Is(err, context.Canceled)
		}()
		synctest.Wait()
		go func() {
			in, _ = q.push(t.Context(), 5, 5)
		}()
		synctest.Wait()
		if in {
			t.Error("the small one overtook the large one")
		}
		cancel()
		synctest.Wait()
		if !gone || !in || q.n != 2 || q.bytes != 65 || len(q.waiting) != 0 {
			t.Errorf("told: %v, the next one in: %v, %d items, %d bytes, %d wait", gone, in, q.n, q.bytes, len(q.waiting))
		}
	})
}

func TestQueueClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newBounded[int](1, 100, 8)
		mustPush(t, q, 1)
		var refused atomic.Int32
		for range 5 {
			go func() {
				if ok, err := q.push(t.Context(), 1, 1); !ok && err == nil {
					refused.Add(1)
				}
			}()
		}
		synctest.Wait()
		if q.close() {
			t.Error("a queue with something in it is idle")
		}
		synctest.Wait()
		if n := refused.Load(); n != 5 {
			t.Errorf("%d of 5 who waited were told", n)
		}
		if _, ok, done := q.pop(); !ok || done {
			t.Error("what was accepted is gone")
		}
		if _, ok, done := q.pop(); ok || !done {
			t.Error("an empty closed queue is not done")
		}
		select {
		case <-q.ready:
		default:
			t.Error("close did not wake the lane")
		}
	})
}

// A lane that has nothing left need not wait for anything.
func TestQueueIdle(t *testing.T) {
	q := newBounded[int](1, 100, 8)
	if !q.close() {
		t.Error("a new queue is not idle")
	}
	q = newBounded[int](1, 100, 8)
	mustPush(t, q, 1)
	q.pop()
	if q.close() {
		t.Error("idle while the value that was taken is in use")
	}
	q.pop()
	if !q.close() {
		t.Error("not idle after who takes came back")
	}
}

// Pushes and pops from many goroutines: everything comes out once, and the bounds
// hold at every moment.
func TestQueueUnderLoad(t *testing.T) {
	q := newBounded[int](5, 200, 8)
	const senders, each = 8, 500
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				v := s*each + i
				if i%97 == 13 { // some give up at once, and try again
					ctx, cancel := context.WithCancel(t.Context())
					cancel()
					if ok, _ := q.push(ctx, -1, 1); ok {
						t.Error("accepted with a context that has ended")
					}
				}
				if ok, err := q.push(t.Context(), v, v%90); !ok || err != nil {
					t.Errorf("push: %v, %v", ok, err)
				}
			}
		})
	}
	go func() { wg.Wait(); q.close() }()
	last := make([]int, senders)
	n := 0
	for {
		v, ok, done := q.pop()
		if done {
			break
		}
		if !ok {
			<-q.ready
			continue
		}
		n++
		if s := v / each; v%each < last[s] {
			t.Errorf("sender %d: %d came after %d", s, v%each, last[s])
		} else {
			last[s] = v % each
		}
		q.mu.Lock()
		if q.n > 5 || q.bytes > 200 && q.n > 1 {
			t.Errorf("%d items, %d bytes", q.n, q.bytes)
		}
		q.mu.Unlock()
	}
	if n != senders*each {
		t.Errorf("%d came out, want %d", n, senders*each)
	}
}
