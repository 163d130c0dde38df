package danubetest

import (
	"slices"
	"time"
)

// The broker looks every reaperInterval for subscriptions of NonReliable topics that
// have been idle for longer than idleGrace.
const (
	idleGrace      = time.Minute
	reaperInterval = 30 * time.Second
)

// active reports whether one of the consumers is.
func (s *subscription) active() bool {
	return slices.ContainsFunc(s.consumers, func(co *consumer) bool { return co.active })
}

// idle notes that there was nobody to hand a message of a NonReliable topic to. Those
// who come to the subscription's name again end that; a consumer that only opens its
// stream again does not, and goes with the others when it is away for a moment later.
// With KeyShared the real broker does not notice.
func (c *core) idle(s *subscription) {
	if s.typ == KeyShared || len(s.consumers) == 0 || s.typ == Shared && s.active() || s.typ != Shared && s.consumers[0].active {
		return
	}
	if s.idleSince.IsZero() {
		s.idleSince = c.now
	}
	c.armReaper(s)
}

// armReaper sets the alarm for the next look at an idle subscription that nobody uses.
func (c *core) armReaper(s *subscription) {
	if s.idleSince.IsZero() || s.active() {
		return
	}
	looks := max(c.now.Sub(c.start), s.idleSince.Add(idleGrace).Sub(c.start))/reaperInterval + 1
	s.reaper.fire = func() { c.reap(s) }
	c.alarms.set(&s.reaper, c.start.Add(looks*reaperInterval))
}

// busy ends that a subscription is idle.
func (c *core) busy(s *subscription) {
	s.idleSince = time.Time{}
	c.alarms.clear(&s.reaper)
}

// reap forgets a subscription that nobody uses: its consumers are unknown then.
func (c *core) reap(s *subscription) {
	if s.active() {
		return
	}
	c.cfg.logger.Debug("idle subscription removed", "topic", s.topic.name, "subscription", s.name)
	c.meter(s.topic)
	c.dropConsumers(s)
	s.topic.subs = slices.DeleteFunc(s.topic.subs, func(other *subscription) bool { return other == s })
	c.changed = true
}
