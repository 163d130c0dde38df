package danubetest

import (
	"fmt"
	"time"
)

// WithDispatchRate limits how many messages a second each subscription hands out, as the
// policy max_subscription_dispatch_rate of a namespace does: so many at once, and so many
// more when a second has passed. 0, the default, means no limit. With [TrapRate] what is
// read beyond the rate is lost.
func WithDispatchRate(n int) Option {
	return func(c *config) error {
		if n < 0 {
			return fmt.Errorf("dispatch rate: %d: want 0 or more", n)
		}
		c.dispatchRate = n
		return nil
	}
}

// limiter counts what a subscription may hand out.
type limiter struct {
	tokens float64
	filled time.Time // zero before the first use
	wait   time.Duration
	again  alarm
}

const (
	firstRateWait = 10 * time.Millisecond // after the first message that is lost
	lastRateWait  = 100 * time.Millisecond
)

// take takes a token if there is one. Like the broker it adds none before a second has
// passed.
func (l *limiter) take(rate int, now time.Time) bool {
	if since := now.Sub(l.filled); l.filled.IsZero() || since >= time.Second {
		l.tokens = min(float64(rate), l.tokens+float64(rate)*since.Seconds())
		l.filled = now
	}
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}

// allowed reports whether the subscription may hand out the next message. When not, it
// looks again later; with TrapRate, without that message.
func (c *core) allowed(s *subscription) bool {
	l := &s.limiter
	if c.cfg.dispatchRate == 0 || l.take(c.cfg.dispatchRate, c.now) {
		l.wait = 0
		return true
	}
	l.again.fire = func() { c.again(s) }
	if !c.trap(TrapRate) {
		c.alarms.set(&l.again, l.filled.Add(time.Second))
		return false
	}
	s.lose(c.read(s))
	l.wait = min(max(2*l.wait, firstRateWait), lastRateWait)
	s.paused = true // it does nothing else meanwhile
	c.changed = true
	c.alarms.set(&l.again, c.now.Add(l.wait))
	return false
}

// again goes on with a subscription that was over its rate.
func (c *core) again(s *subscription) {
	switch {
	case !s.paused:
		if !s.suspended() {
			c.pass(s)
		}
		return
	case s.parked || s.dormant:
		return
	}
	s.paused = false
	if !c.readable(s) {
		s.park(c.now) // it wants a message, whatever there was before
		return
	}
	c.handOne(s)
	if !s.suspended() {
		c.resume(s)
	}
	if !s.suspended() {
		c.pass(s)
	}
}

// lose takes a message and is done with it as far as it ever will be.
func (s *subscription) lose(m *stored) {
	s.leap(s.take(m))
	s.skipped++
}
