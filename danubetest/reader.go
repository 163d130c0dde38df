package danubetest

// reader is how a subscription reads its topic.
type reader struct {
	tail   bool      // started at the newest message, and not from a cursor
	replay []*stored // messages from before the numbering restarted, to be read first
	files  uint64    // everything before it can be read whatever the lag
	ahead  uint64    // how far it has been read ahead
	pos    uint64    // tail, in disorder: how many of the topic's shown messages are behind it
	ended  bool      // at ahead there is no going on
}

const (
	tailLimit  = 256  // how many messages a reader of the tail may be behind
	readBuffer = 1024 // how many messages a reader from a cursor reads ahead
)

// gap stands in a window for a message that was skipped.
var gap = &slot{state: slotGap}

// startTail makes a subscription begin with the next message that is published.
func (c *core) startTail(s *subscription) {
	s.reader = reader{tail: true, pos: s.topic.gone + uint64(s.topic.shown.len())}
	s.window = window{low: s.topic.next, next: s.topic.next}
}

// startAt makes a subscription begin at a place, as one with a cursor does.
func (c *core) startAt(s *subscription, place uint64) {
	t := s.topic
	s.window = window{low: place, next: place}
	next := place
	s.reader = reader{}
	if place < t.stranded {
		s.ended, s.ahead = true, place
		return
	}
	for _, m := range t.files {
		if m.place > next {
			break // a hole: the rest is not found
		}
		if m.place == next {
			s.replay = append(s.replay, m)
			next++
		}
	}
	s.reader.files, s.ahead = t.next, next
	c.readAhead(s)
}

// readAhead moves the reader on, as far as its buffer allows and the topic has it.
func (c *core) readAhead(s *subscription) {
	if s.tail || !c.trap(TrapLag) || s.ended || s.topic.next < s.ahead {
		return
	}
	limit := min(s.next+readBuffer, s.topic.firstHidden())
	if s.ahead < s.reader.files {
		s.ahead = max(s.ahead, min(limit, s.reader.files))
	}
	if s.ahead >= limit {
		return
	}
	if s.topic.next-s.ahead > uint64(c.cfg.cache) {
		s.ended = true
		c.cfg.logger.Debug("subscription ended: too far behind", "topic", s.topic.name, "subscription", s.name, "at", s.ahead)
		return
	}
	s.ahead = limit
}

// readable reports whether there is something to read.
func (c *core) readable(s *subscription) bool {
	if s.tail && c.disorder() {
		return s.pos < s.topic.gone+uint64(s.topic.shown.len())
	}
	return len(s.replay) > 0 || s.next < s.topic.firstHidden() && !(s.ended && s.next >= s.ahead)
}

// read returns the next message; there is one.
func (c *core) read(s *subscription) *stored {
	if len(s.replay) > 0 {
		m := s.replay[0]
		s.replay = s.replay[1:]
		return m
	}
	t := s.topic
	if s.tail && c.disorder() {
		return c.readShown(s)
	}
	if s.tail && c.trap(TrapTail) && t.next-s.next > tailLimit {
		n := t.next - tailLimit - s.next
		c.cfg.logger.Debug("subscription skips", "topic", t.name, "subscription", s.name, "from", s.next, "messages", n)
		s.skipped += n
		s.skip(t.next - tailLimit)
	}
	m := t.at(s.next)
	defer c.readAhead(s)
	return m
}

// readShown is read in the order in which messages became visible.
func (c *core) readShown(s *subscription) *stored {
	t := s.topic
	if behind := t.gone + uint64(t.shown.len()) - s.pos; c.trap(TrapTail) && behind > tailLimit {
		c.cfg.logger.Debug("subscription skips", "topic", t.name, "subscription", s.name, "from", s.next, "messages", behind-tailLimit)
		s.skipped += behind - tailLimit
		s.pos += behind - tailLimit
		s.skip(t.shown.at(int(s.pos - t.gone)).place)
	}
	m := t.shown.at(int(s.pos - t.gone))
	s.pos++
	for ; s.next < m.place; s.next++ {
		s.slots.push(gap) // it may come later
	}
	return m
}

// skip goes on at a place and leaves what is before it behind. The cursor stays there,
// unless nothing was handed out before.
func (w *window) skip(to uint64) {
	if !w.begun {
		w.low, w.next = to, to
		return
	}
	for ; w.next < to; w.next++ {
		w.slots.push(gap)
	}
}

// highest returns the open slot of the highest place, or nil.
func (w *window) highest() *slot {
	if w.open == 0 {
		return nil
	}
	slots := w.slots.all()
	for i := len(slots) - 1; ; i-- {
		if slots[i] != nil && slots[i] != gap {
			return slots[i]
		}
	}
}
