// Package commit finds which of a source's own offsets may be committed: those of
// one source partition in the order of emission, up to the first that the broker
// has not acknowledged.
//
// A record without an offset lies before the next offset that is emitted, of any
// partition, so it holds all of them. Where records share an offset, it waits for
// the last of them.
package commit

import (
	"math"
	"slices"
	"sync"
	"time"
)

// Flight is one emitted record on its way. The zero Offset is none.
type Flight[O comparable] struct {
	Offset  O
	place   uint64    // in the order of emission, over all partitions
	at      time.Time // when it was settled, where there is a lag
	settled bool
	failed  bool
	dropped bool
}

// Tracker follows the flights of all source partitions. It is safe for concurrent
// use.
type Tracker[O comparable] struct {
	lag     time.Duration
	mu      sync.Mutex
	queues  map[string]*queue[O]
	order   []*queue[O] // in the order of first emission, so that takes are repeatable
	bare    queue[O]    // those without an offset
	emitted uint64
	ready   int // settled at the front of a queue
	pending int // not settled, over all queues
	held    int // all that were added and not taken
	max     int // of them, but for those that wait for nothing but their lag; 0: any number
	wake    chan struct{}
	idle    chan struct{} // closed when nothing is pending any more; nil when nobody waits
	room    chan struct{} // closed when there is room again; nil when nobody waits
}

type queue[O comparable] struct {
	name    string // the source partition
	flights []*Flight[O]
	head    int
	ready   int // settled flights from head on
}

// New returns an empty tracker. Take keeps what was settled less than lag ago. With max
// flights that cannot be taken yet, there is no room for more; see Room.
func New[O comparable](lag time.Duration, max int) *Tracker[O] {
	return &Tracker[O]{lag: lag, max: max, queues: make(map[string]*queue[O]), wake: make(chan struct{}, 1)}
}

// Add notes that a record is emitted; the order of calls is the order of commits.
func (t *Tracker[O]) Add(partition string, f *Flight[O]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.queue(partition, f)
	if q == nil {
		q = &queue[O]{name: partition}
		t.queues[partition] = q
		t.order = append(t.order, q)
	}
	f.place = t.emitted
	t.emitted++
	q.flights = append(q.flights, f)
	t.pending++
	t.held++
}

// queue returns the queue of a flight, nil before the first of its partition.
func (t *Tracker[O]) queue(partition string, f *Flight[O]) *queue[O] {
	var none O
	if f.Offset == none {
		return &t.bare
	}
	return t.queues[partition]
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
	t.ended()
	q := t.queue(partition, f)
	before := q.ready
	for i := q.head + q.ready; i < len(q.flights) && q.flights[i].settled; i++ {
		q.ready++
	}
	if q.ready > before {
		t.ready += q.ready - before
		t.makeRoom()
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

// Fail notes that a record was not published and will not be: nothing behind it in
// its source partition is ever committed, and behind one without an offset nothing
// at all.
func (t *Tracker[O]) Fail(f *Flight[O]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !f.settled && !f.failed {
		f.failed = true
		t.ended()
	}
}

func (t *Tracker[O]) ended() {
	t.pending--
	if t.pending == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
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
	now := time.Time{}
	if t.lag > 0 {
		now = time.Now()
	}
	wait := func(d time.Duration) {
		if d > 0 && (next == 0 || d < next) {
			next = d
		}
	}
	n, young := t.bare.old(math.MaxUint64, now, t.lag)
	wait(young)
	t.remove(&t.bare, n)
	limit := uint64(math.MaxUint64) // the place of the first that has no offset and is not settled
	if left := t.bare.flights[t.bare.head:]; len(left) > 0 {
		limit = left[0].place
	}
	for _, q := range t.order {
		n, young := q.old(limit, now, t.lag)
		wait(young)
		flights := q.flights[q.head:]
		for n > 0 && n < len(flights) && flights[n-1].Offset == flights[n].Offset {
			n--
		}
		for i, f := range flights[:n] {
			if offsets == nil {
				offsets = make([]O, 0, t.ready)
			}
			// Of records that share an offset, one tells.
			if !f.dropped && (i == 0 || len(offsets) == 0 || offsets[len(offsets)-1] != f.Offset) {
				offsets = append(offsets, f.Offset)
			}
		}
		t.remove(q, n)
	}
	t.forget()
	return offsets, next
}

// maxIdle is how many source partitions are kept that have nothing under way. A
// source whose partitions are files, say, has new ones for ever.
const maxIdle = 256

// forget lets go of partitions without flights where there are many.
func (t *Tracker[O]) forget() {
	if len(t.order) <= maxIdle {
		return
	}
	t.order = slices.DeleteFunc(t.order, func(q *queue[O]) bool {
		if len(q.flights) > 0 {
			return false
		}
		delete(t.queues, q.name)
		return true
	})
}

// old returns how many flights at the front are settled, emitted before limit and
// settled a lag ago, and how long it takes until there are more.
func (q *queue[O]) old(limit uint64, now time.Time, lag time.Duration) (n int, next time.Duration) {
	for _, f := range q.flights[q.head : q.head+q.ready] {
		if f.place > limit {
			break
		}
		if lag > 0 {
			if next = f.at.Add(lag).Sub(now); next > 0 {
				return n, next
			}
		}
		n++
	}
	return n, 0
}

// remove lets go of the first flights of a queue.
func (t *Tracker[O]) remove(q *queue[O], n int) {
	q.remove(n)
	t.ready -= n
	t.held -= n
	t.makeRoom()
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

// Settled is the number of settled records that were not taken yet and wait for
// nothing but their time. What was not emitted after all is none.
func (t *Tracker[O]) Settled() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, q := range append(slices.Clip(t.order), &t.bare) {
		for _, f := range q.flights[q.head : q.head+q.ready] {
			if !f.dropped {
				n++
			}
		}
	}
	return n
}

// Idle returns a channel that is closed when every record is settled or has failed.
func (t *Tracker[O]) Idle() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	if t.pending == 0 {
		close(t.idle)
		t.idle = nil
	}
	return idle
}

// Pending is the number of records that are neither settled nor failed.
func (t *Tracker[O]) Pending() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pending
}
