// Package retry makes the waits between attempts: exponential, with jitter that
// is still there at the cap, never ending by themselves.
package retry

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Backoff is one sequence of waits. It is not safe for concurrent use: each loop
// that retries has its own, so that loops that failed together do not come back
// together.
type Backoff struct {
	b      *backoff.ExponentialBackOff
	waited bool // since the start of the sequence
}

// New returns a sequence that starts at initial and doubles, each wait spread by half
// of it to either side, none longer than limit. It never gives up: the context of the
// caller does.
func New(initial, limit time.Duration) *Backoff {
	limit = limit * 2 / 3 // half of it to the upper side is the limit
	return &Backoff{b: backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(min(initial, limit)),
		backoff.WithMaxInterval(limit),
		backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(0.5),
		backoff.WithMaxElapsedTime(0),
	)}
}

// Next returns the next wait.
func (b *Backoff) Next() time.Duration {
	b.waited = true
	return b.b.NextBackOff()
}

// Reset starts the sequence again, after a success. After most successes there is
// nothing to do, and the library would ask the clock.
func (b *Backoff) Reset() {
	if b.waited {
		b.waited = false
		b.b.Reset()
	}
}

// Wait sleeps for the next wait of the sequence; false means that ctx ended first.
func (b *Backoff) Wait(ctx context.Context) bool { return Sleep(ctx, b.Next()) }

// Sleep waits for d; false means that ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
