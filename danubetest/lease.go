package danubetest

import (
	"slices"
	"time"
)

// leaseTime is how long a producer or consumer that nobody uses is known without TrapLeak.
const leaseTime = time.Minute

// leaseProducer makes a producer be forgotten when it is not used for a while.
func (c *core) leaseProducer(p *producer) {
	p.seen = c.now
	if c.trap(TrapLeak) {
		return
	}
	p.lease.fire = func() {
		if end := p.seen.Add(leaseTime); end.After(c.now) {
			c.alarms.set(&p.lease, end)
			return
		}
		delete(c.producers, p.id)
		delete(p.topic.producers, p.name)
		c.changed = true
	}
	c.alarms.set(&p.lease, c.now.Add(leaseTime))
}

// leaseConsumer makes a consumer be forgotten that has no stream for a while.
func (c *core) leaseConsumer(co *consumer) {
	if c.trap(TrapLeak) {
		return
	}
	co.lease.fire = func() {
		if co.stream == nil {
			c.forgetConsumer(co)
		}
	}
	c.alarms.clear(&co.lease)
	c.alarms.set(&co.lease, c.now.Add(leaseTime))
}

// forgetConsumer removes a consumer that has no stream. What it had goes to the others.
func (c *core) forgetConsumer(co *consumer) {
	s := co.sub
	delete(c.consumers, co.id)
	c.alarms.clear(&co.leave)
	c.alarms.clear(&co.lease)
	s.consumers = slices.DeleteFunc(s.consumers, func(other *consumer) bool { return other == co })
	s.turn = 0
	for _, sl := range slices.Clone(s.slots.all()) {
		if sl != nil && sl.state == slotAwaiting && sl.consumer == co {
			c.end(sl, Lost)
			s.retry(sl, c.now)
		}
	}
	c.changed = true
	if s.stuckTo == co {
		s.retry(s.stuck, c.now)
		s.stuck, s.stuckTo = nil, nil
		c.resume(s)
		return
	}
	if !s.suspended() {
		c.pass(s)
	}
}

// revive gives the exhausted messages of a consumer another life.
func (c *core) revive(co *consumer) {
	s := co.sub
	for _, sl := range slices.Clone(s.exhausted) {
		if s.typ == Exclusive || s.typ == Failover || sl.consumer == co {
			sl.attempts = 0
			s.retry(sl, c.now)
		}
	}
}
