// Package commit finds which of a source's own offsets may be committed: those of
// one source partition in the order of emission, up to the first that the broker
// has not acknowledged.
package commit

import (
	"sync"
	"time"
)

// Flight is one emitted record on its way.
type Flight[O any] struct {
	Offset  O
	at      time.Time // when it was settled, where there is a lag
	settled bool
	failed  bool
	dropped bool
}

// Tracker follows the flights of all source partitions. It is safe for concurrent
// use.
type Tracker[O any] struct {
	lag     time.Duration
	mu      sync.Mutex
	queues  map[string]*queue[O]
	order   []*queue[O] // in the order of first emission, so that takes are repeatable
	ready   int         // settled at the front of a queue
	pending int         // not settled, over all queues
	wake    chan struct{}
}

type queue[O any] struct {
	flights []*Flight[O]
	head    int
	ready   int // settled flights from head on
}

// New returns an empty tracker. Take keeps what was settled less than lag ago.
func New[O any](lag time.Duration) *Tracker[O] {
	return &Tracker[O]{lag: lag, queues: make(map[string]*queue[O]), wake: make(chan struct{}, 1)}
}

// Add notes that a record is emitted; the order of calls is the order of commits.
func (t *Tracker[O]) Add(partition string, f *Flight[O]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.queues[partition]
	if q == nil {
		q = &queue[O]{}
		t.queues[partition] = q
		t.order = append(t.order, q)
	}
	q.flights = append(q.flights, f)
	t.pending++
}

// Drop takes back an Add: the record was not emitted after all.
func (t *Tracker[O]) Drop(partition string, f *Flight[O]) {
	t.mu.Lock()
	f.dropped = true
	t.mu.Unlock()
	t.Settle(partition, f)
}

// Settle notes that a record needs nothing any more: the broker has it, or it was
// given up by a policy.
func (t *Tracker[O]) Settle(partition string, f *Flight[O]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.settled || f.failed {
		return
	}
	f.settled = true
	if t.lag > 0 {
		f.at = time.Now()
	}
	t.pending--
	q := t.queues[partition]
	before := q.ready
	for i := q.head + q.ready; i < len(q.flights) && q.flights[i].settled; i++ {
		q.ready++
	}
	if q.ready > before {
		t.ready += q.ready - before
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

// Fail notes that a record was not published and will not be: nothing behind it in
// its source partition is ever committed.
func (t *Tracker[O]) Fail(f *Flight[O]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !f.settled && !f.failed {
		f.failed = true
		t.pending--
	}
}

// Take returns the offsets that may be committed and were not taken before, those
// of one source partition together and in order, and how long it takes until there
// are more without anything happening, 0 when there are none to wait for.
func (t *Tracker[O]) Take() (offsets []O, next time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ready == 0 {
		return nil, 0
	}
	var old time.Time // what was settled after this stays
	if t.lag > 0 {
		old = time.Now().Add(-t.lag)
	}
	offsets = make([]O, 0, t.ready)
	for _, q := range t.order {
		n := 0
		for _, f := range q.flights[q.head : q.head+q.ready] {
			if t.lag > 0 && f.at.After(old) {
				if wait := f.at.Sub(old); next == 0 || wait < next {
					next = wait
				}
				break
			}
			if !f.dropped {
				offsets = append(offsets, f.Offset)
			}
			n++
		}
		q.remove(n)
		t.ready -= n
	}
	return offsets, next
}

// remove lets go of the first n flights, all settled.
func (q *queue[O]) remove(n int) {
	clear(q.flights[q.head : q.head+n])
	q.head += n
	q.ready -= n
	if q.head == len(q.flights) {
		q.flights, q.head = q.flights[:0], 0
	} else if q.head > 256 && q.head > len(q.flights)/2 {
		left := copy(q.flights, q.flights[q.head:])
		clear(q.flights[left:])
		q.flights, q.head = q.flights[:left], 0
	}
}

// Ready receives a token when there may be something to take.
func (t *Tracker[O]) Ready() <-chan struct{} { return t.wake }

// Pending is the number of records that are neither settled nor failed.
func (t *Tracker[O]) Pending() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pending
}
