package danubetest_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

const (
	mSend     = danubetest.MethodSendMessage
	mAck      = danubetest.MethodAck
	mDelivery = danubetest.MethodDelivery
)

func only(m danubetest.Method) []danubetest.Method { return []danubetest.Method{m} }

func TestFaultFiresOnce(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		h := b.Fault(danubetest.Fault{Methods: only(mSend)})
		wantStatus(t, p.trySend("a"), codes.Unavailable, "fault")
		must(t, p.trySend("b"))
		want(t, "hits", h.Hits(), 1)
		b.CheckPayloads(t, topic, "b")
		want(t, "answers", b.Stats().Calls[mSend], map[codes.Code]int{codes.OK: 1, codes.Unavailable: 1})
	})
}

func TestFaultSkipAndCount(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		h := b.Fault(danubetest.Fault{Methods: only(mSend), Skip: 1, Count: 2, Err: status.Error(codes.Aborted, "x")})
		for _, code := range []codes.Code{codes.OK, codes.Aborted, codes.Aborted, codes.OK} {
			want(t, "code", status.Code(p.trySend("a")), code)
		}
		must(t, h.Wait(t.Context(), 2))

		h = b.Fault(danubetest.Fault{Methods: only(mSend), Count: -1})
		for range 5 {
			want(t, "code", status.Code(p.trySend("a")), codes.Unavailable)
		}
		h.Remove()
		h.Remove()
		must(t, p.trySend("a"))
		want(t, "hits", h.Hits(), 5)
		want(t, "faulted", len(b.Calls(func(in danubetest.Call) bool { return in.Faulted })), 7)
	})
}

func TestFaultSelectors(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		must(t, b.CreateTopic("/default/a", danubetest.TopicConfig{Partitions: 2}))
		must(t, b.CreateTopic(topic, danubetest.TopicConfig{}))
		p, q := s.producer("/default/a-part-1", "p"), s.producer(topic, "q")
		c := s.open(topic, sub, "c", exclusive)
		send := func(p *producer, key string) error {
			m := p.message("x")
			m.RoutingKey = &key
			_, err := s.producers.SendMessage(t.Context(), m)
			return err
		}
		for _, tc := range []struct {
			name  string
			fault danubetest.Fault
			hit   func() error
			miss  func() error
		}{
			{"topic", danubetest.Fault{Topic: topic}, func() error { return send(q, "") }, func() error { return send(p, "") }},
			{"base", danubetest.Fault{Topic: "/default/a"}, func() error { return send(p, "") }, func() error { return send(q, "") }},
			{"producer", danubetest.Fault{Producer: "p"}, func() error { return send(p, "") }, func() error { return send(q, "") }},
			{"key", danubetest.Fault{RoutingKey: "k"}, func() error { return send(p, "k") }, func() error { return send(p, "") }},
			{"subscription", danubetest.Fault{Subscription: sub}, func() error {
				_, err := s.consumers.Ack(t.Context(), &pb.AckRequest{MsgId: c.msgID(70), SubscriptionName: sub})
				return err
			}, func() error { return send(q, "") }},
			{"offsets", danubetest.Fault{Offsets: []uint64{70, 71}}, func() error {
				_, err := s.consumers.Ack(t.Context(), &pb.AckRequest{MsgId: c.msgID(71), SubscriptionName: sub})
				return err
			}, func() error { return send(q, "") }},
			{"consumer", danubetest.Fault{Consumer: "c"}, func() error {
				_, err := s.health.HealthCheck(t.Context(), &pb.HealthCheckRequest{Client: asCons, Id: c.id})
				return err
			}, func() error {
				_, err := s.health.HealthCheck(t.Context(), &pb.HealthCheckRequest{Client: asProd, Id: p.id})
				return err
			}},
			{"when", danubetest.Fault{When: func(in danubetest.Call) bool { return in.Bytes == 1 && in.RequestID > 0 }},
				func() error { return send(q, "") },
				func() error { _, err := s.tryProducer(topic, "q"); return err }},
		} {
			t.Log(tc.name)
			b.Fault(tc.fault)
			must(t, tc.miss())
			want(t, "code", status.Code(tc.hit()), codes.Unavailable)
			must(t, tc.hit())
		}
	})
}

func TestFaultAfterApply(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		b.Fault(danubetest.AmbiguousPublish(topic), danubetest.AckAppliedButFailed(sub), danubetest.AckLost(sub))
		wantStatus(t, p.trySend("a"), codes.Unavailable, "after the message was stored")
		b.CheckPayloads(t, topic, "a")
		c.offsets(1)
		ack := func() error {
			_, err := s.consumers.Ack(t.Context(), &pb.AckRequest{MsgId: c.msgID(0), SubscriptionName: sub})
			return err
		}
		wantStatus(t, ack(), codes.Unavailable, "after the ack was applied")
		b.CheckAcked(t, topic, sub, 0)
		p.send("b")
		c.offsets(1)
		wantStatus(t, ack(), codes.Unavailable, "before the ack arrived")
		want(t, "in flight", info(t, b).InFlight, 1)
		// Work that fails keeps its own answer.
		b.Fault(danubetest.AmbiguousPublish(topic))
		p.id++
		wantStatus(t, p.trySend("c"), codes.NotFound, "The producer with id")
	})
}

func TestFaultHang(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		for _, after := range []bool{false, true} {
			h := b.Fault(danubetest.Fault{Methods: only(mSend), Hang: true, AfterApply: after, Count: 2})
			stored := len(b.Messages(topic))
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			_, err := s.producers.SendMessage(ctx, p.message("given up"))
			cancel()
			want(t, "code", status.Code(err), codes.DeadlineExceeded)
			synctest.Wait()
			done := make(chan error)
			go func() { done <- p.trySend("hung") }()
			synctest.Wait()
			if after {
				stored += 2
			}
			want(t, "stored while it hangs", len(b.Messages(topic)), stored)
			h.Remove()
			must(t, <-done)
			if !after {
				stored++ // the one that was given up never was
			}
			want(t, "stored", len(b.Messages(topic)), stored)
		}
		// A broker that stops lets nothing hang.
		b.Fault(danubetest.Fault{Methods: only(mSend), Hang: true})
		done := make(chan error)
		go func() { done <- p.trySend("x") }()
		synctest.Wait()
		b.Stop()
		want(t, "code", status.Code(<-done), codes.Unavailable)
	})
}

func TestFaultDelay(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		slow := b.Fault(danubetest.SlowBroker(time.Second))
		// A delay lets the faults behind it work.
		b.Fault(danubetest.Fault{Methods: only(mSend), Delay: time.Second, Err: status.Error(codes.Aborted, "x")})
		start := time.Now()
		want(t, "code", status.Code(p.trySend("a")), codes.Aborted)
		want(t, "took", time.Since(start), 2*time.Second)
		must(t, p.trySend("b"))
		want(t, "took", time.Since(start), 3*time.Second)
		slow.Remove()
		must(t, p.trySend("c"))
		want(t, "took", time.Since(start), 3*time.Second)
		b.CheckPayloads(t, topic, "b", "c")
	})
}

// Delays that are longer than a duration can be are no delay of none.
func TestFaultDelaysAddUp(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		for range 2 {
			b.Fault(danubetest.Fault{Methods: only(danubetest.MethodCreateProducer), Delay: math.MaxInt64})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := s.producers.CreateProducer(ctx, &pb.ProducerRequest{TopicName: topic, ProducerName: "p", DispatchStrategy: 1})
		want(t, "code", status.Code(err), codes.DeadlineExceeded)
	})
}

func TestFaultObserve(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		h := b.Fault(danubetest.Fault{Methods: only(mSend), Observe: true, Count: -1})
		b.Fault(danubetest.Fault{Observe: true, Consumer: "nobody"}) // need not fire
		b.Fault(danubetest.Fault{Methods: only(mSend)})
		go p.trySend("a")
		must(t, h.Wait(t.Context(), 1))
		p.trySend("b")
		want(t, "hits", h.Hits(), 2)
	})
}

func TestDeliveryFaults(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		b.Fault(danubetest.Fault{Offsets: []uint64{1}, Duplicate: 2})
		p.send("a", "b", "c")
		want(t, "duplicates", c.offsets(5), []int{0, 1, 1, 1, 2})
		c.ack(0, 1, 2)

		b.Fault(danubetest.Fault{Methods: only(mDelivery), Delay: time.Minute})
		start := time.Now()
		p.send("d", "e")
		want(t, "delayed", c.arrivals(start, 2), []time.Duration{time.Minute, time.Minute})
		c.ack(3, 4) // were given up after 30 s, and are not waited for

		for _, tc := range []struct {
			fault danubetest.Fault
			sent  bool
			end   string
		}{
			{danubetest.Fault{Methods: only(mDelivery), Err: status.Error(codes.Internal, "boom")}, false, "rpc error: code = Internal desc = boom"},
			{danubetest.Fault{EndStream: danubetest.StreamEOF}, false, "EOF"},
			{danubetest.Fault{EndStream: danubetest.StreamUnavailable, AfterApply: true}, true, "rpc error: code = Unavailable desc = danubetest: stream dropped"},
		} {
			fresh := s.open(topic, "other", "c", exclusive)
			b.DropStreams(danubetest.StreamEOF, danubetest.Selector{Subscription: sub})
			b.Fault(tc.fault)
			p.send("x", "y")
			if tc.sent {
				fresh.next()
			}
			_, err := fresh.stream.Recv()
			want(t, "end", err, tc.end)
			synctest.Wait()
			want(t, "health", s.check(asCons, fresh.id), closed)
			fresh.receive()
			m := fresh.next()
			want(t, "first again", string(m.GetPayload()), "x")
			fresh.ack(m.GetMsgId().GetTopicOffset(), fresh.offsets(1)[0])
		}
	}, danubetest.WithFailurePolicy("", danubetest.FailurePolicy{}))
}

func TestHangingStreamCanBeTakenOver(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		b.Fault(danubetest.Fault{Methods: only(mDelivery), Hang: true})
		p.send("a", "b")
		d := s.open(topic, sub, "c", exclusive)
		wantEOF(t, c)
		want(t, "offsets", d.offsets(2), []int{0, 1})
	})
}

func TestOpeningFaults(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		b.Fault(danubetest.Throttled(2), danubetest.LookupFails(1), danubetest.HealthClose("c"),
			danubetest.Fault{Methods: only(danubetest.MethodReceiveMessages), AfterApply: true})
		_, err := s.tryProducer(topic, "p")
		want(t, "create", status.Code(err), codes.ResourceExhausted)
		_, err = s.trySubscribe(topic, sub, "c", exclusive)
		want(t, "subscribe", status.Code(err), codes.ResourceExhausted)
		_, err = s.discovery.TopicLookup(t.Context(), &pb.TopicLookupRequest{Topic: topic})
		wantStatus(t, err, codes.NotFound, "Unable to find the requested topic")
		c := s.subscribe(topic, sub, "c", exclusive)
		want(t, "health", []any{s.check(asCons, c.id), s.check(asCons, c.id)}, []any{closed, healthy})
		st, err := s.consumers.ReceiveMessages(t.Context(), &pb.ReceiveRequest{ConsumerId: c.id})
		must(t, err)
		_, err = st.Recv()
		want(t, "receive", status.Code(err), codes.Unavailable)
		synctest.Wait()
		want(t, "health of a stream that failed", s.check(asCons, c.id), closed)
	})
}

func TestNonsenseFaults(t *testing.T) {
	err := status.Error(codes.Aborted, "x")
	for _, f := range []danubetest.Fault{
		{Count: -2}, {Skip: -1}, {Delay: -1}, {Duplicate: -1}, {Duplicate: 10001},
		{EndStream: 9}, {Methods: only(99)}, {Methods: only(0)},
		{Observe: true, Err: err}, {Observe: true, EndStream: danubetest.StreamEOF}, {Observe: true, AfterApply: true},
		{Hang: true, Err: err}, {Hang: true, Duplicate: 1}, {Err: err, EndStream: danubetest.StreamEOF},
		{Close: true}, {Close: true, Methods: only(mAck)}, {Close: true, Methods: only(danubetest.MethodHealthCheck), Err: err},
		{EndStream: danubetest.StreamEOF, Methods: only(mAck)}, {Duplicate: 1, Methods: []danubetest.Method{mDelivery, mSend}},
		{Dead: true, Cut: true}, {Dead: true, Err: err}, {Cut: true, Hang: true}, {Dead: true, Duplicate: 1}, {Observe: true, Cut: true},
		{Reorder: true, Duplicate: 1}, {Reorder: true, EndStream: danubetest.StreamEOF}, {Reorder: true, Methods: only(mAck)},
		{Redirect: "http://x:1", Methods: only(mAck)}, {Redirect: "http://x:1", Err: err}, {Redirect: "http://x:1", Dead: true},
	} {
		tb := new(fakeTB)
		tb.run(func(tb danubetest.TB) { danubetest.Run(tb).Fault(f) })
		if len(tb.fatal) != 1 || !strings.Contains(tb.fatal[0], "danubetest: fault: ") {
			t.Errorf("%+v: got %q", f, tb.fatal)
		}
	}
	b, nerr := danubetest.New()
	must(t, nerr)
	defer b.Close()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	b.Fault(danubetest.Fault{Count: -2})
}
