package danube

import (
	"context"
	"errors"
)

// inbox holds the messages that wait for Receive.
type inbox struct {
	*bounded[*Message]
}

var errInboxClosed = errors.New("inbox closed")

func newInbox(maxItems, maxBytes int) *inbox {
	return &inbox{newBounded[*Message](maxItems, maxBytes)}
}

// put waits for room until ctx ends; after close it drops the message, which the
// broker delivers to the next consumer.
func (b *inbox) put(ctx context.Context, m *Message) {
	_, _ = b.push(ctx, m, len(m.Payload))
}

// take waits for a message. What is there is handed out also when ctx has ended.
func (b *inbox) take(ctx context.Context) (*Message, error) {
	for {
		m, ok, done := b.pop()
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
