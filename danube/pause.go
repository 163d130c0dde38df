package danube

import (
	"context"
	"errors"
	"sync"
)

// gate keeps partitions from opening sessions while a consumer is paused.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // closed by Resume; nil while the consumer is not paused
}

var errPaused = errors.New("paused")

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = make(chan struct{})
	}
}

func (g *gate) lift() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open != nil {
		close(g.open)
		g.open = nil
	}
}

// waiting returns a channel to wait for, nil while the gate is open.
func (g *gate) waiting() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// pass waits until the gate is open; false means that ctx ended first.
func (g *gate) pass(ctx context.Context) bool {
	for {
		w := g.waiting()
		if w == nil {
			return ctx.Err() == nil
		}
		select {
		case <-w:
		case <-ctx.Done():
			return false
		}
	}
}

// Pause closes the streams of all partitions until Resume, for a consumer that
// cannot take anything for longer than half the broker's ack timeout: a stream that
// is open counts its ack timeouts, six of which block the subscription for good by
// default, and one that is not read blocks the publishers of its topic. What was
// received stays with the application; what was acknowledged and not sent goes out
// after Resume, when the broker delivers it again, too. Of what is published
// meanwhile, a broker keeps 256 messages for a subscription by default.
func (c *Consumer) Pause() {
	c.gate.shut()
	for _, p := range c.parts {
		p.mu.Lock()
		if p.sess != nil {
			p.sess.cancel(errPaused)
		}
		p.mu.Unlock()
	}
}

// Resume opens the streams again.
func (c *Consumer) Resume() { c.gate.lift() }
