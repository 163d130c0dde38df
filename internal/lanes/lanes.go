// Package lanes runs work in order per key, with several workers, in batches or one
// by one, and lets what failed wait without holding up other keys.
package lanes

import (
	"sync"
	"time"
)

// Config describes a lane.
type Config[T any] struct {
	// Process does the work of one batch and fills out, one outcome for each item,
	// all of them Done before. It is called from up to Workers goroutines at once,
	// never for two batches with the same key.
	Process func(w *Worker, items []T, out []Outcome)
	// Ended, if set, is called when a worker ends.
	Ended func(w *Worker)
	// Size is what an item counts towards MaxBytes and BatchBytes.
	Size func(T) int
	// Workers is how many batches are processed at once, at least 1.
	Workers int
	// MaxBytes bounds what the lane holds; Push waits for room. One item always fits.
	MaxBytes int
	// BatchMax is the largest number of items in a batch; 1 makes none.
	BatchMax int
	// BatchBytes is the size at which a batch is full; 0 sets no limit.
	BatchBytes int
	// Linger is how long a batch waits for more items after its first, Quiet how long
	// it waits when none comes.
	Linger, Quiet time.Duration
	// Since is when an item began to wait, from which Linger counts.
	Since func(T) time.Time
}

// Outcome is what became of an item.
type Outcome struct {
	Again bool          // process it again, before every later item of its key
	After time.Duration // not before this time has passed
	Aside bool          // keep it out of its queue until Return or Remove; later ones go on
}

// Worker is one goroutine of a lane, for what Process wants to keep for it.
type Worker struct {
	// Local is Process's own; it starts as nil.
	Local any
	more  chan struct{} // a token when something was pushed while it fills a batch
}

// Lane is a set of queues, one for each key that has items. It is safe for
// concurrent use.
type Lane[T any] struct {
	cfg Config[T]

	mu      sync.Mutex
	queues  map[string]*queue[T]
	ready   []*queue[T] // with items and not in work, oldest first
	free    []*queue[T] // to use again
	items   int
	bytes   int
	workers int
	parked  int
	busy    int     // batches under way
	filling *Worker // waits for more items of its batch; it alone takes from ready
	stopped bool
	paused  bool
	work    sync.Cond // for workers: something is ready, or the lane has stopped
	room    sync.Cond // for Push
	wg      sync.WaitGroup
}

// New returns a lane. It has no goroutine before the first item.
func New[T any](cfg Config[T]) *Lane[T] {
	l := &Lane[T]{cfg: cfg, queues: make(map[string]*queue[T])}
	l.work.L, l.room.L = &l.mu, &l.mu
	return l
}

// Push adds an item behind those of its key, waiting for room. False means that
// the lane has stopped and did not take it.
func (l *Lane[T]) Push(key string, item T) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := l.cfg.Size(item)
	for !l.stopped && l.items > 0 && l.bytes+size > l.cfg.MaxBytes {
		l.room.Wait()
	}
	if l.stopped {
		return false
	}
	q := l.queues[key]
	if q == nil {
		q = l.newQueue(key)
	}
	q.add(item)
	l.items++
	l.bytes += size
	if q.state == idle {
		l.list(q)
	}
	if l.filling != nil {
		select {
		case l.filling.more <- struct{}{}:
		default:
		}
	}
	return true
}

func (l *Lane[T]) newQueue(key string) *queue[T] {
	var q *queue[T]
	if n := len(l.free); n > 0 {
		q = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		q = &queue[T]{}
	}
	q.key = key
	l.queues[key] = q
	return q
}

// maxFree bounds the queues that are kept for keys to come.
const maxFree = 64

// list makes a queue's items ready, with a worker to take them.
func (l *Lane[T]) list(q *queue[T]) {
	q.state = listed
	l.ready = append(l.ready, q)
	l.hire()
}

// hire wakes or starts a worker when one can take what is ready.
func (l *Lane[T]) hire() {
	if l.stopped || l.paused || l.filling != nil || len(l.ready) == 0 {
		return
	}
	if l.parked > 0 {
		l.work.Signal()
	} else if l.workers < l.cfg.Workers {
		l.workers++
		l.wg.Go(l.run)
	}
}

// Pause keeps the lane from taking up more; what is in work goes on.
func (l *Lane[T]) Pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = true
}

// Resume ends a pause.
func (l *Lane[T]) Resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused {
		l.paused = false
		for range l.ready {
			l.hire()
		}
	}
}

// Stop keeps the lane from taking anything in, and from starting another batch: one
// that was being filled is processed as it is. Items that wait are left.
func (l *Lane[T]) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	for _, q := range l.queues {
		if q.timer != nil {
			q.timer.Stop()
		}
	}
	if l.filling != nil {
		select {
		case l.filling.more <- struct{}{}:
		default:
		}
	}
	l.work.Broadcast()
	l.room.Broadcast()
}

// Wait returns when no batch is under way, after Stop.
func (l *Lane[T]) Wait() { l.wg.Wait() }

// Len is the number of items that are not done.
func (l *Lane[T]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.items
}

// Keys is the number of keys that have items.
func (l *Lane[T]) Keys() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queues)
}
