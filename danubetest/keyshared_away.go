package danubetest

import (
	"slices"
	"time"
)

// evictAfter is how long a consumer may be away before TrapKeyGone forgets it.
const evictAfter = 6 * heartbeat

// away notes that a KeyShared consumer has no stream any more. What it has in flight is
// due at once, but with TrapKeyGone.
func (c *core) away(co *consumer) {
	if !c.trap(TrapKeyGone) {
		c.requeue(co.sub, co)
		c.pass(co.sub)
		return
	}
	if s := co.sub; !s.suspended() {
		c.passKeys(s, 0, lookHeld)
	} else {
		c.command(s, nil, func() { c.passKeys(s, 0, lookHeld) })
	}
	if co.active {
		co.retried = true // once it has a stream, what waits is looked at
		return
	}
	co.leave.fire = func() { c.evict(co) }
	co.awaySince, co.awayUntil = c.now, c.now.Add(evictAfter)
	c.alarms.set(&co.leave, co.awayUntil)
}

// awaken goes on with forgetting the consumers that are away: as long as the subscription
// was parked since a time, nobody counted.
func (c *core) awaken(s *subscription, since time.Time) {
	for _, co := range s.consumers {
		if s.typ == KeyShared && c.trap(TrapKeyGone) && !co.active && !co.evicted && !co.awayUntil.IsZero() {
			from := since
			if co.awaySince.After(from) {
				from = co.awaySince
			}
			co.awayUntil = co.awayUntil.Add(c.now.Sub(from))
			c.alarms.clear(&co.leave)
			c.alarms.set(&co.leave, co.awayUntil)
		}
	}
}

// evict forgets a consumer that was away too long: what it has in flight counts as
// acked.
func (c *core) evict(co *consumer) {
	s := co.sub
	if co.active || c.consumers[co.id] != co || s.parked {
		return
	}
	co.evicted = true
	look := keyLook(0)
	for _, sl := range slices.Clone(s.slots.all()) {
		if sl != nil && sl.state == slotAwaiting && sl.consumer == co {
			c.end(sl, Dropped)
			s.dropped++
			c.stats.Dropped++
			c.settle(s, sl)
			look = lookHeld
		}
	}
	if c.trap(TrapKeyBeat) && !slices.ContainsFunc(s.consumers, func(co *consumer) bool { return !co.evicted }) {
		for _, sl := range slices.Clone(s.held) { // nobody wants them, it finds
			s.skipped++
			c.settle(s, sl)
		}
	}
	c.passKeys(s, c.keyRest(), look)
}
