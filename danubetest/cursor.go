package danubetest

import "time"

// cursor is what a subscription remembers of its acks.
type cursor struct {
	acks    int64     // the highest place with everything at or below it acked since it was loaded, or -1
	stored  int64     // what a restart finds, or -1
	storeAt time.Time // when it was stored last, or the subscription was loaded
	begin   uint64    // where it began when it was loaded
	dormant bool      // nobody has subscribed since its topic was loaded
}

// cursorInterval is how long the broker waits before it stores a cursor again.
const cursorInterval = 10 * time.Second

// advance notes that the cursor has moved, and stores it when it is time.
func (c *core) advance(s *subscription) {
	s.acks = int64(s.low) - 1
	if !c.trap(TrapCursor) || c.now.Sub(s.storeAt) >= cursorInterval {
		s.stored, s.storeAt = s.acks, c.now
	}
}

// put lets go of a subscription whose topic is unloaded; it goes on from its cursor,
// now or when somebody subscribes.
func (c *core) put(s *subscription) {
	s.dispatcher.reset()
	c.alarms.clear(&s.alarm)
	c.alarms.clear(&s.limiter.again)
	s.limiter = limiter{}
	s.dormant = c.trap(TrapLatest)
	if !s.dormant {
		c.load(s)
	}
}

// load makes a subscription go on from its cursor.
func (c *core) load(s *subscription) {
	if s.dormant {
		s.born = c.now
	}
	s.policy = c.policy(s.topic, s.name)
	s.storeAt, s.dormant, s.acks = c.now, false, -1
	switch {
	case s.topic.dispatch == NonReliable:
		c.startTail(s)
	case s.stored >= 0:
		c.startAt(s, uint64(s.stored)+1)
	case c.trap(TrapLatest):
		c.startTail(s)
	default:
		c.startAt(s, s.begin)
	}
	s.begin = s.low
}

// flushInterval is how often the broker writes messages to disk.
const flushInterval = 5 * time.Second

// crash is what the end of a broker does to a topic. Killed says that there was no time
// for anything.
func (c *core) crash(t *topic, killed bool) {
	if t.dispatch == NonReliable {
		return
	}
	t.arranged()
	if killed && c.trap(TrapUnflushed) {
		flushed := t.born.Add(c.now.Sub(t.born).Truncate(flushInterval))
		n := t.log.len()
		for n > 0 && t.log.at(n-1).at.After(flushed) {
			n--
		}
		t.lost += uint64(t.log.len() - n)
		t.earlier += uint64(t.log.len() - n)
		t.next -= uint64(t.log.len() - n)
		t.log.cut(n)
	}
	t.born = c.now
	if c.trap(TrapRenumber) {
		t.files = append(t.files, t.log.all()...)
		t.past = append(t.past, t.log.all()...)
		t.earlier += t.next
		t.log, t.first, t.next = queue[*stored]{}, 0, 0
		t.epoch++
	}
}
