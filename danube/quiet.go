package danube

import (
	"context"
	"time"
)

const (
	// quietTime is how long a stream brings nothing when its broker has sent all that it
	// may; quietMax and quietMessages are how long, and for how much, Close waits for that.
	quietTime     = 20 * time.Millisecond
	quietMax      = time.Second
	quietMessages = 10000
)

// awaitQuiet reads on, without acknowledging, until the broker has sent all that it may
// send without. A broker of 0.15.1 whose dispatcher is about to send more than four
// messages when their stream ends waits for ever to send them, and with it everybody who
// subscribes to the topic, or publishes to it, until the broker is restarted.
func (c *Consumer) awaitQuiet(ctx context.Context) {
	for _, p := range c.partitions() {
		p.mu.Lock()
		p.rest = quietMessages
		p.mu.Unlock()
	}
	last := c.arrivals()
	for start := time.Now(); time.Since(start) < quietMax && ctx.Err() == nil && sleep(c.ctx, quietTime); {
		n := c.arrivals()
		if n == last {
			return
		}
		last = n
	}
}

// resting counts what comes while the consumer only waits for quiet. With p.mu held.
func (p *partition) resting() {
	if p.rest == 0 {
		return
	}
	if p.rest--; p.rest == 0 {
		p.c.cancel(ErrClosed)
	}
}

// arrivals counts what came, on all partitions that have a session.
func (c *Consumer) arrivals() (n uint64) {
	for _, p := range c.partitions() {
		p.mu.Lock()
		if p.sess != nil {
			n += p.counts.all
		}
		p.mu.Unlock()
	}
	return n
}
