package danube

import (
	"context"
	"sync"
)

// pending is one accepted message on its way.
type pending struct {
	m    *Outgoing
	done func(Receipt, error)
}

// sendQueue holds the accepted messages of one partition, bounded by number and
// by bytes.
type sendQueue struct {
	maxItems, maxBytes int

	mu     sync.Mutex
	items  []pending // a ring: n items from head on
	head   int
	n      int
	bytes  int
	closed bool

	ready chan struct{} // a token when there may be something for the lane to do
	room  chan struct{} // a token when there may be room
}

func newSendQueue(maxItems, maxBytes int) *sendQueue {
	return &sendQueue{maxItems: maxItems, maxBytes: maxBytes, ready: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// push waits for room; false means that the queue is closed, an error that ctx
// ended.
func (q *sendQueue) push(ctx context.Context, it pending) (bool, error) {
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			token(q.room) // for the next one who waits
			return false, nil
		}
		size := len(it.m.Payload)
		if q.n == 0 || q.n < q.maxItems && q.bytes+size <= q.maxBytes {
			q.add(it)
			q.bytes += size
			more := q.n < q.maxItems && q.bytes < q.maxBytes
			q.mu.Unlock()
			token(q.ready)
			if more {
				token(q.room)
			}
			return true, nil
		}
		q.mu.Unlock()
		select {
		case <-q.room:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

func (q *sendQueue) add(it pending) {
	if q.n == len(q.items) {
		grown := make([]pending, max(16, 2*q.n))
		for i := range q.n {
			grown[i] = q.items[(q.head+i)%len(q.items)]
		}
		q.items, q.head = grown, 0
	}
	q.items[(q.head+q.n)%len(q.items)] = it
	q.n++
}

// pop takes the oldest message; done means that there is none and none will come.
func (q *sendQueue) pop() (it pending, ok, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == 0 {
		return pending{}, false, q.closed
	}
	it = q.items[q.head]
	q.items[q.head] = pending{}
	q.head = (q.head + 1) % len(q.items)
	q.n--
	q.bytes -= len(it.m.Payload)
	token(q.room)
	return it, true, false
}

// close ends the intake; what is in the queue stays there.
func (q *sendQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	token(q.ready)
	token(q.room)
}
