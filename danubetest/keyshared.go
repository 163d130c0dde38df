package danubetest

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// A KeyShared subscription hands all messages of one key to one consumer, and not more
// than one of them at a time. Further ones of the key are held, and take room in the
// window.

const ringNodes = 100 // points of one consumer on the ring

// keyOf returns the key of a message: its producer's name when it has none.
func keyOf(m *pb.StreamMessage) string {
	return cmp.Or(m.GetRoutingKey(), m.GetProducerName())
}

// keyHash places a text on the ring.
func keyHash(text string) uint32 {
	f := fnv.New64a()
	f.Write([]byte(text))
	sum := f.Sum64()
	h := uint32(sum) ^ uint32(sum>>32)
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}

// ringOf returns the points of a consumer, in order.
func ringOf(id uint64) []uint32 {
	ring := make([]uint32, ringNodes)
	for i := range ring {
		ring[i] = keyHash(strconv.FormatUint(id, 10) + "-" + strconv.Itoa(i))
	}
	slices.Sort(ring)
	return ring
}

// accepts reports whether a consumer's filters let a key through.
func (co *consumer) accepts(key string) bool {
	return len(co.filters) == 0 || slices.ContainsFunc(co.filters, func(f string) bool { return glob(f, key) })
}

// pickKey returns the consumer that a key belongs to, or nil: the first on the ring
// among those whose filters match. Those that are away count with TrapKeyGone, until it
// forgets them.
func (c *core) pickKey(s *subscription, key string) *consumer {
	h := keyHash(key)
	var best *consumer
	var least uint32
	for _, co := range s.consumers {
		if co.evicted || !co.accepts(key) || !c.trap(TrapKeyGone) && !c.ready(co) {
			continue
		}
		i, _ := slices.BinarySearch(co.ring, h)
		if d := co.ring[i%ringNodes] - h; best == nil || d < least { // wraps around
			best, least = co, d
		}
	}
	return best
}

// keyLook says what a KeyShared subscription looks at; without TrapKeyBeat that is always
// everything.
type keyLook int

const (
	lookHeld  keyLook = 1 << iota // messages that wait for their key or a consumer
	lookAgain                     // messages to be sent again, and exhausted ones
	lookNew                       // new ones, waiting for one if need be
)

// passKeys is pass for KeyShared. read says how many new messages may be read, -1 for
// all.
func (c *core) passKeys(s *subscription, read int, look keyLook) {
	if !c.trap(TrapKeyBeat) {
		look |= lookHeld | lookAgain
	}
	if look&lookAgain != 0 {
		c.poison(s)
		for _, sl := range s.dueRetries(c.now) {
			if co := c.pickKey(s, keyOf(sl.msg.wire)); co != nil && c.ready(co) {
				c.send(s, sl, co)
			}
		}
	}
	if look&lookHeld != 0 {
		c.release(s, s.held)
	}
	if !slices.ContainsFunc(s.consumers, func(co *consumer) bool { return !co.evicted }) {
		read = 0 // for nobody
	}
	if look&lookNew != 0 && read != 0 && s.open < c.cfg.maxUnacked && !c.readable(s) && c.keyWaits(s) {
		s.park(c.now)
		return
	}
	for ; read != 0 && s.open < c.cfg.maxUnacked && c.readable(s) && c.allowed(s); read-- {
		c.takeKey(s)
	}
	c.schedule(s)
}

// takeKey reads one message.
func (c *core) takeKey(s *subscription) {
	sl := s.take(c.read(s))
	s.hold(sl)
	if c.trap(TrapKeyBeat) {
		c.release(s, []*slot{sl})
		return
	}
	c.release(s, s.held)
}

// keyWaits reports whether a subscription that has nothing to read waits for something:
// it cannot tell messages that it has read from those that it has not.
func (c *core) keyWaits(s *subscription) bool {
	return c.trap(TrapKeyParked) && !s.ended && c.attended(s) && c.lags(s)
}

// poison does with exhausted messages what the failure policy says.
func (c *core) poison(s *subscription) {
	switch s.policy.Poison {
	case Drop:
		for _, sl := range slices.Clone(s.exhausted) {
			c.giveUp(s, sl)
		}
	case DeadLetter:
		c.buryAll(s)
	}
}

// drain skips what waits for a key.
func (c *core) drain(s *subscription, key string) {
	for _, sl := range slices.Clone(s.held) {
		if keyOf(sl.msg.wire) == key {
			s.leap(sl)
			s.skipped++
		}
	}
}

// release sends those of some held messages whose keys are free, in order.
func (c *core) release(s *subscription, held []*slot) {
	if len(held) == 0 {
		return
	}
	busy := make(map[string]bool)
	for _, sl := range s.slots.all() {
		if sl != nil && sl.state != slotHeld && sl.state != slotGap {
			busy[keyOf(sl.msg.wire)] = true
		}
	}
	for _, sl := range slices.Clone(held) {
		key := keyOf(sl.msg.wire)
		if busy[key] {
			continue
		}
		busy[key] = true
		switch co := c.pickKey(s, key); {
		case co != nil && c.ready(co):
			c.send(s, sl, co)
		case co == nil && c.trap(TrapKeySkip) && !slices.ContainsFunc(s.consumers, func(co *consumer) bool { return co.accepts(key) }):
			s.skipped++
			c.settle(s, sl)
			busy[key] = false
		}
	}
}

// keyPace is how many messages KeyShared reads at a wake or a heartbeat.
func (c *core) keyPace() int {
	if c.trap(TrapKeyPace) {
		return 1
	}
	return -1
}

// keyRest is how many messages KeyShared reads at any other time.
func (c *core) keyRest() int {
	if c.trap(TrapKeyPace) {
		return 0
	}
	return -1
}

// keyBeat is the next time a KeyShared subscription has to look for messages, new ones or
// exhausted ones.
func (c *core) keyBeat(s *subscription) (due time.Time) {
	if s.typ == KeyShared && s.open < c.cfg.maxUnacked && (c.trap(TrapKeyPace) && c.readable(s) || c.keyWaits(s)) ||
		len(s.exhausted) > 0 && s.typ == KeyShared && c.trap(TrapKeyBeat) && s.policy.Poison != Block {
		due = c.now.Add(1)
	}
	return due
}
