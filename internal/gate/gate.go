// Package gate stops goroutines at a point until it is opened.
package gate

import (
	"context"
	"sync"
)

// Gate is open at first. It is safe for concurrent use.
type Gate struct {
	mu   sync.Mutex
	open chan struct{} // closed when the gate opens; nil while it is open
}

// Shut closes the gate; false means that it was closed.
func (g *Gate) Shut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open != nil {
		return false
	}
	g.open = make(chan struct{})
	return true
}

// Lift opens the gate; false means that it was open.
func (g *Gate) Lift() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		return false
	}
	close(g.open)
	g.open = nil
	return true
}

// Waiting returns a channel that is closed when the gate opens, nil while it is open.
func (g *Gate) Waiting() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// Pass waits until the gate is open; false means that ctx ended first.
func (g *Gate) Pass(ctx context.Context) bool {
	for {
		w := g.Waiting()
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
