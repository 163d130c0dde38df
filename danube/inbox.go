package danube

import (
	"context"
	"errors"
	"sync"
)

// inbox holds the messages that wait for Receive.
type inbox struct {
	maxItems, maxBytes int

	mu     sync.Mutex
	items  []*Message
	head   int
	bytes  int
	closed bool

	ready chan struct{} // a token when there may be a message
	room  chan struct{} // a token when there may be room
}

var errInboxClosed = errors.New("inbox closed")

func newInbox(maxItems, maxBytes int) *inbox {
	return &inbox{maxItems: maxItems, maxBytes: maxBytes, ready: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// push waits for room until ctx ends; after close it drops the message, which the
// broker delivers to the next consumer.
func (b *inbox) push(ctx context.Context, m *Message) {
	for {
		b.mu.Lock()
		n := len(b.items) - b.head
		if b.closed || n == 0 || n < b.maxItems && b.bytes+len(m.Payload) <= b.maxBytes {
			if !b.closed {
				b.items = append(b.items, m)
				b.bytes += len(m.Payload)
			}
			b.mu.Unlock()
			token(b.ready)
			return
		}
		b.mu.Unlock()
		select {
		case <-b.room:
		case <-ctx.Done():
			return
		}
	}
}

func (b *inbox) pop(ctx context.Context) (*Message, error) {
	for {
		b.mu.Lock()
		if b.head < len(b.items) {
			m := b.items[b.head]
			b.items[b.head] = nil
			b.head++
			if b.head == len(b.items) {
				b.items, b.head = b.items[:0], 0
			} else if b.head > 1024 && b.head > len(b.items)/2 {
				b.items, b.head = append(b.items[:0], b.items[b.head:]...), 0
			}
			b.bytes -= len(m.Payload)
			more := b.head < len(b.items) || b.closed
			b.mu.Unlock()
			token(b.room)
			if more {
				token(b.ready) // for another receiver
			}
			return m, nil
		}
		closed := b.closed
		b.mu.Unlock()
		if closed {
			token(b.ready)
			return nil, errInboxClosed
		}
		select {
		case <-b.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (b *inbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	token(b.ready)
	token(b.room)
}
