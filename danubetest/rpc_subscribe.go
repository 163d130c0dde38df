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
//   - PERMISSION_DENIED when the subscription is Exclusive and another name has it, with
//     [TrapOneName] also when that one is long gone.
//   - ALREADY_EXISTS when the consumer's stream is open, without [TrapTheft].
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
		if c.firstToCome(&in, req) {
			in.then = func(c *core) error {
				c.replaceFirst(&in, req)
				return c.subscribe(&in, req, resp)
			}
			return nil
		}
		return c.subscribe(&in, req, resp)
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// firstToCome reports whether a request is about to make a subscription that others may
// make meanwhile.
func (c *core) firstToCome(in *Call, req *pb.ConsumerRequest) bool {
	t := c.topics[req.GetTopicName()]
	return c.trap(TrapFirstSubscribe) && t != nil && t.on(in.node) && !t.draining && t.sub(req.GetSubscription()) == nil
}

// replaceFirst removes the subscription that somebody else has made meanwhile.
func (c *core) replaceFirst(in *Call, req *pb.ConsumerRequest) {
	if t := c.topics[req.GetTopicName()]; t != nil && t.on(in.node) {
		if s := t.sub(req.GetSubscription()); s != nil {
			c.removeSubscription(s)
		}
	}
}

func (c *core) subscribe(in *Call, req *pb.ConsumerRequest, resp *pb.ConsumerResponse) error {
	co, err := c.subscribed(in, req)
	if err == nil {
		resp.ConsumerId = co.id
	}
	return err
}

func (c *core) subscribed(in *Call, req *pb.ConsumerRequest) (*consumer, error) {
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
			if co.stream != nil && !c.trap(TrapTheft) {
				return nil, errInUse(co.name)
			}
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
	if s.typ == Exclusive && !c.trap(TrapOneName) {
		for _, co := range slices.Clone(s.consumers) {
			if !co.active {
				c.forgetConsumer(co)
			}
		}
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
	c.leaseConsumer(co)
	c.changed = true
	if c.trap(TrapParked) {
		c.schedule(s)
	}
	return co, nil
}

// takeover gives a consumer's name to whoever asked for it last.
func (c *core) takeover(co *consumer, in *Call) {
	if co.stream != nil {
		if c.trap(TrapLateInactive) && !co.raced {
			co.raced, co.race = true, true
		}
		c.keepStale(co, co.stream.close(c.endOf(errTakenOver())))
		co.stream = nil
	}
	co.active = true
	c.busy(co.sub)
	c.leaseConsumer(co)
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
