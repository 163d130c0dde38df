package danubetest

import "time"

// SubscriptionType says how consumers share a subscription. Its first subscriber
// decides.
type SubscriptionType int

const (
	// Undecided is a subscription made by [Broker.CreateSubscription] that nobody has
	// subscribed to yet.
	Undecided SubscriptionType = iota
	// Exclusive has one consumer name, for ever with [TrapOneName].
	Exclusive
	// Shared hands messages to its consumers in turn.
	Shared
	// Failover hands messages to the consumer that was there first; it never fails over,
	// see [TrapNoFailover].
	Failover
	// KeyShared hands messages of one key to one consumer, one at a time.
	KeyShared
)

// String returns the type's name.
func (t SubscriptionType) String() string {
	switch t {
	case Exclusive:
		return "Exclusive"
	case Shared:
		return "Shared"
	case Failover:
		return "Failover"
	case KeyShared:
		return "KeyShared"
	}
	return "Undecided"
}

// heartbeat is how often a subscription looks at ack timeouts and due retries.
const heartbeat = 500 * time.Millisecond

// subscription is one name on one topic: a window over the topic's log and the
// consumers it is handed to.
type subscription struct {
	name   string
	topic  *topic
	typ    SubscriptionType
	policy FailurePolicy
	from   origin    // where it began when it was created
	born   time.Time // heartbeats are at whole multiples of 500 ms from here

	consumers []*consumer // in order of joining
	turn      int         // Shared: whose turn it is
	window
	reader
	cursor
	dispatcher
	limiter limiter
	alarm   alarm

	acked, nacked, timeouts, late, dropped, redelivered, skipped uint64

	idleSince time.Time // NonReliable: somebody should have been there
	reaper    alarm

	counts  subCounts
	metered meteredSub
}

// origin is a place among all messages of a topic.
type origin struct {
	epoch  int
	offset uint64
}

// consumer is one name in a subscription. It outlives its streams.
type consumer struct {
	id        uint64
	name      string
	sub       *subscription
	active    bool    // what HealthCheck says
	stream    *stream // open, or nil
	inFlight  int     // entries that await an ack from it
	delivered uint64

	filters []string // KeyShared
	ring    []uint32
	evicted bool
	race    bool // with TrapLateInactive: its next stream is mute
	raced   bool // and this has happened once
	leave   alarm

	retried              bool      // taken over since its last stream
	awaySince, awayUntil time.Time // with TrapKeyGone: when leave goes off
	lease                alarm

	channel []parcel // with TrapNoStream and TrapStale: what waits for a stream
}

// ready reports whether a message can be handed to the consumer now.
func (c *core) ready(co *consumer) bool {
	if co.stream == nil {
		if co.sub.topic.dispatch == NonReliable {
			return co.active && c.trap(TrapBurst)
		}
		return co.active && c.trap(TrapNoStream) && co.sub.typ != KeyShared
	}
	return !co.stream.ending && !co.stream.mute
}

// newSubscription makes a subscription that starts at place low.
func (c *core) newSubscription(t *topic, name string, low uint64) *subscription {
	s := &subscription{name: name, topic: t, policy: c.policy(t, name), born: c.now, from: origin{t.epoch, low}}
	s.cursor = cursor{acks: -1, stored: -1, storeAt: c.now, begin: low}
	if at, ok := c.graves[grave{t.name, name}]; ok {
		delete(c.graves, grave{t.name, name})
		s.stored, s.begin = at, uint64(at)+1
		c.startAt(s, s.begin)
	} else if low == t.next {
		c.startTail(s)
	} else {
		c.startAt(s, low)
	}
	s.alarm.fire = func() { c.beat(s) }
	t.subs = append(t.subs, s)
	c.changed = true
	c.cfg.logger.Debug("subscription created", "topic", t.name, "subscription", name, "from", low)
	return s
}

func (s *subscription) consumer(name string) *consumer {
	for _, co := range s.consumers {
		if co.name == name {
			return co
		}
	}
	return nil
}

// pick returns the consumer that the next message goes to, or nil: the only one of
// an Exclusive subscription, the first of a Failover one, the next
// one with a stream of a Shared one.
func (c *core) pick(s *subscription) *consumer {
	if s.typ == Failover && len(s.consumers) > 0 && c.trap(TrapNoFailover) {
		if co := s.consumers[0]; c.ready(co) {
			return co
		}
		return nil
	}
	if s.typ == Failover {
		s.turn = 0 // the first that is there
	}
	for i := range s.consumers {
		n := (s.turn + i) % len(s.consumers)
		if co := s.consumers[n]; c.ready(co) {
			s.turn = (n + 1) % len(s.consumers)
			return co
		}
	}
	return nil
}

// attended reports whether anybody could take a message, or, where messages are read for
// consumers that are away too, whether there is anybody.
func (c *core) attended(s *subscription) bool {
	for _, co := range s.consumers {
		if c.ready(co) || s.typ == KeyShared && c.trap(TrapKeyParked) && !co.evicted {
			return true
		}
	}
	return false
}

// unread returns how many messages were never handed out.
func (s *subscription) unread() uint64 {
	n := uint64(len(s.replay))
	if t := s.topic; s.tail && t.shown.len() > 0 {
		return t.gone + uint64(t.shown.len()+len(t.middle)) - s.pos
	}
	if s.next < s.topic.next {
		n += s.topic.next - s.next
	}
	return n
}
