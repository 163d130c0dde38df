package danubetest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestPartitionedTopic(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		must(t, b.CreateTopic(topic, danubetest.TopicConfig{Partitions: 3}))
		must(t, b.CreateSubscription(topic, sub, danubetest.SubOpts{}))
		for i := range 5 {
			id, err := b.Publish(topic, []byte{byte('a' + i)})
			must(t, err)
			want(t, "turn", id.Topic, topic+"-part-"+string(rune('0'+i%3)))
		}
		for key, part := range map[string]string{"a": "1", "order-123": "0", "payment": "0", "shipping": "2", "user-42": "0", "ключ": "0"} {
			id, err := b.Publish(topic, nil, danubetest.PubOpts{Key: key})
			must(t, err)
			want(t, "partition of "+key, id.Topic, topic+"-part-"+part)
		}
		all, err := b.WaitPublished(t.Context(), topic, 11)
		must(t, err)
		want(t, "first ones", string(all[0].Payload)+string(all[1].Payload), "ad")
		want(t, "of one partition", len(b.Messages(topic+"-part-2")), 2)
		c0 := s.open(topic+"-part-0", sub, "c", exclusive)
		c1 := s.open(topic+"-part-1", sub, "c", exclusive)
		must(t, b.WaitConsumers(t.Context(), topic, sub, 2))
		c0.ack(c0.offsets(6)...)
		c1.ack(c1.offsets(2)...)
		i := info(t, b)
		want(t, "sum", []any{i.Acked, i.Pending, i.InFlight, i.Cursor, len(i.Partitions), len(i.Consumers)}, []any{8, 2, 1, -1, 3, 2})
		must(t, b.WaitAcked(t.Context(), topic, sub, 8))
		var names []string
		for _, ti := range b.Topics() {
			names = append(names, ti.Name)
		}
		want(t, "topics", names, []string{topic + "-part-0", topic + "-part-1", topic + "-part-2"})
		must(t, b.DeleteTopic(topic))
		wantEOF(t, c0)
		want(t, "topics", len(b.Topics()), 0)
		if err := b.DeleteTopic(topic); err == nil {
			t.Error("deleted twice")
		}
	})
}

func TestArrange(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		at := time.UnixMilli(12345)
		ids, err := b.PublishN(topic, 3, func(i int) []byte { return []byte{byte('a' + i)} })
		must(t, err)
		want(t, "ids", ids, []danubetest.MsgID{{Topic: topic, Offset: 0}, {Topic: topic, Offset: 1}, {Topic: topic, Offset: 2}})
		must(t, b.CreateSubscription(topic, sub, danubetest.SubOpts{From: danubetest.Earliest}))
		must(t, b.CreateSubscription(topic, "late", danubetest.SubOpts{}))
		must(t, b.CreateSubscription(topic, sub, danubetest.SubOpts{From: danubetest.Latest})) // is there already
		want(t, "type", info(t, b).Type, danubetest.Undecided)
		_, err = b.Publish(topic, []byte("d"), danubetest.PubOpts{Key: "k", Attributes: map[string]string{"a": "b"}, Producer: "me", RequestID: 9, PublishTime: at})
		must(t, err)
		c := s.open(topic, sub, "c", shared)
		want(t, "offsets", c.offsets(3), []int{0, 1, 2})
		m := c.next()
		want(t, "message", []any{m.GetRoutingKey(), m.GetAttributes(), m.GetProducerName(), m.GetRequestId(), m.GetPublishTime()}, []any{"k", map[string]string{"a": "b"}, "me", 9, 12345})
		want(t, "late", s.open(topic, "late", "c", exclusive).offsets(1), []int{3})
		want(t, "type", info(t, b).Type, danubetest.Shared)
		if _, err := b.Publish(topic, nil, danubetest.PubOpts{}, danubetest.PubOpts{}); err == nil {
			t.Error("two PubOpts")
		}
		if err := b.CreateTopic(topic, danubetest.TopicConfig{Partitions: 1}); err == nil || !strings.Contains(err.Error(), "already exists") {
			t.Errorf("partitions of a plain topic: %v", err)
		}
		if _, err := b.PublishN("nonsense", 1, func(int) []byte { return nil }); err == nil {
			t.Error("published to nonsense")
		}
	})
}
