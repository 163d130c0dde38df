package lanes

import (
	"slices"
	"time"
)

// batch is what a worker has taken up: items and the queues that they are from.
type batch[T any] struct {
	items  []T
	from   []*queue[T] // of each item
	queues []*queue[T] // each once
	bytes  int
	first  time.Time // when the first item began to wait
	out    []Outcome
}

// run is one worker. The last one of a lane stays and waits, the others end when
// nothing is ready.
func (l *Lane[T]) run() {
	w := &Worker{more: make(chan struct{}, 1)}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	if l.cfg.Ended != nil {
		defer l.cfg.Ended(w)
	}
	var b batch[T]
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.next(&b) {
		l.busy++
		full := l.fill(&b)
		if !full && l.cfg.BatchMax > 1 {
			l.linger(w, &b, timer)
		}
		l.hire() // for what is left
		l.mu.Unlock()
		b.out = slices.Grow(b.out[:0], len(b.items))[:len(b.items)]
		clear(b.out)
		l.cfg.Process(w, b.items, b.out)
		l.mu.Lock()
		l.finish(&b)
		l.busy--
	}
	l.workers--
}

// next waits until something is ready to be taken; false means that the worker
// must end.
func (l *Lane[T]) next(b *batch[T]) bool {
	for {
		switch {
		case l.stopped:
			return false
		case !l.paused && l.filling == nil && len(l.ready) > 0:
			return true
		case l.parked > 0:
			return false // another one waits
		}
		l.parked++
		l.work.Wait()
		l.parked--
	}
}

// fill takes up what is ready, and what came for keys of the batch; true means
// that the batch is full.
func (l *Lane[T]) fill(b *batch[T]) bool {
	for _, q := range b.queues {
		if l.take(b, q) {
			return true
		}
	}
	for len(l.ready) > 0 {
		q := l.ready[0]
		l.ready[0] = nil
		l.ready = l.ready[1:]
		q.state = working
		if len(b.items) == 0 && l.cfg.BatchMax > 1 {
			b.first = l.cfg.Since(q.items[0])
		}
		before := len(b.items)
		full := l.take(b, q)
		if len(b.items) == before { // its first item does not fit
			q.state = listed
			l.ready = append(l.ready, nil)
			copy(l.ready[1:], l.ready)
			l.ready[0] = q
			return true
		}
		b.queues = append(b.queues, q)
		if full {
			return true
		}
	}
	return false
}

// take moves items of a queue to the batch; true means that the batch is full.
func (l *Lane[T]) take(b *batch[T], q *queue[T]) bool {
	for q.taken < len(q.items) {
		if len(b.items) == l.cfg.BatchMax {
			return true
		}
		item := q.items[q.taken]
		size := l.cfg.Size(item)
		if limit := l.cfg.BatchBytes; limit > 0 && len(b.items) > 0 && b.bytes+size > limit {
			return true
		}
		b.items = append(b.items, item)
		b.from = append(b.from, q)
		b.bytes += size
		q.taken++
	}
	return len(b.items) == l.cfg.BatchMax || l.cfg.BatchBytes > 0 && b.bytes >= l.cfg.BatchBytes
}

// linger waits for more items of a batch that has begun: until it is full, its time
// is over, nothing has come for a while, or the lane stops.
func (l *Lane[T]) linger(w *Worker, b *batch[T], timer *time.Timer) {
	l.filling = w
	defer func() { l.filling = nil }()
	end := b.first.Add(l.cfg.Linger)
	for !l.stopped && !l.paused {
		left := min(time.Until(end), l.cfg.Quiet)
		if left <= 0 {
			return
		}
		l.mu.Unlock()
		timer.Reset(left)
		quiet := false
		select {
		case <-w.more:
		case <-timer.C:
			quiet = true
		}
		l.mu.Lock()
		if l.fill(b) || quiet {
			return
		}
	}
}

// finish sorts the items of a batch: those that are done leave, the others stay at
// the front of their queues, where the batch took them from.
func (l *Lane[T]) finish(b *batch[T]) {
	for i, q := range b.from {
		if b.out[i].Again {
			q.items[q.keep] = b.items[i]
			q.keep++
			q.wait = max(q.wait, b.out[i].After)
			continue
		}
		if b.out[i].Aside {
			continue
		}
		l.items--
		l.bytes -= l.cfg.Size(b.items[i])
	}
	for _, q := range b.queues {
		q.shrink()
		l.release(q)
	}
	clear(b.items)
	clear(b.from)
	clear(b.queues)
	b.items, b.from, b.queues, b.bytes = b.items[:0], b.from[:0], b.queues[:0], 0
	l.room.Broadcast()
}

// release gives a queue the state that its items ask for.
func (l *Lane[T]) release(q *queue[T]) {
	wait := q.wait
	q.wait = 0
	switch {
	case len(q.items) == 0:
		l.drop(q)
	case wait > 0 && !l.stopped:
		q.state = waiting
		q.timer = time.AfterFunc(wait, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			q.timer = nil
			if !l.stopped {
				l.list(q)
			}
		})
	default:
		l.list(q)
	}
}

// drop forgets a queue without items.
func (l *Lane[T]) drop(q *queue[T]) {
	q.state = idle
	delete(l.queues, q.key)
	if len(l.free) < maxFree && cap(q.base) <= 64 {
		l.free = append(l.free, q)
	}
}
