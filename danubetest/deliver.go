package danubetest

import "google.golang.org/protobuf/proto"

// record notes a delivery on its message.
func (c *core) record(s *subscription, m *stored, co *consumer, attempt int) int {
	m.deliveries = append(m.deliveries, delivery{sub: s, consumer: co.name, at: c.now, attempt: attempt})
	co.delivered++
	s.counts.messages++
	s.counts.bytes += uint64(len(m.wire.GetPayload()))
	c.stats.Delivered++
	c.changed = true
	return len(m.deliveries) - 1
}

// push gives a message to the consumer's stream, faults applied.
func (c *core) push(s *subscription, m *stored, co *consumer) {
	wire := m.wire
	if !c.trap(TrapNoName) {
		wire = proto.CloneOf(wire)
		wire.SubscriptionName = s.name
	}
	if co.stream == nil {
		co.channel = append(co.channel, parcel{msg: wire})
		return
	}
	if len(c.faults.active) == 0 {
		co.stream.push(parcel{msg: wire})
		return
	}
	p := c.faults.plan(c, &Call{
		Method:       MethodDelivery,
		At:           c.now,
		Topic:        s.topic.name,
		Subscription: s.name,
		Producer:     m.wire.GetProducerName(),
		Consumer:     co.name,
		RoutingKey:   m.wire.GetRoutingKey(),
		RequestID:    m.wire.GetRequestId(),
		Offset:       m.wire.GetMsgId().GetTopicOffset(),
		HasOffset:    true,
		Broker:       s.topic.owner.id,
		node:         s.topic.owner,
		Bytes:        len(m.wire.GetPayload()),
	})
	if p.corrupt != nil {
		if wire == m.wire {
			wire = proto.CloneOf(wire)
		}
		wire.Payload = p.corrupt(m.wire.GetPayload())
	}
	if p.broken != nil {
		p.broken.breakConn(co.stream.conn)
	}
	first := parcel{pause: p.pause, msg: wire}
	if p.reorder {
		co.stream.hold(first)
		return
	}
	if p.err == nil && p.end == 0 {
		co.stream.push(first)
		for range p.repeat {
			co.stream.push(parcel{msg: wire})
		}
		return
	}
	if !p.after {
		first.msg = nil
	}
	first.end, first.err = true, p.err
	if p.end != 0 {
		first.err = p.end.err()
	}
	co.stream.ending = true
	co.stream.push(first)
}
