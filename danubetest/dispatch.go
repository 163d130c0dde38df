package danubetest

import "time"

// pass hands out what can be handed out: first what is to be sent again, then, with
// room in the window and nothing poisonous in the way, what was never sent.
func (c *core) pass(s *subscription) {
	switch {
	case s.topic.dispatch == NonReliable:
		return
	case s.typ == KeyShared:
		c.passKeys(s, c.keyRest(), lookHeld)
		return
	case s.policy.Poison == DeadLetter && len(s.exhausted) > 0:
		c.buryAll(s)
	}
	for _, sl := range s.dueRetries(c.now) {
		co := c.pick(s)
		if co == nil {
			break
		}
		if !c.send(s, sl, co) {
			return
		}
	}
	blocked := len(s.exhausted) > 0 && s.policy.Poison == Block ||
		len(s.waiting) > 0 && !c.trap(TrapOvertake)
	for !blocked && s.open < c.cfg.maxUnacked && c.unpolled(s) {
		co := c.pick(s)
		if co == nil {
			break
		}
		if !c.readable(s) {
			if !s.ended {
				s.park(c.now)
			}
			break
		}
		if !c.allowed(s) {
			break
		}
		if !c.send(s, s.take(c.read(s)), co) {
			return
		}
	}
	c.schedule(s)
}

// send hands one message to a consumer. Every time counts as an attempt. It reports
// false when there is no room, and the subscription waits for it.
func (c *core) send(s *subscription, sl *slot, co *consumer) bool {
	if !c.hasRoom(co) {
		c.meter(s.topic) // says so until there is room
		s.stuck, s.stuckTo = sl, co
		c.changed = true
		return false
	}
	sl.attempts++
	s.await(sl, co, c.now.Add(s.policy.AckTimeout))
	sl.record = c.record(s, sl.msg, co, sl.attempts)
	if sl.attempts > 1 {
		s.redelivered++
		c.stats.Redelivered++
	}
	c.push(s, sl.msg, co)
	return true
}

// schedule sets the alarm for the next heartbeat at which there is something to do.
func (c *core) schedule(s *subscription) {
	due := s.nextDue()
	if beat := c.keyBeat(s); due.IsZero() || !beat.IsZero() && beat.Before(due) {
		due = beat
	}
	if c.trap(TrapParked) && s.typ != KeyShared && s.open < c.cfg.maxUnacked && len(s.exhausted) == 0 && c.lags(s) {
		due = c.now.Add(1) // it looks at every heartbeat
	}
	if due.IsZero() || s.suspended() || !c.attended(s) {
		return
	}
	if due.Before(c.now) {
		due = c.now
	}
	if (s.typ == KeyShared || s.typ == Failover || s.policy.AckTimeout == 0) && !due.After(c.now) {
		due = c.now.Add(1) // not at this instant again
	}
	beats := (due.Sub(s.born) + heartbeat - 1) / heartbeat
	c.alarms.set(&s.alarm, s.born.Add(beats*heartbeat))
}

// beat is a heartbeat: ack timeouts, then a pass.
func (c *core) beat(s *subscription) {
	if s.suspended() {
		return // resume looks again
	}
	look := lookAgain | lookNew
	for {
		sl := s.awaiting.front
		if sl == nil || sl.due.After(c.now) {
			break
		}
		look |= lookHeld
		s.timeouts++
		c.stats.TimedOut++
		c.fail(s, sl, TimedOut, "", 0)
	}
	if s.typ == KeyShared {
		c.passKeys(s, c.keyPace(), look)
		return
	}
	c.pass(s)
}

// ack settles the message at a place. One that does not await an ack is left alone:
// the broker answers OK and will deliver it again.
func (c *core) ack(s *subscription, place uint64) {
	sl := s.get(place)
	if sl == nil || sl.state != slotAwaiting && (c.trap(TrapLateAck) || sl.record < 0) {
		s.late++
		c.stats.LateAcks++
		c.changed = true
		return
	}
	if !sl.msg.ackedBy(s) {
		s.acked++
		c.stats.Acked++
	}
	c.settled++
	c.end(sl, Acked).order = c.settled
	c.settle(s, sl)
	c.pass(s)
}

// nack schedules the message at a place again, whatever it is doing.
func (c *core) nack(s *subscription, place uint64, delay time.Duration, reason string) {
	sl := s.get(place)
	if sl == nil {
		s.late++
		c.stats.LateAcks++
		c.changed = true
		return
	}
	s.nacked++
	c.stats.Nacked++
	c.fail(s, sl, Nacked, reason, delay)
	if s.typ == KeyShared {
		c.passKeys(s, c.keyRest(), 0)
		return
	}
	c.pass(s)
}

// fail is what follows a nack and an ack timeout: another attempt later, or none.
func (c *core) fail(s *subscription, sl *slot, o Outcome, reason string, delay time.Duration) {
	if sl.state == slotAwaiting {
		d := c.end(sl, o)
		d.reason, d.delay = reason, delay
	}
	if sl.reason = reason; o == TimedOut {
		sl.reason = "ack timeout"
	}
	c.changed = true
	if sl.attempts <= s.policy.MaxRedeliveries {
		s.retry(sl, c.now.Add(s.policy.delay(sl.attempts, delay)))
		return
	}
	if s.typ != KeyShared {
		s.counts.exhausted[s.policy.Poison]++
	}
	log := c.cfg.logger.With("topic", s.topic.name, "subscription", s.name, "offset", sl.msg.place, "attempts", sl.attempts)
	if s.policy.Poison == Drop && s.typ != KeyShared {
		log.Debug("message exhausted and dropped")
		c.giveUp(s, sl)
		return
	}
	s.exhaust(sl)
	if s.policy.Poison == Block {
		log.Debug("message exhausted, subscription blocked")
	}
}

// giveUp is done with a message that failed for good.
func (c *core) giveUp(s *subscription, sl *slot) {
	key := keyOf(sl.msg.wire)
	sl.last().outcome = Dropped
	s.dropped++
	if s.policy.Poison == DeadLetter {
		s.counts.buried[DeadLetter]++
	}
	c.changed = true
	c.stats.Dropped++
	if s.typ == KeyShared && c.trap(TrapKeyDrain) {
		c.drain(s, key)
	}
	c.settle(s, sl)
}

// requeue makes messages due now without a look at the policy, as the broker does
// when a consumer is lost or taken over: those that had gone to co, or, in an
// Exclusive subscription, all.
func (c *core) requeue(s *subscription, co *consumer) {
	for _, sl := range s.slots.all() {
		if sl == nil || sl == gap || sl.state == slotExhausted || sl.state == slotHeld ||
			(s.typ == Shared || s.typ == KeyShared || s.typ == Failover && !c.trap(TrapNoFailover)) && sl.consumer != co {
			continue
		}
		if sl.state == slotAwaiting {
			c.end(sl, Lost)
			if !c.trap(TrapBurn) {
				sl.attempts--
			}
		}
		s.retry(sl, c.now)
	}
	c.changed = true
}

// end closes the record of the slot's last delivery.
func (c *core) end(sl *slot, o Outcome) *delivery {
	d := sl.last()
	d.outcome, d.ended = o, c.now
	c.changed = true
	return d
}

// settle is done with a message in one subscription.
func (c *core) settle(s *subscription, sl *slot) {
	if !s.settle(sl) {
		return
	}
	c.advance(s)
	if c.cfg.forgetAcked {
		s.topic.trim()
	}
}

// ackedBy reports whether the subscription has acked the message before, which a
// restart can make it do again.
func (m *stored) ackedBy(s *subscription) bool {
	for i := range m.deliveries {
		if d := &m.deliveries[i]; d.sub == s && d.outcome == Acked {
			return true
		}
	}
	return false
}
