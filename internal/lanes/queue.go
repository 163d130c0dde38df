package lanes

import "time"

type queueState uint8

const (
	idle    queueState = iota // no items
	listed                    // in ready
	working                   // a batch with its items is under way
	waiting                   // for the time of a retry
)

// queue is the items of one key, in order.
type queue[T any] struct {
	key   string
	items []T // the tail of base
	base  []T // the memory behind items, to use it again
	back  []T // returned while a batch is under way, to be put before items
	taken int // items from the front that are in the batch under way
	keep  int // of those, the ones that stay
	wait  time.Duration
	state queueState
	timer *time.Timer // of a wait
}

func (q *queue[T]) add(item T) {
	if len(q.items) == cap(q.items) && len(q.items) < cap(q.base)/2 {
		q.items = append(q.base[:0], q.items...) // they have moved away from its front
		clear(q.items[len(q.items):cap(q.items)])
	}
	grows := len(q.items) == cap(q.items)
	q.items = append(q.items, item)
	if grows {
		q.base = q.items
	}
}

// shrink removes those of the taken items that do not stay.
func (q *queue[T]) shrink() {
	n, keep := q.taken, q.keep
	q.taken, q.keep = 0, 0
	if keep > 0 { // to just before the items that were not taken
		copy(q.items[n-keep:n], q.items[:keep])
	}
	clear(q.items[:n-keep]) // or what is done would stay in memory
	q.items = q.items[n-keep:]
	if len(q.items) == 0 {
		q.items = q.base[:0]
	}
	if len(q.back) > 0 {
		q.prepend(q.back)
		q.back = nil
	}
}

// prepend puts items before all others, while no batch is under way.
func (q *queue[T]) prepend(items []T) {
	q.items = append(items[:len(items):len(items)], q.items...)
	q.base = q.items
}
