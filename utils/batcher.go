package utils

import (
	"slices"
	"sync"
	"time"
)

// Batcher collects items until there are enough of them, they are large enough or
// the first has waited long enough. It flushes nothing by itself: the caller asks
// after each Add, and sets a timer for [Batcher.Due].
//
// It is safe for concurrent use. Of several goroutines that see a batch complete,
// one gets it from Flush and the others get what came since, possibly nothing.
type Batcher[T any] struct {
	maxItems int
	maxAge   time.Duration
	maxBytes int
	size     func(T) int

	mu       sync.Mutex
	items    []T
	bytes    int
	first    time.Time // when the oldest of items came
	capacity int       // of the next batch: what the last one needed
}

// NewBatcher returns a Batcher whose batches are complete with maxItems items, or
// maxAge after their first. A limit of 0 or less is none.
func NewBatcher[T any](maxItems int, maxAge time.Duration) *Batcher[T] {
	return &Batcher[T]{maxItems: maxItems, maxAge: maxAge}
}

// WithMaxBytes makes batches complete with maxBytes bytes as well, as measured by
// size, and returns b. A batch may exceed it by its last item. Call it before
// anything else.
func (b *Batcher[T]) WithMaxBytes(maxBytes int, size func(T) int) *Batcher[T] {
	b.maxBytes, b.size = maxBytes, size
	return b
}

// Add puts an item into the batch and reports whether the batch is complete, by
// number, bytes or age. It never drops nor refuses one: a caller that does not
// flush lets the batch grow.
func (b *Batcher[T]) Add(item T) (complete bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) == 0 {
		b.first = time.Now()
		if b.items == nil && b.capacity > 0 {
			b.items = make([]T, 0, b.capacity)
		}
	}
	b.items = append(b.items, item)
	if b.size != nil {
		b.bytes += b.size(item)
	}
	return b.full() || b.old()
}

// ShouldFlush reports whether there is a batch and it is complete.
func (b *Batcher[T]) ShouldFlush() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.full() || b.old()
}

// Due returns how long the batch may still wait, 0 when it is complete, for the
// caller's timer. ok is false when nothing waits for time: the batch is empty, or
// it has no age limit and room left.
func (b *Batcher[T]) Due() (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case len(b.items) == 0:
		return 0, false
	case b.full():
		return 0, true
	case b.maxAge <= 0:
		return 0, false
	default:
		return max(b.maxAge-time.Since(b.first), 0), true
	}
}

// Flush returns the items, in the order of Add, complete or not, and empties the
// batch; nil when there are none. The slice is the caller's: the next batch is
// collected in another, of the same capacity at once.
func (b *Batcher[T]) Flush() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) == 0 {
		return nil
	}
	items := b.items
	b.items, b.bytes, b.capacity = nil, 0, len(items)
	if b.maxItems > 0 { // one that nobody flushed in time is no measure
		b.capacity = min(b.capacity, b.maxItems)
	}
	return items
}

// Items returns a copy of what is in the batch.
func (b *Batcher[T]) Items() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.items)
}

// Len returns how many items are in the batch.
func (b *Batcher[T]) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.items)
}

// Bytes returns the size of the batch, 0 without [Batcher.WithMaxBytes].
func (b *Batcher[T]) Bytes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

// IsEmpty reports whether the batch has no items.
func (b *Batcher[T]) IsEmpty() bool { return b.Len() == 0 }

func (b *Batcher[T]) full() bool {
	return len(b.items) > 0 &&
		(b.maxItems > 0 && len(b.items) >= b.maxItems || b.maxBytes > 0 && b.bytes >= b.maxBytes)
}

func (b *Batcher[T]) old() bool {
	return len(b.items) > 0 && b.maxAge > 0 && time.Since(b.first) >= b.maxAge
}
