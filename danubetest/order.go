package danubetest

import pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"

// order is how the messages of a topic became visible, where traps make that differ from
// their offsets.
type order struct {
	middle     []*stored      // have an offset and wait to become visible
	holes      []*stored      // have an offset and never do, until the topic is loaded again
	collisions int            // how often a message got its offset while another waited
	shown      queue[*stored] // as they became visible
	gone       uint64         // how many left the front of shown
}

// collisionEvery is how many messages get an offset while another waits, for one that
// becomes visible before it.
const collisionEvery = 500

// disorder reports whether messages may become visible in another order.
func (c *core) disorder() bool { return c.trap(TrapConcurrent) || c.trap(TrapHole) }

// reserve gives a message its offset and nothing else. The second half of the request
// makes it visible, unless it is one that does not wait.
func (c *core) reserve(t *topic, m *pb.StreamMessage, in *Call) {
	c.count(t, m)
	st := c.number(t, m)
	if len(t.middle) > 0 {
		if t.collisions++; t.collisions%collisionEvery == 0 {
			c.show(t, st, in)
			return
		}
	}
	t.middle = append(t.middle, st)
	in.then = func(c *core) error {
		st.ready = true
		c.showReady(t, in)
		return nil
	}
}

// number gives a message its offset.
func (c *core) number(t *topic, m *pb.StreamMessage) *stored {
	m.MsgId.TopicOffset = t.next
	st := t.add(m, c.now)
	st.hidden = true
	return st
}

// showReady makes visible what does not wait for anything before it.
func (c *core) showReady(t *topic, in *Call) {
	for len(t.middle) > 0 && t.middle[0].ready {
		st := t.middle[0]
		t.middle = t.middle[1:]
		c.show(t, st, in)
	}
}

// show makes a message visible. Those that read from a cursor and have come to one that
// is hidden give up.
func (c *core) show(t *topic, st *stored, in *Call) {
	st.hidden = false
	t.shown.push(st)
	for _, s := range t.subs {
		if h := t.firstHidden(); h < st.place && !s.tail && !s.ended && s.next <= h && (!c.trap(TrapLag) || s.ahead >= h) {
			s.ended, s.ahead = true, h
			c.cfg.logger.Debug("subscription ended: a hole", "topic", t.name, "subscription", s.name, "at", h)
		}
		c.wake(s, in)
	}
}

// firstHidden returns the place of the first message that is not visible, or of the next.
func (t *topic) firstHidden() uint64 {
	first := t.next
	if len(t.middle)+len(t.holes) == 0 {
		return first
	}
	for _, list := range [][]*stored{t.middle, t.holes} {
		if len(list) > 0 && list[0].hidden {
			first = min(first, list[0].place)
		}
	}
	return first
}

// hole leaves a message that its client has given up without anything but its offset.
func (c *core) hole(in *Call, req any) {
	m, ok := req.(*pb.StreamMessage)
	if !ok || !c.trap(TrapHole) || in.Method != MethodSendMessage {
		return
	}
	p := c.producers[m.GetMsgId().GetProducerId()]
	if p == nil || p.topic.name != m.GetMsgId().GetTopicName() || !p.topic.on(in.node) || p.topic.draining || p.topic.dispatch != Reliable {
		return
	}
	c.count(p.topic, m)
	p.topic.holes = append(p.topic.holes, c.number(p.topic, m))
}

// arranged is the end of all disorder: what a broker loads it reads from its files.
func (t *topic) arranged() {
	for _, st := range append(t.middle, t.holes...) {
		st.hidden = false
	}
	t.order = order{}
}
