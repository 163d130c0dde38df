package danubetest

import (
	"context"
	"fmt"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// SendMessage publishes one message.
//
//   - CANCELLED, as a reset stream, without msg_id.
//   - OUT_OF_RANGE when the request is larger than 4 MiB; see [TrapOversize] too.
//   - NOT_FOUND when the producer is unknown: it was never created, or the broker
//     restarted since, or the topic moved away.
//   - INVALID_ARGUMENT when the payload is larger than [WithMaxMessageSize] allows.
//   - PERMISSION_DENIED when the topic is not here, or about to move, or is not the
//     producer's, and when the message does not fit the topic's schema.
//   - CANCELLED, as a reset stream, when its payload is to be checked as protobuf.
//
// Every field is stored as it came, but for the offset on reliable topics.
func (s *producerService) SendMessage(ctx context.Context, req *pb.StreamMessage) (*pb.MessageResponse, error) {
	id := req.GetMsgId()
	in := Call{
		Method:     MethodSendMessage,
		Topic:      id.GetTopicName(),
		Producer:   req.GetProducerName(),
		RoutingKey: req.GetRoutingKey(),
		RequestID:  req.GetRequestId(),
		Bytes:      len(req.GetPayload()),
		id:         id.GetProducerId(),
	}
	err := s.call(ctx, &in, req, func(c *core) error {
		if id == nil {
			return c.errNoMsgID()
		}
		return c.publish(&in, req)
	})
	if err != nil {
		return nil, err
	}
	return &pb.MessageResponse{RequestId: req.GetRequestId()}, nil
}

func (c *core) publish(in *Call, m *pb.StreamMessage) error {
	p := c.producers[m.GetMsgId().GetProducerId()]
	if p == nil || !p.topic.on(in.node) {
		return errNoProducer(m.GetMsgId().GetProducerId())
	}
	t := c.topics[m.GetMsgId().GetTopicName()]
	if limit := c.cfg.maxMessage; limit > 0 && len(m.GetPayload()) > limit && t != nil && t.on(in.node) {
		return errPayloadSize(t.name, len(m.GetPayload()), limit)
	}
	if t == nil || !t.on(in.node) {
		return errPublish("Topic " + m.GetMsgId().GetTopicName() + " not found in registry")
	}
	if t.draining {
		return errPublish("Topic " + t.name + " is draining or closed; retry lookup/moved")
	}
	if err := c.fits(t, m); err != nil {
		return err
	}
	if p.topic != t {
		return errPublish(fmt.Sprintf("the producer with id %d is not attached to topic name: %s", p.id, t.name))
	}
	p.sent++
	p.seen = c.now
	t.counts.sent++
	if c.trap(TrapConcurrent) && t.dispatch == Reliable {
		c.reserve(t, m, in)
		return nil
	}
	c.append(t, m, in)
	return nil
}

// append stores a message and hands it out. The request, if there is one, may have to
// wait then.
func (c *core) append(t *topic, m *pb.StreamMessage, in *Call) *stored {
	c.count(t, m)
	if t.dispatch == NonReliable {
		return c.scatter(t, m)
	}
	if c.disorder() {
		st := c.number(t, m)
		if st.ready = true; len(t.middle) == 0 {
			c.show(t, st, in)
		} else {
			t.middle = append(t.middle, st)
		}
		return st
	}
	m.MsgId.TopicOffset = t.next
	st := t.add(m, c.now)
	for _, s := range t.subs {
		c.wake(s, in)
	}
	return st
}

// count counts a message that is stored.
func (c *core) count(t *topic, m *pb.StreamMessage) {
	c.changed = true
	c.stats.Published++
	t.counts.messages++
	t.counts.bytes += uint64(len(m.GetPayload()))
}

// scatter hands a message to whoever is there, and keeps it for inspection only.
func (c *core) scatter(t *topic, m *pb.StreamMessage) *stored {
	st := t.add(m, c.now)
	for _, s := range t.subs {
		s.low, s.next = t.next, t.next
		co := c.pickRoom(s, m)
		if co == nil {
			s.dropped++
			c.stats.Dropped++
			c.idle(s)
			continue
		}
		st.deliveries[c.record(s, st, co, 1)].outcome = Sent
		c.push(s, st, co)
	}
	if c.cfg.forgetAcked {
		t.log.drop(t.log.len())
		t.first = t.next
	}
	return st
}

// pickRoom is pick among the streams that keep up.
func (c *core) pickRoom(s *subscription, m *pb.StreamMessage) *consumer {
	limit := nonReliableQueue
	if c.trap(TrapBurst) {
		limit = consumerChannel + streamChannel
	}
	for range s.consumers {
		var co *consumer
		if s.typ == KeyShared {
			if co = c.pickKey(s, keyOf(m)); co != nil && !c.ready(co) {
				co = nil
			}
		} else {
			co = c.pick(s)
		}
		switch {
		case co == nil:
			return nil
		case co.stream == nil && len(co.channel) < consumerChannel, co.stream != nil && co.stream.len() < limit:
			return co
		}
	}
	return nil
}
