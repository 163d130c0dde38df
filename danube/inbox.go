package danube

import (
	"context"
	"errors"
	"sync"
)

// inbox holds the messages that wait for Receive.
type inbox struct {
	*bounded[*Message]
	// handOut, if set, is shown each message that is taken, in order.
	handOut func(*Message)
	order   sync.Mutex // held meanwhile
}

var errInboxClosed = errors.New("inbox closed")

func newInbox(maxItems, maxBytes int) *inbox {
	return &inbox{bounded: newBounded[*Message](maxItems, maxBytes, 8)}
}

// put waits for room until ctx ends; after close it drops the message, which the
// broker delivers to the next consumer.
func (b *inbox) put(ctx context.Context, m *Message) {
	_, _ = b.push(ctx, m, len(m.Payload))
}

// take waits for a message. What is there is handed out also when ctx has ended.
func (b *inbox) take(ctx context.Context) (*Message, error) {
	for {
		m, ok, done := b.next()
		if ok || done {
			token(b.ready) // there may be more, for another receiver
		}
		if ok {
			return m, nil
		}
		if done {
			return nil, errInboxClosed
		}
		select {
		case <-b.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// next takes the oldest message, if there is one.
func (b *inbox) next() (m *Message, ok, done bool) {
	if b.handOut == nil {
		return b.pop()
	}
	b.order.Lock()
	defer b.order.Unlock()
	if m, ok, done = b.pop(); ok {
		b.handOut(m)
	}
	return m, ok, done
}

// drop closes the inbox and forgets what is in it. When it returns, nothing is handed
// out any more.
func (b *inbox) drop() {
	b.order.Lock()
	defer b.order.Unlock()
	b.bounded.drop()
}
