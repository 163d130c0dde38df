package danubetest

import (
	"slices"
)

// CheckAcked fails the test unless the messages at those offsets of a topic were
// acknowledged in a subscription. It says whether they were.
func (b *Broker) CheckAcked(t TB, topic, subscription string, offsets ...uint64) bool {
	t.Helper()
	acked := make(map[uint64]bool)
	for _, m := range b.Messages(topic) {
		acked[m.Offset] = m.acked(subscription) != nil
	}
	ok := true
	for _, o := range offsets {
		if !acked[o] {
			t.Errorf("danubetest: message %d of %s is not acked in subscription %s", o, topic, subscription)
			ok = false
		}
	}
	return ok
}

// CheckNoUnacked fails the test unless a subscription exists and is done with every
// message since its start. It says whether it is.
func (b *Broker) CheckNoUnacked(t TB, topic, subscription string) bool {
	t.Helper()
	info, ok := b.Subscription(topic, subscription)
	switch {
	case !ok:
		t.Errorf("danubetest: no subscription %s on %s", subscription, topic)
	case info.Pending+info.InFlight > 0:
		t.Errorf("danubetest: subscription %s of %s has %d messages pending and %d in flight", subscription, topic, info.Pending, info.InFlight)
		ok = false
	}
	return ok
}

// CheckPayloads fails the test unless the messages of a topic have these payloads, in
// this order. It says whether they have.
func (b *Broker) CheckPayloads(t TB, topic string, want ...string) bool {
	t.Helper()
	var have []string
	for _, m := range b.Messages(topic) {
		have = append(have, string(m.Payload))
	}
	if !slices.Equal(have, want) {
		t.Errorf("danubetest: payloads of %s: have %q, want %q", topic, have, want)
		return false
	}
	return true
}

// CheckOrderPerKey fails the test unless the messages of a topic that have the same
// routing key were acknowledged in a subscription in the order of their offsets;
// messages without a key are one key together, and every partition is looked at alone.
// Messages that are not acknowledged do not count. It says whether all were in order.
func (b *Broker) CheckOrderPerKey(t TB, topic, subscription string) bool {
	t.Helper()
	type lane struct{ topic, key string }
	last := make(map[lane]Message)
	ok := true
	for _, m := range b.Messages(topic) {
		d := m.acked(subscription)
		if d == nil {
			continue
		}
		l := lane{m.Topic, m.Key}
		if prev, seen := last[l]; seen && prev.acked(subscription).order > d.order {
			t.Errorf("danubetest: key %q of %s in subscription %s: message %d was acked before message %d",
				m.Key, m.Topic, subscription, m.Offset, prev.Offset)
			ok = false
		}
		last[l] = m
	}
	return ok
}

// acked returns the first delivery of a message that was acknowledged, or nil.
func (m Message) acked(subscription string) *Delivery {
	for i := range m.Deliveries {
		if d := &m.Deliveries[i]; d.Subscription == subscription && d.Outcome == Acked {
			return d
		}
	}
	return nil
}
