package danubetest

import (
	"context"
	"errors"
	"fmt"
)

// waiter is somebody who waits for the state to become something. pred runs in the
// loop after each change.
type waiter struct {
	pred func(*core) bool
	done chan struct{}
}

// notify looks at what others wait for, after a task that changed something.
func (c *core) notify() {
	if !c.changed {
		return
	}
	c.changed = false
	for w := range c.waiters {
		if w.pred(c) {
			delete(c.waiters, w)
			close(w.done)
		}
	}
}

// WaitError is what a wait ends with that was given up.
type WaitError struct {
	// What was waited for, and how far it got.
	What string
	// Dump is the broker's state at that time, see [Broker.Dump].
	Dump string
	// Err is the context's error, or [ErrClosed].
	Err error
}

// ErrClosed ends waits on a broker that is closed.
var ErrClosed = errors.New("the broker is closed")

// Error includes the broker's state, on further lines.
func (e *WaitError) Error() string {
	return fmt.Sprintf("danubetest: waiting for %s: %v\n%s", e.What, e.Err, e.Dump)
}

// Unwrap returns the context's error, or [ErrClosed].
func (e *WaitError) Unwrap() error { return e.Err }

// await waits until pred says so; what describes the wait and how far it got. Both run
// in the loop.
func (b *Broker) await(ctx context.Context, pred func(*core) bool, what func(*core) string) error {
	w := &waiter{pred: pred, done: make(chan struct{})}
	b.do(func(c *core) {
		if pred(c) {
			close(w.done)
			return
		}
		c.waiters[w] = struct{}{}
	})
	var err error
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-b.gone:
		err = ErrClosed
	}
	var missing string
	b.do(func(c *core) {
		delete(c.waiters, w)
		if !pred(c) {
			missing = what(c)
		}
	})
	if missing == "" {
		return nil
	}
	return &WaitError{missing, b.Dump(), err}
}

// awaitCount waits until a count is n or more.
func (b *Broker) awaitCount(ctx context.Context, n int, what string, count func(*core) uint64) error {
	return b.await(ctx,
		func(c *core) bool { return count(c) >= uint64(max(n, 0)) },
		func(c *core) string { return fmt.Sprintf("%d %s, have %d", n, what, count(c)) })
}

// WaitPublished waits until n messages were published to a topic, or to all partitions
// behind a base name, and returns those that are kept.
func (b *Broker) WaitPublished(ctx context.Context, topic string, n int) ([]Message, error) {
	err := b.awaitCount(ctx, n, "messages in "+topic, func(c *core) (have uint64) {
		for _, t := range c.find(topic) {
			have += t.earlier + t.next
		}
		return have
	})
	if err != nil {
		return nil, err
	}
	return b.Messages(topic), nil
}

// WaitAcked waits until n messages were acknowledged in a subscription.
func (b *Broker) WaitAcked(ctx context.Context, topic, sub string, n int) error {
	return b.waitCount(ctx, topic, sub, "acked", n, func(s *subscription) uint64 { return s.acked })
}

// WaitNacked waits until messages were nacked n times in a subscription.
func (b *Broker) WaitNacked(ctx context.Context, topic, sub string, n int) error {
	return b.waitCount(ctx, topic, sub, "nacked", n, func(s *subscription) uint64 { return s.nacked })
}

// waitCount waits for a count of a subscription, over all partitions behind a base name.
func (b *Broker) waitCount(ctx context.Context, topic, sub, what string, n int, count func(*subscription) uint64) error {
	what = fmt.Sprintf("%s in subscription %s of %s", what, sub, topic)
	return b.awaitCount(ctx, n, what, func(c *core) (have uint64) {
		for _, t := range c.find(topic) {
			if s := t.sub(sub); s != nil {
				have += count(s)
			}
		}
		return have
	})
}

// WaitIdle waits until a subscription exists and is done with every message of its
// topic: none in flight, none left to deliver.
func (b *Broker) WaitIdle(ctx context.Context, topic, sub string) error {
	left := func(c *core) (n uint64, exists bool) {
		topics := c.find(topic)
		exists = len(topics) > 0
		for _, t := range topics {
			s := t.sub(sub)
			if s == nil {
				return 0, false
			}
			n += s.unread() + uint64(s.open)
		}
		return n, exists
	}
	return b.await(ctx,
		func(c *core) bool {
			n, exists := left(c)
			return exists && n == 0
		},
		func(c *core) string {
			n, exists := left(c)
			if !exists {
				return fmt.Sprintf("subscription %s of %s, there is none", sub, topic)
			}
			return fmt.Sprintf("subscription %s of %s to be idle, %d messages left", sub, topic, n)
		})
}

// WaitConsumers waits until n consumers of a subscription have a stream open. Behind
// a base name, every partition counts for itself.
func (b *Broker) WaitConsumers(ctx context.Context, topic, sub string, n int) error {
	return b.waitCount(ctx, topic, sub, "open streams", n, func(s *subscription) (open uint64) {
		for _, co := range s.consumers {
			if co.stream != nil {
				open++
			}
		}
		return open
	})
}

// WaitCalls waits until n calls of a method were answered since the broker was made,
// whatever the answer. A call of ReceiveMessages counts when its stream is open.
func (b *Broker) WaitCalls(ctx context.Context, m Method, n int) error {
	return b.awaitCount(ctx, n, "calls of "+m.String(), func(c *core) uint64 { return c.calls.count(m) })
}

// WaitSubscription waits until pred says yes to the state of a subscription; it is not
// asked while there is none. It sees every state there was, in order, one after
// another, and runs in the caller's goroutine.
func (b *Broker) WaitSubscription(ctx context.Context, topic, subscription string, pred func(SubscriptionInfo) bool) error {
	var (
		seen   []SubscriptionInfo // filled by the loop, emptied by the caller
		notice = make(chan struct{}, 1)
	)
	w := &waiter{pred: func(c *core) bool {
		if info, ok := c.subscriptionInfo(topic, subscription); ok {
			seen = append(seen, info)
			select {
			case notice <- struct{}{}:
			default:
			}
		}
		return false
	}}
	b.do(func(c *core) {
		c.waiters[w] = struct{}{}
		w.pred(c)
	})
	defer b.do(func(c *core) { delete(c.waiters, w) })
	var err error
	for {
		var batch []SubscriptionInfo
		b.do(func(*core) { batch, seen = seen, nil })
		for _, info := range batch {
			if pred(info) {
				return nil
			}
		}
		if err != nil {
			return &WaitError{fmt.Sprintf("a state of subscription %s of %s", subscription, topic), b.Dump(), err}
		}
		select {
		case <-notice:
		case <-ctx.Done():
			err = ctx.Err() // look once more, then give up
		case <-b.gone:
			err = ErrClosed
		}
	}
}
