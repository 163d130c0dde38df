package danubetest

import (
	"context"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// Ack acknowledges one message of a subscription, whoever received it.
//
// INTERNAL when the topic or the subscription is not here; CANCELLED, as a reset
// stream, without msg_id. A message that does not await an acknowledgement (unknown,
// acknowledged before, or scheduled for redelivery) is left as it is, and the answer
// is OK. So it is for every message of a NonReliable topic.
func (s *consumerService) Ack(ctx context.Context, req *pb.AckRequest) (*pb.AckResponse, error) {
	id := req.GetMsgId()
	in := settleCall(MethodAck, id, req.GetSubscriptionName(), req.GetRequestId())
	err := s.call(ctx, &in, req, func(c *core) error {
		sub, what := c.settling(&in, id, req.GetSubscriptionName())
		switch {
		case id == nil:
			return c.errNoMsgID()
		case sub == nil:
			return errAck(what)
		case sub.topic.dispatch == Reliable:
			if sub.suspended() {
				c.command(sub, &in, func() { c.ack(sub, id.GetTopicOffset()) })
				return nil
			}
			c.ack(sub, id.GetTopicOffset())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &pb.AckResponse{RequestId: req.GetRequestId()}, nil
}

func settleCall(m Method, id *pb.MsgID, subscription string, request uint64) Call {
	return Call{
		Method:       m,
		Topic:        id.GetTopicName(),
		Subscription: subscription,
		RequestID:    request,
		Offset:       id.GetTopicOffset(),
		HasOffset:    id != nil,
	}
}

// settling finds the subscription of an Ack or Nack, or says what is missing.
func (c *core) settling(in *Call, id *pb.MsgID, name string) (s *subscription, missing string) {
	t := c.topics[id.GetTopicName()]
	if t == nil || !t.on(in.node) {
		return nil, "Topic " + id.GetTopicName() + " not found in registry"
	}
	if s = t.sub(name); s == nil || s.dormant {
		return nil, "Subscription not found"
	}
	return s, ""
}
