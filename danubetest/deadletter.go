package danubetest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// buryAll publishes what is exhausted to the dead letter topic.
func (c *core) buryAll(s *subscription) {
	for _, sl := range slices.Clone(s.exhausted) {
		if err := c.deadLetter(s, sl); err != nil {
			c.cfg.logger.Debug("dead letter failed", "topic", s.topic.name, "subscription", s.name, "error", err)
			return
		}
		c.giveUp(s, sl)
	}
}

// deadLetter publishes an exhausted message to the policy's topic, which is created
// when it does not exist, and reports whether that worked. Payload and attributes go
// there; with TrapDeadLetter key, schema, times and names do not.
func (c *core) deadLetter(s *subscription, sl *slot) error {
	name := s.policy.DeadLetterTopic
	t := c.topics[name]
	if t == nil {
		if !c.cfg.autoCreate {
			return errNoTopic(name)
		}
		var err error
		if t, err = c.addTopic(name, Reliable, c.place()); err != nil {
			return err
		}
	}
	switch {
	case t.dispatch != Reliable:
		return errDispatchMismatch()
	case t.owner == nil || !t.owner.alive || t.draining:
		return errElsewhere()
	}
	m := sl.msg.wire
	attrs := maps.Clone(m.GetAttributes())
	if attrs == nil {
		attrs = make(map[string]string)
	}
	maps.Copy(attrs, map[string]string{
		"x-original-topic":        s.topic.name,
		"x-original-subscription": s.name,
		"x-original-topic-offset": strconv.FormatUint(m.GetMsgId().GetTopicOffset(), 10),
		"x-original-producer-id":  strconv.FormatUint(m.GetMsgId().GetProducerId(), 10),
		"x-original-broker-addr":  m.GetMsgId().GetBrokerAddr(),
		"x-poison-policy":         "dead_letter",
		"x-delivery-attempt":      strconv.Itoa(sl.attempts),
	})
	if sl.reason != "" {
		attrs["x-failure-reason"] = sl.reason
	}
	dead := &pb.StreamMessage{
		MsgId:        &pb.MsgID{TopicName: name, BrokerAddr: t.owner.url},
		Payload:      m.GetPayload(),
		PublishTime:  uint64(c.now.UnixMilli()),
		ProducerName: fmt.Sprintf("broker-replicator-%s-0", s.topic.owner.name()),
		Attributes:   attrs,
	}
	if !c.trap(TrapDeadLetter) {
		dead.PublishTime, dead.ProducerName, dead.RoutingKey = m.PublishTime, m.ProducerName, m.RoutingKey
		dead.SchemaId, dead.SchemaVersion = m.SchemaId, m.SchemaVersion
	}
	c.append(t, dead, nil)
	t.counts.sent++ // a broker has a producer of its own for them
	return nil
}
