package danubetest

import (
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// limitsOf returns the limits of a topic.
func (c *core) limitsOf(t *topic) Limits {
	if ns, _ := splitTopic(t.name); !slices.Contains(c.cfg.namespaces, ns) {
		return Limits{}
	}
	return c.cfg.limits
}

func over(n, limit int) bool { return limit > 0 && n >= limit }

// admitProducer says whether a topic may have one more producer.
func (c *core) admitProducer(t *topic) error {
	limit := c.limitsOf(t).Producers
	if n := len(t.producers); over(n, limit) {
		return status.Errorf(codes.ResourceExhausted, "Producer limit reached for topic %s. Current: %d, Limit: %d", t.name, n, limit)
	}
	return nil
}

// admitConsumer says whether a topic may have one more consumer, of s or, without one,
// of a new subscription.
func (c *core) admitConsumer(t *topic, s *subscription) error {
	limits := c.limitsOf(t)
	subs, consumers := 0, 0
	for _, other := range t.subs {
		if other.dormant {
			continue
		}
		subs++
		consumers += len(other.consumers)
	}
	if over(subs, limits.Subscriptions) {
		return status.Errorf(codes.PermissionDenied, "Not allowed to create the subscription for the topic: %s", t.name)
	}
	if over(consumers, limits.Consumers) {
		return status.Errorf(codes.ResourceExhausted, "Consumer limit per topic reached for %s. Current: %d, Limit: %d", t.name, consumers, limits.Consumers)
	}
	if s != nil && over(len(s.consumers), limits.ConsumersPerSubscription) {
		return errSubscribe(t.name, fmt.Sprintf("Consumer limit per subscription reached on topic %s subscription %s. Current: %d, Limit: %d",
			t.name, s.name, len(s.consumers), limits.ConsumersPerSubscription))
	}
	return nil
}
