package lanes

import "time"

// An item that is aside belongs to the lane, and counts in Len, but is in no queue:
// whoever set it aside decides what becomes of it.

// Return puts an item that was aside before all others of its key.
func (l *Lane[T]) Return(key string, item T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.queues[key]
	if q == nil {
		q = l.newQueue(key)
	}
	if q.state == working {
		q.back = append([]T{item}, q.back...) // when its batch is done
		return
	}
	q.prepend([]T{item})
	if q.state == idle {
		l.list(q)
	}
}

// Remove takes an item that was aside out of the lane: it is done.
func (l *Lane[T]) Remove(item T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items--
	l.bytes -= l.cfg.Size(item)
	l.room.Broadcast()
}

// Take sets aside the next item that a worker would take up, false when there is
// none. It is for a lane that is paused.
func (l *Lane[T]) Take() (key string, item T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ready) == 0 || l.stopped {
		return "", item, false
	}
	q := l.ready[0]
	key, item = q.key, q.items[0]
	q.taken = 1
	q.shrink()
	if len(q.items) == 0 {
		l.ready[0] = nil
		l.ready = l.ready[1:]
		l.drop(q)
	}
	return key, item, true
}

// Busy reports whether a batch is under way.
func (l *Lane[T]) Busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.busy > 0
}

// Oldest returns when the item began to wait that has waited longest, but for those
// that are aside; false when there is none.
func (l *Lane[T]) Oldest() (at time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, q := range l.queues {
		for _, item := range q.items {
			if t := l.cfg.Since(item); !ok || t.Before(at) {
				at, ok = t, true
			}
		}
	}
	return at, ok
}

// Left returns the items that are in queues or in work, after Stop; not those aside.
func (l *Lane[T]) Left() (items []T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, q := range l.queues {
		items = append(append(items, q.back...), q.items...)
	}
	return items
}
