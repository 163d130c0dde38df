package danubetest

// meters are what one broker has counted since it started. As in the real one, what is
// in them stays when a topic or a subscription goes: the gauges then say for ever what
// they said last. Counts of topics and subscriptions are taken over when somebody looks,
// and before they go.
type meters struct {
	topics map[string]*topicMeter
	// KeyShared subscriptions count these for the broker and not for themselves.
	keyNacks, keyRedelivered, keyTimeouts uint64
}

type topicMeter struct {
	messages, bytes, sent               uint64
	checked                             [3]uint64 // by SchemaPolicy
	producers, consumers, subscriptions int
	produced                            bool // has had a producer
	subs                                map[string]*subMeter
}

type subMeter struct {
	messages, bytes, nacked, redelivered, timeouts uint64
	exhausted, buried                              [3]uint64 // by Poison
	consumers                                      int
	reports                                        bool // has said what its lag is
	lag                                            uint64
	window                                         bool // has said what is in its window
	again, blocked                                 int
}

// topicCounts and subCounts only grow, and never begin again.
type (
	topicCounts struct {
		messages, bytes uint64
		sent            uint64 // by producers, and taken
		checked         [3]uint64
	}
	subCounts struct {
		messages, bytes   uint64
		exhausted, buried [3]uint64
	}
)

func (n *node) meterOf(topic string) *topicMeter {
	if n.meters.topics == nil {
		n.meters.topics = make(map[string]*topicMeter)
	}
	m := n.meters.topics[topic]
	if m == nil {
		m = &topicMeter{subs: make(map[string]*subMeter)}
		n.meters.topics[topic] = m
	}
	return m
}

// meter takes over what a topic's broker has counted of it.
func (c *core) meter(t *topic) {
	n := t.owner
	if n == nil {
		return
	}
	m := n.meterOf(t.name)
	m.messages += t.counts.messages - t.metered.messages
	m.bytes += t.counts.bytes - t.metered.bytes
	m.sent += t.counts.sent - t.metered.sent
	addUp(&m.checked, t.counts.checked, t.metered.checked)
	t.metered = t.counts
	m.producers, m.consumers, m.subscriptions = len(t.producers), 0, 0
	m.produced = m.produced || m.producers > 0
	for _, s := range t.subs {
		c.meterSub(n, m, s)
		if !s.dormant {
			m.consumers += len(s.consumers)
			m.subscriptions++
		}
	}
}

func (c *core) meterSub(n *node, t *topicMeter, s *subscription) {
	m := t.subs[s.name]
	if m == nil {
		m = new(subMeter)
		t.subs[s.name] = m
	}
	now := meteredSub{s.counts, s.nacked, s.redelivered, s.timeouts}
	was := s.metered
	s.metered = now
	m.messages += now.messages - was.messages
	m.bytes += now.bytes - was.bytes
	addUp(&m.exhausted, now.exhausted, was.exhausted)
	addUp(&m.buried, now.buried, was.buried)
	if s.typ == KeyShared {
		n.meters.keyNacks += now.nacked - was.nacked
		n.meters.keyRedelivered += now.redelivered - was.redelivered
		n.meters.keyTimeouts += now.timeouts - was.timeouts
	} else {
		m.nacked += now.nacked - was.nacked
		m.redelivered += now.redelivered - was.redelivered
		m.timeouts += now.timeouts - was.timeouts
	}
	m.consumers = len(s.consumers)
	if s.topic.dispatch == NonReliable || s.dormant || len(s.consumers) == 0 {
		return // nobody looks at it
	}
	if s.typ != KeyShared && now.messages > 0 {
		m.window, m.again, m.blocked = true, len(s.waiting), 0
		if s.policy.Poison == Block {
			m.blocked = len(s.exhausted)
		}
	}
	if s.stuck == nil && (m.reports || c.now.Sub(s.born) >= heartbeat) {
		m.reports, m.lag = true, 0
		if s.acks >= 0 && uint64(s.acks)+1 < s.topic.next {
			m.lag = s.topic.next - 1 - uint64(s.acks)
		}
	}
}

// meteredSub is what the meters know of a subscription.
type meteredSub struct {
	subCounts
	nacked, redelivered, timeouts uint64
}

func addUp(sum *[3]uint64, now, was [3]uint64) {
	for i := range sum {
		sum[i] += now[i] - was[i]
	}
}

// unmeter is what a broker says of a topic from then on that it does not have any more.
func (n *node) unmeter(t *topic) {
	if n == nil || n.meters.topics[t.name] == nil {
		return
	}
	m := n.meters.topics[t.name]
	m.producers, m.consumers, m.subscriptions = 0, 0, 0
	for _, s := range m.subs {
		s.consumers = 0
	}
}
