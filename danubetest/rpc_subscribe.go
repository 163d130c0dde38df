package danubetest

import (
	"context"
	"fmt"
	"slices"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// Subscribe registers a consumer, and its subscription when that does not exist.
//
//   - INVALID_ARGUMENT when the topic's name is not /namespace/topic.
//   - NOT_FOUND when the topic does not exist; it is never created.
//   - UNAVAILABLE when another broker has the topic, or none.
//   - PERMISSION_DENIED when the subscription is Exclusive and another name has it,
//     also when that one is long gone.
//   - RESOURCE_EXHAUSTED and PERMISSION_DENIED when there are as many as there may be; see
//     [WithLimits].
//
// A new subscription starts behind the newest message. A name that is there already
// is taken over: its stream ends cleanly, its unacknowledged messages are due at once,
// and its id is given out again; the requested type does not matter then.
func (s *consumerService) Subscribe(ctx context.Context, req *pb.ConsumerRequest) (*pb.ConsumerResponse, error) {
	resp := &pb.ConsumerResponse{RequestId: req.GetRequestId(), ConsumerName: req.GetConsumerName()}
	in := Call{
		Method:       MethodSubscribe,
		Topic:        req.GetTopicName(),
		Subscription: req.GetSubscription(),
		Consumer:     req.GetConsumerName(),
		RequestID:    req.GetRequestId(),
	}
	err := s.call(ctx, &in, req, func(c *core) error {
		co, err := c.subscribe(&in, req)
		if err == nil {
			resp.ConsumerId = co.id
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func (c *core) subscribe(in *Call, req *pb.ConsumerRequest) (*consumer, error) {
	t, err := c.topicOn(in.node, req.GetTopicName())
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, errNoTopic(req.GetTopicName())
	}
	s := t.sub(req.GetSubscription())
	if s != nil && s.dormant {
		c.load(s)
	}
	if s != nil {
		if co := s.consumer(req.GetConsumerName()); co != nil {
			c.takeover(co, in)
			return co, nil
		}
	}
	if err := c.admitConsumer(t, s); err != nil {
		return nil, err
	}
	if s == nil || s.typ == Undecided {
		typ, err := typeOf(t.name, req.GetSubscriptionType())
		if err != nil {
			return nil, err
		}
		if s == nil {
			s = c.newSubscription(t, req.GetSubscription(), t.next)
		}
		s.typ = typ
	}
	if s.typ == Exclusive && len(s.consumers) > 0 {
		return nil, errSubscribe(t.name, fmt.Sprintf("Not allowed to add the Consumer: %s, the Exclusive subscription can't be shared with other consumers", req.GetConsumerName()))
	}
	co := &consumer{id: c.newID(), name: req.GetConsumerName(), sub: s, active: true}
	if s.typ == KeyShared {
		co.filters, co.ring = slices.Clone(req.GetKeyFilters()), ringOf(co.id)
	}
	s.consumers = append(s.consumers, co)
	c.busy(s)
	if t.dispatch == Reliable {
		t.policies[s.name] = s.policy
	}
	c.consumers[co.id] = co
	c.changed = true
	if c.trap(TrapParked) {
		c.schedule(s)
	}
	return co, nil
}

// takeover gives a consumer's name to whoever asked for it last.
func (c *core) takeover(co *consumer, in *Call) {
	if co.stream != nil {
		c.keepStale(co, co.stream.close(nil))
		co.stream = nil
	}
	co.active = true
	c.busy(co.sub)
	c.cfg.logger.Debug("consumer taken over", "topic", co.sub.topic.name, "subscription", co.sub.name, "consumer", co.name)
	c.retryNow(co, in)
}

func typeOf(topic string, t pb.ConsumerRequest_SubscriptionType) (SubscriptionType, error) {
	switch t {
	case pb.ConsumerRequest_Exclusive:
		return Exclusive, nil
	case pb.ConsumerRequest_Shared:
		return Shared, nil
	case pb.ConsumerRequest_Failover:
		return Failover, nil
	case pb.ConsumerRequest_KeyShared:
		return KeyShared, nil
	}
	return 0, errSubscribe(topic, "Should not get here")
}
