package danubetest_test

import (
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

const dead = "/default/dead"

func TestDeadLetter(t *testing.T) {
	policy := danubetest.FailurePolicy{MaxRedeliveries: 1, Poison: danubetest.DeadLetter, DeadLetterTopic: dead}
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		_, err := b.Publish(topic, []byte("bad"), danubetest.PubOpts{Key: "k", Attributes: map[string]string{"a": "b"}, Producer: "me"})
		must(t, err)
		c.offsets(1)
		c.nack(0, 0)
		c.offsets(1)
		c.nack(0, 0)
		list, err := b.WaitPublished(t.Context(), dead, 1)
		must(t, err)
		m := list[0]
		want(t, "payload, key, producer", []string{string(m.Payload), m.Key, m.Producer}, []string{"bad", "", "broker-replicator-1-0"})
		want(t, "attributes", m.Attributes, map[string]string{
			"a": "b", "x-original-topic": topic, "x-original-subscription": sub, "x-original-topic-offset": "0",
			"x-original-producer-id": "0", "x-original-broker-addr": b.URL(), "x-poison-policy": "dead_letter",
			"x-delivery-attempt": "2", "x-failure-reason": "because",
		})
		i := info(t, b)
		want(t, "dropped, cursor, blocked", []any{i.Dropped, i.Cursor, i.Blocked}, []any{1, 0, false})
		b.Publish(topic, []byte("good"))
		want(t, "next", c.offsets(1), []int{1})

		// A timeout has a reason too.
		time.Sleep(2 * time.Minute)
		want(t, "reason", b.Messages(dead)[1].Attributes["x-failure-reason"], "ack timeout")
	}, danubetest.WithFailurePolicy(sub, policy))

	// Where the topic cannot take it, the message stays and others go on.
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		must(t, b.CreateTopic(dead, danubetest.TopicConfig{Dispatch: danubetest.NonReliable}))
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("0", "1")
		c.offsets(2)
		c.nack(0, 0)
		c.offsets(1)
		c.nack(0, 0)
		i := info(t, b)
		want(t, "exhausted, blocked", []any{i.Exhausted, i.Blocked}, []any{1, false})
		p.send("2")
		want(t, "next", c.offsets(1), []int{2})
		must(t, b.DeleteTopic(dead))
		c.ack(1)
		want(t, "dead", len(b.Messages(dead)), 1)
	}, danubetest.WithFailurePolicy(sub, policy))

	if _, err := danubetest.New(danubetest.WithFailurePolicy("", danubetest.FailurePolicy{Poison: danubetest.DeadLetter})); err == nil {
		t.Error("a policy without a topic was taken")
	}
}
