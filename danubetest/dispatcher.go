package danubetest

import (
	"slices"
	"time"
)

// dispatcher is what a subscription does with its time. In the real broker it is a task
// that takes one command after another; here the loop plays it, and only where a trap
// makes it wait do commands pile up.
type dispatcher struct {
	parked  bool      // waits for a message to read
	since   time.Time // when it parked
	stuck   *slot     // waits for room in stuckTo's channel for this message
	stuckTo *consumer // its consumer
	paused  bool      // waits for the rate, see allowed
	backlog []command // what it will do then
}

// command is one thing for a dispatcher that waits.
type command struct {
	run  func()
	room chan struct{} // closed when it is among the first commandQueue, for those that wait
}

// commandQueue is how many commands a dispatcher takes before its callers wait.
func (s *subscription) commandQueue() int {
	if s.typ == KeyShared {
		return 128
	}
	return 32
}

func (d *dispatcher) suspended() bool { return d.parked || d.paused || d.stuck != nil }

func (d *dispatcher) park(now time.Time) { d.parked, d.since = true, now }

// command keeps a command for later. The request, if there is one, waits for room in
// the queue.
func (c *core) command(s *subscription, in *Call, run func()) {
	cmd := command{run: run}
	if in != nil && c.trap(queueTrap(in.Method)) && len(s.backlog) >= s.commandQueue() {
		cmd.room = make(chan struct{})
		in.rooms = append(in.rooms, room{s, cmd.room})
	}
	s.backlog = append(s.backlog, cmd)
}

// queueTrap is the trap by which a request waits for room in a dispatcher's queue.
func queueTrap(m Method) Trap {
	if m == MethodAck || m == MethodNack {
		return TrapAckWaits
	}
	return TrapNoStream
}

// room is where a request waits for a dispatcher's queue.
type room struct {
	sub *subscription
	c   chan struct{}
}

// forget drops the command of a request that has waited long enough.
func (r room) forget(*core) {
	r.sub.backlog = slices.DeleteFunc(r.sub.backlog, func(cmd command) bool { return cmd.room == r.c })
}

// resume goes on where the dispatcher had stopped.
func (c *core) resume(s *subscription) {
	if s.typ == KeyShared {
		c.passKeys(s, 0, 0)
	} else {
		c.pass(s)
	}
	for !s.suspended() && len(s.backlog) > 0 {
		cmd := s.backlog[0]
		s.backlog = s.backlog[1:]
		if n := s.commandQueue(); len(s.backlog) >= n {
			s.backlog[n-1].open()
		}
		cmd.run()
	}
}

// open lets the caller of a command go on.
func (cmd *command) open() {
	if cmd.room != nil {
		close(cmd.room)
		cmd.room = nil
	}
}

// reset is the dispatcher's end; whoever waits for it goes on.
func (d *dispatcher) reset() {
	for i := range d.backlog {
		d.backlog[i].open()
	}
	*d = dispatcher{}
}

// wake tells a subscription that its topic has a new message.
func (c *core) wake(s *subscription, in *Call) {
	if s.dormant {
		return
	}
	c.readAhead(s)
	if !s.suspended() {
		c.woken(s)
		return
	}
	c.command(s, in, func() { c.woken(s) })
	if !s.parked || !c.readable(s) {
		return
	}
	s.parked = false
	c.awaken(s, s.since)
	c.handOne(s)
	if !s.suspended() {
		c.resume(s)
	}
}

// handOne hands out the message that the dispatcher has waited for.
func (c *core) handOne(s *subscription) {
	switch {
	case !c.allowed(s):
	case s.typ == KeyShared:
		c.takeKey(s)
	default:
		sl := s.take(c.read(s))
		if co := c.pick(s); co == nil {
			s.retry(sl, c.now)
		} else {
			c.send(s, sl, co)
		}
	}
}

func (c *core) woken(s *subscription) {
	if s.typ == KeyShared && s.topic.dispatch == Reliable {
		c.passKeys(s, c.keyPace(), lookNew)
		return
	}
	if !c.trap(TrapParked) || c.lags(s) {
		c.pass(s)
	}
}

// lags is how the dispatcher sees whether it is behind: it compares the topic's end
// with the last place that was acked.
func (c *core) lags(s *subscription) bool {
	return s.topic.next > 0 && (s.acks < 0 || uint64(s.acks)+1 < s.topic.next)
}

// unpolled is how the dispatcher sees whether there is something to read: it compares
// the topic's end with the highest place that is in flight or was acked.
func (c *core) unpolled(s *subscription) bool {
	if !c.trap(TrapParked) {
		return c.readable(s)
	}
	consumed := s.acks
	if sl := s.highest(); sl != nil {
		consumed = max(consumed, int64(sl.msg.place))
	}
	return s.topic.next > 0 && (consumed < 0 || uint64(consumed)+1 < s.topic.next)
}

// hasRoom reports whether a consumer can be handed a message now. When not, and on is
// set, its stream tells as soon as it can.
func (c *core) hasRoom(co *consumer) bool {
	switch {
	case !c.trap(TrapNoStream) || co.sub.typ == KeyShared:
		return true
	case co.stream == nil:
		return len(co.channel) < consumerChannel
	}
	co.stream.full.Store(true) // before the look, or the stream could miss it
	if co.stream.len() < consumerChannel+streamChannel {
		co.stream.full.Store(false)
		return true
	}
	return false
}

// roomFor goes on with a subscription that waited for one of its consumers.
func (c *core) roomFor(co *consumer) {
	s := co.sub
	if s.stuck == nil || s.stuckTo != co || !c.hasRoom(co) {
		return
	}
	sl := s.stuck
	s.stuck, s.stuckTo = nil, nil
	c.send(s, sl, co)
	c.resume(s)
}
