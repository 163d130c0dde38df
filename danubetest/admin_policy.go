package danubetest

import (
	"context"
	"math"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

// SetSubscriptionFailurePolicy stores the policy of a subscription, which need not
// exist. Every field is taken as it is, also when it is zero. A subscription that is
// loaded keeps what it has until its topic is loaded again, and the next new consumer
// writes that back over what was stored; see [TrapPolicy].
//
// INVALID_ARGUMENT without a policy, and for DeadLetter without a topic;
// FAILED_PRECONDITION unless the topic exists and is Reliable.
func (s *topicAdmin) SetSubscriptionFailurePolicy(ctx context.Context, req *adminpb.SetSubscriptionFailurePolicyRequest) (*adminpb.SubscriptionResponse, error) {
	in := Call{Method: MethodSetSubscriptionFailurePolicy, Topic: req.GetTopic(), Subscription: req.GetSubscription()}
	err := s.call(ctx, &in, req, func(c *core) error {
		w := req.GetFailurePolicy()
		t := c.topics[req.GetTopic()]
		switch {
		case w == nil:
			return status.Error(codes.InvalidArgument, "failure_policy must be provided")
		case t == nil || t.dispatch != Reliable:
			return status.Error(codes.FailedPrecondition, "subscription failure policy can only be configured for reliable topics")
		case w.GetPoisonPolicy() == adminpb.SubscriptionPoisonPolicy_DeadLetter && w.GetDeadLetterTopic() == "":
			return status.Error(codes.InvalidArgument, "dead_letter_topic must be configured when poison_policy is DeadLetter")
		}
		t.policies[req.GetSubscription()] = policyOf(w)
		if sub := t.sub(req.GetSubscription()); sub != nil && !c.trap(TrapPolicy) {
			sub.policy = policyOf(w)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &adminpb.SubscriptionResponse{Success: true}, nil
}

// GetSubscriptionFailurePolicy returns what is stored, nothing when nothing is.
func (s *topicAdmin) GetSubscriptionFailurePolicy(ctx context.Context, req *adminpb.GetSubscriptionFailurePolicyRequest) (*adminpb.GetSubscriptionFailurePolicyResponse, error) {
	resp := new(adminpb.GetSubscriptionFailurePolicyResponse)
	in := Call{Method: MethodGetSubscriptionFailurePolicy, Topic: req.GetTopic(), Subscription: req.GetSubscription()}
	err := s.call(ctx, &in, req, func(c *core) error {
		t := c.topics[req.GetTopic()]
		if t == nil {
			return nil
		}
		if p, ok := t.policies[req.GetSubscription()]; ok {
			resp.FailurePolicy = p.wire()
		}
		if sub := t.sub(req.GetSubscription()); sub != nil && sub.typ != Undecided {
			resp.SubscriptionType = int32(sub.typ - Exclusive)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// Unsubscribe removes a subscription and its cursor. It must reach the broker that has
// the topic. NOT_FOUND when it is not there, and while one of its consumers is active; the text does
// not tell the two apart.
func (s *topicAdmin) Unsubscribe(ctx context.Context, req *adminpb.SubscriptionRequest) (*adminpb.SubscriptionResponse, error) {
	in := Call{Method: MethodUnsubscribe, Topic: req.GetTopic(), Subscription: req.GetSubscription()}
	err := s.call(ctx, &in, req, func(c *core) error {
		refuse := func(why string) error {
			return status.Errorf(codes.NotFound, "Unable to unsubscribe the subscription %s due to error: %s", req.GetSubscription(), why)
		}
		t := c.topics[req.GetTopic()]
		if t == nil || !t.on(in.node) {
			return refuse("Topic " + req.GetTopic() + " not found in registry")
		}
		sub := t.sub(req.GetSubscription())
		if sub == nil || sub.dormant || slices.ContainsFunc(sub.consumers, func(co *consumer) bool { return co.active }) {
			return refuse("Unable to unsubscribe as the subscription " + req.GetSubscription() + " has active consumers")
		}
		c.removeSubscription(sub)
		delete(t.policies, sub.name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &adminpb.SubscriptionResponse{Success: true}, nil
}

// removeSubscription ends a subscription.
func (c *core) removeSubscription(s *subscription) {
	c.meter(s.topic)
	c.dropConsumers(s)
	s.dispatcher.reset()
	c.alarms.clear(&s.alarm)
	c.alarms.clear(&s.limiter.again)
	s.topic.subs = slices.DeleteFunc(s.topic.subs, func(other *subscription) bool { return other == s })
	c.changed = true
}

// ListSubscriptions lists the subscriptions of a topic. As on the real broker a name
// comes once for each thing that is stored of it: its options, its cursor, its policy.
func (s *topicAdmin) ListSubscriptions(ctx context.Context, req *adminpb.TopicRequest) (*adminpb.SubscriptionListResponse, error) {
	resp := new(adminpb.SubscriptionListResponse)
	in := Call{Method: MethodListSubscriptions, Topic: req.GetName()}
	err := s.call(ctx, &in, req, func(c *core) error {
		t := c.topics[req.GetName()]
		if t == nil {
			return nil
		}
		for _, sub := range t.subs {
			resp.Subscriptions = append(resp.Subscriptions, sub.name)
			if sub.stored >= 0 {
				resp.Subscriptions = append(resp.Subscriptions, sub.name)
			}
			if _, ok := t.policies[sub.name]; ok {
				resp.Subscriptions = append(resp.Subscriptions, sub.name)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// policyOf reads a policy from the wire, zeros and all.
func policyOf(w *adminpb.SubscriptionFailurePolicy) FailurePolicy {
	ms := func(n uint64) time.Duration {
		return time.Duration(min(n, uint64(math.MaxInt64/time.Millisecond))) * time.Millisecond
	}
	p := FailurePolicy{
		MaxRedeliveries: int(w.GetMaxRedeliveryCount()),
		AckTimeout:      ms(w.GetAckTimeoutMs()),
		BaseDelay:       ms(w.GetBaseRedeliveryDelayMs()),
		MaxDelay:        ms(w.GetMaxRedeliveryDelayMs()),
		Backoff:         Exponential,
		DeadLetterTopic: w.GetDeadLetterTopic(),
	}
	if w.GetBackoffStrategy() == adminpb.SubscriptionBackoffStrategy_Fixed {
		p.Backoff = Fixed
	}
	switch w.GetPoisonPolicy() {
	case adminpb.SubscriptionPoisonPolicy_DeadLetter:
		p.Poison = DeadLetter
	case adminpb.SubscriptionPoisonPolicy_Drop:
		p.Poison = Drop
	}
	return p
}

// wire is the policy as the admin service shows it.
func (p FailurePolicy) wire() *adminpb.SubscriptionFailurePolicy {
	w := &adminpb.SubscriptionFailurePolicy{
		MaxRedeliveryCount:    uint32(p.MaxRedeliveries),
		AckTimeoutMs:          uint64(p.AckTimeout.Milliseconds()),
		BaseRedeliveryDelayMs: uint64(p.BaseDelay.Milliseconds()),
		MaxRedeliveryDelayMs:  uint64(p.MaxDelay.Milliseconds()),
		BackoffStrategy:       adminpb.SubscriptionBackoffStrategy_Exponential,
		PoisonPolicy:          adminpb.SubscriptionPoisonPolicy_Block,
	}
	if p.Backoff == Fixed {
		w.BackoffStrategy = adminpb.SubscriptionBackoffStrategy_Fixed
	}
	switch p.Poison {
	case DeadLetter:
		w.PoisonPolicy = adminpb.SubscriptionPoisonPolicy_DeadLetter
	case Drop:
		w.PoisonPolicy = adminpb.SubscriptionPoisonPolicy_Drop
	}
	if p.DeadLetterTopic != "" {
		w.DeadLetterTopic = &p.DeadLetterTopic
	}
	return w
}
