// Package ops is what a connector shows to those who operate it: a board of
// reasons for not being ready, and an HTTP server with metrics and probes.
package ops

import (
	"maps"
	"sync"
	"time"
)

// Board collects the reasons why a connector is not ready, or no longer alive. It
// is safe for concurrent use.
type Board struct {
	mu      sync.Mutex
	reasons map[string]string
	calls   map[*Call]struct{}
}

// NewBoard returns a board without a reason.
func NewBoard() *Board {
	return &Board{reasons: make(map[string]string), calls: make(map[*Call]struct{})}
}

// Set gives the reason why something is not ready; an empty one takes it away. It
// reports whether that changed anything.
func (b *Board) Set(name, reason string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reasons[name] == reason {
		return false
	}
	if reason == "" {
		delete(b.reasons, name)
	} else {
		b.reasons[name] = reason
	}
	return true
}

// NotReady returns the reasons for not being ready, nil when there is none.
func (b *Board) NotReady() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.reasons) == 0 {
		return nil
	}
	return maps.Clone(b.reasons)
}

// Call is one loop's calls into code that may not come back.
type Call struct {
	board *Board
	name  string
	since time.Time // of the call under way; zero when there is none
	limit time.Duration
}

// NewCall registers a loop.
func (b *Board) NewCall(name string) *Call {
	c := &Call{board: b, name: name}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[c] = struct{}{}
	return c
}

// Enter notes that a call begins that should end within limit.
func (c *Call) Enter(now time.Time, limit time.Duration) {
	c.board.mu.Lock()
	defer c.board.mu.Unlock()
	c.since, c.limit = now, limit
}

// Leave notes that the call has ended.
func (c *Call) Leave() {
	c.board.mu.Lock()
	defer c.board.mu.Unlock()
	c.since = time.Time{}
}

// Close takes the loop off the board.
func (c *Call) Close() {
	c.board.mu.Lock()
	defer c.board.mu.Unlock()
	delete(c.board.calls, c)
}

// Overdue returns the loops whose call has not come back within its limit and
// grace, with how long it has taken.
func (b *Board) Overdue(now time.Time, grace time.Duration) map[string]time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	var late map[string]time.Duration
	for c := range b.calls {
		if took := now.Sub(c.since); !c.since.IsZero() && took > c.limit+grace {
			if late == nil {
				late = make(map[string]time.Duration)
			}
			late[c.name] = took
		}
	}
	return late
}
