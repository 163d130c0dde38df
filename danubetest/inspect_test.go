package danubetest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
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
		want(t, "stats", []int{st.Published, st.Delivered, st.Redelivered, st.Acked, st.Nacked, st.Timeouts, st.LateAcks, st.Dropped}, []int{1, 1, 0, 0, 1, 0, 0, 0})
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
		if _, err := b.PublishN("nonsense", 1, func(int) []byte { return nil }); err == nil {
			t.Error("published to nonsense")
		}
	})
}

func TestDump(t *testing.T) {
	dump := func() (text string) {
		bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			p := s.producer(topic, "p")
			must(t, b.CreateTopic("/default/b", danubetest.TopicConfig{Partitions: 11, Dispatch: danubetest.NonReliable}))
			c := s.open(topic, sub, "c", exclusive)
			p.send("one", "two")
			c.offsets(2)
			time.Sleep(1234 * time.Millisecond)
			c.ack(0)
			c.nack(1, 5*time.Second)
			b.Publish(topic, []byte(strings.Repeat("x", 100)), danubetest.PubOpts{Key: "k"})
			b.Fault(danubetest.Fault{Optional: true, Topic: topic, Delay: time.Second, Offsets: []uint64{1}})
			text = b.Dump()
		})
		return text
	}
	text := dump()
	if again := dump(); again != text {
		t.Errorf("not stable:\n%s\n%s", text, again)
	}
	head := `broker, 1.234s after its start
`
	const tail = `topic /default/orders, Reliable, 3 published, 3 kept
  producer p, 2 sent
  message 0 at 0s from p: "one"
    s to c at 0s, attempt 1: acked at 1.234s
  message 1 at 0s from p: "two"
    s to c at 0s, attempt 1: nacked at 1.234s ("because")
  message 2 at 1.234s from danubetest key "k": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    s to c at 1.234s, attempt 1: in flight
  subscription s, Exclusive, cursor 0: 1 pending, 1 of them again, 1 in flight, 1 acked, 1 nacked, 0 timed out, 0 dropped
    consumer c, active true, stream true, 1 in flight, 3 delivered
    1 is to be sent again at 6.234s, after 1 attempts
    2 awaits an ack from c until 31.234s, attempt 1
fault 1 (topic=/default/orders, offsets=[1], delay 1s): 0 hits
calls of CreateProducer: 1 OK
calls of SendMessage: 2 OK
calls of Subscribe: 1 OK
calls of ReceiveMessages: 1 OK
calls of Ack: 1 OK
calls of Nack: 1 OK
`
	if !strings.HasPrefix(text, head) || !strings.HasSuffix(text, tail) ||
		strings.Index(text, "b-part-2,") > strings.Index(text, "b-part-10,") {
		t.Errorf("got:\n%s\nwant:\n%s...\n%s", text, head, tail)
	}
}

func TestDumpShowsTheNewestMessages(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		_, err := b.PublishN(topic, 60, func(i int) []byte { return []byte("x") })
		must(t, err)
		if d := b.Dump(); !strings.Contains(d, "(10 older messages)") || strings.Contains(d, "message 9 ") || !strings.Contains(d, "message 59 ") {
			t.Error(d)
		}
	})
}

func TestWaits(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		done := make(chan string, 10)
		wait := func(name string, f func() error) {
			go func() {
				if err := f(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				done <- name
			}()
		}
		ctx := t.Context()
		wait("published", func() error {
			m, err := b.WaitPublished(ctx, topic, 2)
			want(t, "messages", len(m), 2)
			return err
		})
		wait("consumers", func() error { return b.WaitConsumers(ctx, topic, sub, 1) })
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		want(t, "first", <-done, "consumers")
		p.send("a", "b")
		want(t, "second", <-done, "published")
		c.offsets(2)
		wait("nacked", func() error { return b.WaitNacked(ctx, topic, sub, 1) })
		c.nack(0, 0)
		want(t, "third", <-done, "nacked")
		wait("acked", func() error { return b.WaitAcked(ctx, topic, sub, 1) })
		c.ack(1)
		want(t, "fourth", <-done, "acked")
		wait("idle", func() error { return b.WaitIdle(ctx, topic, sub) })
		wait("calls", func() error { return b.WaitCalls(ctx, mAck, 2) })
		c.ack(c.offsets(1)...)
		<-done
		<-done
	})
}

func TestWaitErrors(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		h := b.Fault(danubetest.Fault{Optional: true})
		for name, f := range map[string]func(context.Context) error{
			"2 messages in /default/orders, have 0":                       func(ctx context.Context) error { _, err := b.WaitPublished(ctx, topic, 2); return err },
			"3 acked in subscription s of /default/orders, have 0":        func(ctx context.Context) error { return b.WaitAcked(ctx, topic, sub, 3) },
			"1 nacked in subscription s of /default/orders, have 0":       func(ctx context.Context) error { return b.WaitNacked(ctx, topic, sub, 1) },
			"subscription s of /default/orders, there is none":            func(ctx context.Context) error { return b.WaitIdle(ctx, topic, sub) },
			"1 open streams in subscription s of /default/orders, have 0": func(ctx context.Context) error { return b.WaitConsumers(ctx, topic, sub, 1) },
			"5 calls of Ack, have 0":                                      func(ctx context.Context) error { return b.WaitCalls(ctx, mAck, 5) },
			"1 hits of the fault, have 0":                                 func(ctx context.Context) error { return h.Wait(ctx, 1) },
			"a state of subscription s of /default/orders": func(ctx context.Context) error {
				return b.WaitSubscription(ctx, topic, sub, func(danubetest.SubscriptionInfo) bool { return false })
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			err := f(ctx)
			cancel()
			var w *danubetest.WaitError
			if !errors.As(err, &w) || !errors.Is(err, context.DeadlineExceeded) || w.What != name ||
				!strings.Contains(err.Error(), "topic /default/orders, Reliable") {
				t.Errorf("%s: got %v", name, err)
			}
		}
		must(t, b.CreateSubscription(topic, sub, danubetest.SubOpts{}))
		b.Publish(topic, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.WaitIdle(ctx, topic, sub); err == nil || !strings.Contains(err.Error(), "1 messages left") {
			t.Errorf("got %v", err)
		}
		if _, err := b.WaitPublished(ctx, topic, 1); err != nil {
			t.Errorf("what is there already: %v", err)
		}
		closing := make(chan error)
		go func() { closing <- b.WaitAcked(t.Context(), topic, sub, 1) }()
		b.Close()
		if err := <-closing; !errors.Is(err, danubetest.ErrClosed) {
			t.Errorf("got %v", err)
		}
		err := b.WaitSubscription(t.Context(), topic, sub, func(danubetest.SubscriptionInfo) bool { return false })
		if !errors.Is(err, danubetest.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWaitSubscriptionSeesEveryState(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		var acked []int
		done := make(chan error)
		go func() {
			done <- b.WaitSubscription(t.Context(), topic, sub, func(i danubetest.SubscriptionInfo) bool {
				if len(acked) == 0 || acked[len(acked)-1] != i.Acked {
					acked = append(acked, i.Acked)
				}
				b.Topics() // may call the broker
				return i.Acked == 20
			})
		}()
		c := s.open(topic, sub, "c", exclusive)
		for range 20 {
			p.send("x")
			c.ack(c.offsets(1)...)
		}
		must(t, <-done)
		want(t, "acked", acked, numbers(0, 21))
	})
}

func TestChecks(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		send := func(key string) {
			m := p.message(key)
			m.RoutingKey = &key
			_, err := s.producers.SendMessage(t.Context(), m)
			must(t, err)
		}
		for _, k := range []string{"a", "b", "a", "b"} {
			send(k)
		}
		c.offsets(4)
		c.ack(1, 0, 2)
		tb := new(fakeTB)
		want(t, "good ones", []bool{
			b.CheckAcked(tb, topic, sub, 0, 1, 2),
			b.CheckPayloads(tb, topic, "a", "b", "a", "b"),
			b.CheckOrderPerKey(tb, topic, sub),
		}, []bool{true, true, true})
		want(t, "errors", len(tb.errs), 0)
		send("a")
		c.offsets(1)
		send("a")
		c.offsets(1)
		c.ack(5, 4)
		want(t, "bad ones", []bool{
			b.CheckAcked(tb, topic, sub, 2, 3, 99),
			b.CheckNoUnacked(tb, topic, sub),
			b.CheckNoUnacked(tb, topic, "x"),
			b.CheckPayloads(tb, topic, "a"),
			b.CheckOrderPerKey(tb, topic, sub),
		}, []bool{false, false, false, false, false})
		want(t, "errors", tb.errs, []string{
			"danubetest: message 3 of /default/orders is not acked in subscription s",
			"danubetest: message 99 of /default/orders is not acked in subscription s",
			"danubetest: subscription s of /default/orders has 0 messages pending and 1 in flight",
			"danubetest: no subscription x on /default/orders",
			`danubetest: payloads of /default/orders: have ["a" "b" "a" "b" "a" "a"], want ["a"]`,
			`danubetest: key "a" of /default/orders in subscription s: message 5 was acked before message 4`,
		})
	})
}

func TestNonReliableDropsForStreamsThatLag(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		must(t, b.CreateTopic(topic, danubetest.TopicConfig{Dispatch: danubetest.NonReliable}))
		c := s.open(topic, sub, "c", exclusive)
		h := b.Fault(danubetest.Fault{Methods: only(mDelivery), Hang: true})
		_, err := b.PublishN(topic, 2000, func(int) []byte { return nil })
		must(t, err)
		i := info(t, b)
		want(t, "dropped", i.Dropped, 2000-1024)
		h.Remove()
		for range 1024 {
			c.next()
		}
		want(t, "outcome", b.Messages(topic)[0].Deliveries[0].Outcome, danubetest.Sent)
		d := s.open(topic, "two", "d", shared)
		e := s.open(topic, "two", "e", shared)
		b.PublishN(topic, 2, func(int) []byte { return []byte("x") })
		d.next()
		e.next()
		_, err = s.consumers.Nack(t.Context(), &pb.NackRequest{MsgId: c.msgID(0), SubscriptionName: sub})
		must(t, err)
		want(t, "nacked", info(t, b).Nacked, 0)
	})
}

func TestUnsupportedTypes(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		for _, typ := range []pb.ConsumerRequest_SubscriptionType{pb.ConsumerRequest_Failover, pb.ConsumerRequest_KeyShared} {
			_, err := s.trySubscribe(topic, sub, "c", typ)
			wantStatus(t, err, codes.Unimplemented, typ.String())
		}
		_, err := s.trySubscribe(topic, sub, "c", 9)
		wantStatus(t, err, codes.PermissionDenied, "Not able to subscribe")
		s.subscribe(topic, sub, "c", shared)
		s.subscribe(topic, sub, "d", pb.ConsumerRequest_KeyShared) // joins what is there
		want(t, "type", info(t, b).Type, danubetest.Shared)
	})
}
