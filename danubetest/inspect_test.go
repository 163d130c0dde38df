package danubetest_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestInspect(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		key := "k"
		m := p.message("hello")
		m.RoutingKey, m.Attributes, m.PublishTime = &key, map[string]string{"a": "b"}, 1500
		_, err := s.producers.SendMessage(t.Context(), m)
		must(t, err)
		c.offsets(1)
		c.nack(0, time.Second)

		got := b.Messages(topic)[0]
		want(t, "message",
			[]any{got.Topic, got.Offset, string(got.Payload), got.Attributes, got.Key, got.Producer, got.ProducerID, got.RequestID, got.PublishTime.UnixMilli()},
			[]any{topic, 0, "hello", map[string]string{"a": "b"}, "k", "p", p.id, 1, 1500})
		d := got.Deliveries[0]
		want(t, "delivery", []any{d.Subscription, d.Consumer, d.Attempt, d.Outcome, d.NackReason, d.NackDelay}, []any{sub, "c", 1, "nacked", "because", time.Second})
		got.Payload[0], got.Attributes["a"] = 'x', "x"
		if again := b.Messages(topic)[0]; string(again.Payload) != "hello" || again.Attributes["a"] != "b" {
			t.Error("what was returned is not a copy")
		}

		ti := b.Topics()[0]
		want(t, "topic", []any{ti.Name, ti.Dispatch, ti.Published, ti.Kept, ti.Bytes, ti.Subscriptions, ti.Producers}, []any{topic, "Reliable", 1, 1, 5, []string{sub}, []string{"p"}})
		pi := b.Producers()[0]
		want(t, "producer", pi, danubetest.ProducerInfo{ID: p.id, Name: "p", Topic: topic, Sent: 1})
		ci := b.Consumers()[0]
		want(t, "consumer", ci, danubetest.ConsumerInfo{ID: c.id, Name: "c", Topic: topic, Subscription: sub, Active: true, Streaming: true, Delivered: 1})
		i := info(t, b)
		want(t, "type", i.Type, "Exclusive")
		want(t, "consumers", i.Consumers, []danubetest.ConsumerInfo{ci})
		if _, ok := b.Subscription(topic, "x"); ok {
			t.Error("found a subscription that is not there")
		}
		st := b.Stats()
		want(t, "stats", []int{st.Published, st.Delivered, st.Redelivered, st.Acked, st.Nacked, st.TimedOut, st.LateAcks, st.Dropped}, []int{1, 1, 0, 0, 1, 0, 0, 0})
		want(t, "calls", st.Calls[danubetest.MethodNack], map[codes.Code]int{codes.OK: 1})
	})
}

func TestCalls(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		key := "k"
		m := p.message("hello")
		m.RoutingKey = &key
		_, err := s.producers.SendMessage(t.Context(), m)
		must(t, err)
		c.ack(c.offsets(1)...)
		s.check(asCons, c.id)
		p.id++
		p.trySend("x")
		all := b.Calls(nil)
		var seen []string
		for _, in := range all {
			seen = append(seen, in.Method.String()+" "+in.Code.String())
			if in.Peer == "" || in.At.IsZero() {
				t.Errorf("%+v", in)
			}
		}
		want(t, "calls", seen,
			"[Subscribe OK ReceiveMessages OK SendMessage OK Ack OK HealthCheck OK SendMessage NotFound]") // the oldest is gone
		send, ack, health := all[2], all[3], all[4]
		want(t, "send", []any{send.Topic, send.Producer, send.RoutingKey, send.RequestID, send.Bytes, send.HasOffset}, []any{topic, "p", "k", 1, 5, false})
		want(t, "ack", []any{ack.Topic, ack.Subscription, ack.HasOffset, ack.Offset}, []any{topic, sub, true, 0})
		want(t, "health", []any{health.Topic, health.Subscription, health.Consumer}, []any{topic, sub, "c"})
		acks := b.Calls(func(in danubetest.Call) bool { return in.Method == mAck })
		want(t, "filtered", len(acks), 1)
	}, danubetest.WithCallLog(6))
}
