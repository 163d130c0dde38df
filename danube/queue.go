package danube

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// bounded is a queue that is bounded by number and by bytes. Who finds it full
// waits in line: nobody overtakes, so that a large value is not kept out for ever
// by small ones.
type bounded[T any] struct {
	maxItems, maxBytes int
	share              int // this part of a full queue must be free before it takes more: 8 for an eighth

	mu      sync.Mutex
	items   []sized[T] // a ring: n items from head on
	head    int
	n       int
	bytes   int
	out     bool // whether what was taken last may still be in use
	closed  bool
	waiting []*waiter[T]
	full    atomic.Bool // whether a push would wait, by and large

	ready chan struct{} // a token when there may be something to take
}

type sized[T any] struct {
	value T
	bytes int
}

// waiter is one push that waits for room. Who makes the room puts its value in.
type waiter[T any] struct {
	it   sized[T]
	in   bool
	done chan struct{} // closed when the value is in, or never will be
}

func newBounded[T any](maxItems, maxBytes, share int) *bounded[T] {
	return &bounded[T]{maxItems: maxItems, maxBytes: maxBytes, share: share, ready: make(chan struct{}, 1)}
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// push waits for room; false means that the queue is closed, an error that ctx
// ended. One value always fits.
func (q *bounded[T]) push(ctx context.Context, v T, bytes int) (bool, error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	it := sized[T]{v, bytes}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false, nil
	}
	if len(q.waiting) == 0 && q.fits(bytes) {
		q.add(it)
		q.noteFull()
		q.mu.Unlock()
		token(q.ready)
		return true, nil
	}
	w := &waiter[T]{it: it, done: make(chan struct{})}
	q.waiting = append(q.waiting, w)
	q.noteFull()
	q.mu.Unlock()

	select {
	case <-w.done:
		return w.in, nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-w.done:
		return w.in, nil
	default:
	}
	q.waiting = slices.DeleteFunc(q.waiting, func(o *waiter[T]) bool { return o == w })
	q.letIn() // it may have been in the way of smaller ones
	q.noteFull()
	return false, context.Cause(ctx)
}

func (q *bounded[T]) fits(bytes int) bool {
	return q.n == 0 || q.n < q.maxItems && q.bytes+bytes <= q.maxBytes
}

// noteFull tells those who can choose another queue. With q.mu held.
func (q *bounded[T]) noteFull() {
	if full := len(q.waiting) > 0 || q.n >= q.maxItems || q.bytes >= q.maxBytes; full != q.full.Load() {
		q.full.Store(full)
	}
}

func (q *bounded[T]) add(it sized[T]) {
	if q.n == len(q.items) {
		grown := make([]sized[T], max(16, 2*q.n))
		for i := range q.n {
			grown[i] = q.items[(q.head+i)%len(q.items)]
		}
		q.items, q.head = grown, 0
	}
	q.items[(q.head+q.n)%len(q.items)] = it
	q.n++
	q.bytes += it.bytes
}

// roomy reports whether so much has left a full queue that it is worth waking those
// who wait. One by one, each value taken would cost a switch to another goroutine, and
// often the wake-up of a processor, for one that comes in.
func (q *bounded[T]) roomy() bool {
	return q.n == 0 || q.n <= q.maxItems-q.maxItems/q.share && q.bytes <= q.maxBytes-q.maxBytes/q.share
}

// admit lets in who waits once there is room enough.
func (q *bounded[T]) admit() {
	if q.roomy() {
		q.letIn()
	}
}

// letIn lets in who has waited longest, as many as fit.
func (q *bounded[T]) letIn() {
	for len(q.waiting) > 0 && q.fits(q.waiting[0].it.bytes) {
		w := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		w.in = true
		q.add(w.it)
		close(w.done)
		token(q.ready)
	}
}

// pop takes the oldest value; done means that there is none and none will come.
func (q *bounded[T]) pop() (v T, ok, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.out = q.n > 0
	if q.n == 0 {
		return v, false, q.closed
	}
	it := q.items[q.head]
	q.items[q.head] = sized[T]{}
	q.head = (q.head + 1) % len(q.items)
	q.n--
	q.bytes -= it.bytes
	q.admit()
	q.noteFull()
	return it.value, true, false
}

// close ends the intake, also for those who wait; what is in the queue stays there.
// idle reports that nothing is, and that what was taken before is settled: whoever
// takes has asked again since.
func (q *bounded[T]) close() (idle bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, w := range q.waiting {
		close(w.done)
	}
	q.waiting = nil
	token(q.ready)
	return q.n == 0 && !q.out
}

// drop closes the queue and forgets what is in it.
func (q *bounded[T]) drop() {
	q.mu.Lock()
	q.items, q.head, q.n, q.bytes = nil, 0, 0, 0
	q.mu.Unlock()
	q.close()
}
