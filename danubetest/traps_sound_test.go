package danubetest_test

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// The traps below are on in the profile Sound too. Each test sees what the trap does, and
// that it does not without it.

// both runs a test with a trap and without it.
func both(t *testing.T, trap danubetest.Trap, f func(t *testing.T, b *danubetest.Broker, s *stubs, on bool), opts ...danubetest.Option) {
	t.Helper()
	for _, on := range []bool{true, false} {
		o := danubetest.WithoutTraps(trap)
		if on {
			o = danubetest.WithProfile(danubetest.Sound)
		}
		bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) { f(t, b, s, on) }, append(opts, o)...)
	}
}

// leave ends a consumer's stream and waits until the broker knows.
func (c *consumer) leave() {
	c.s.t.Helper()
	c.cancel()
	for c.s.check(asCons, c.id) == healthy {
	}
}

func pickOne[T any](on bool, with, without T) T {
	if on {
		return with
	}
	return without
}

func TestTrapOneName(t *testing.T) {
	both(t, danubetest.TrapOneName, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("0")
		c.offsets(1)
		_, err := s.trySubscribe(topic, sub, "d", exclusive)
		wantStatus(t, err, codes.PermissionDenied, "Exclusive subscription can't be shared")
		c.leave()
		d, err := s.trySubscribe(topic, sub, "d", exclusive)
		if on {
			wantStatus(t, err, codes.PermissionDenied, "Exclusive subscription can't be shared")
			return
		}
		must(t, err)
		d.receive()
		want(t, "again", d.offsets(1), []int{0})
		want(t, "the old one", s.check(asCons, c.id), closed)
	})
}

func TestTrapNoFailover(t *testing.T) {
	both(t, danubetest.TrapNoFailover, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		p := s.producer(topic, "p")
		c, d := s.open(topic, sub, "c", failover), s.open(topic, sub, "d", failover)
		p.send("0", "1")
		c.ack(c.offsets(2)[0])
		c.leave()
		p.send("2")
		if on {
			d.quiet(time.Hour)
			return
		}
		want(t, "the second", d.offsets(2), []int{1, 2})
		c.receive() // the first is back
		p.send("3")
		want(t, "the first", c.offsets(1), []int{3})
	})
}

func TestTrapLateAck(t *testing.T) {
	both(t, danubetest.TrapLateAck, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("0", "1")
		c.offsets(2)
		c.nack(1, 0)
		c.ack(1)
		c.leave()
		c.ack(0)
		i := info(t, b)
		want(t, "acked, late", []int{i.Acked, i.LateAcks}, pickOne(on, "[0 2]", "[2 0]"))
		want(t, "again", s.open(topic, sub, "c", exclusive).got(), pickOne(on, "[0 1]", "[]"))
	})
}

func TestTrapOvertake(t *testing.T) {
	both(t, danubetest.TrapOvertake, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("0")
		c.offsets(1)
		c.nack(0, 0)
		p.send("1", "2")
		want(t, "order", c.offsets(3), pickOne(on, "[1 2 0]", "[0 1 2]"))
	})
}

func TestTrapBurn(t *testing.T) {
	both(t, danubetest.TrapBurn, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("0")
		for range 5 {
			c.offsets(1)
			c = s.open(topic, sub, "c", exclusive)
		}
		c.offsets(1)
		c.nack(0, 0)
		want(t, "blocked", info(t, b).Blocked, on)
	})
}

func TestTrapCleanEnd(t *testing.T) {
	both(t, danubetest.TrapCleanEnd, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		d := s.open(topic, sub, "c", exclusive)
		must(t, b.UnloadTopic(topic))
		if on {
			wantEOF(t, c)
			wantEOF(t, d)
			return
		}
		_, err := c.stream.Recv()
		wantStatus(t, err, codes.Aborted, "taken over")
		_, err = d.stream.Recv()
		wantStatus(t, err, codes.Unavailable, "redo the Lookup")
	}, danubetest.WithBrokers(2))
}

func TestTrapTheft(t *testing.T) {
	both(t, danubetest.TrapTheft, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		if on { // the two take it from each other for ever
			for range 3 {
				d := s.open(topic, sub, "c", exclusive)
				wantEOF(t, c)
				want(t, "health", s.check(asCons, c.id), healthy)
				c = d
			}
			return
		}
		_, err := s.trySubscribe(topic, sub, "c", exclusive)
		wantStatus(t, err, codes.AlreadyExists, "has a stream open")
		st, err := s.consumers.ReceiveMessages(t.Context(), &pb.ReceiveRequest{ConsumerId: c.id})
		must(t, err)
		_, err = st.Recv()
		wantStatus(t, err, codes.AlreadyExists, "has a stream open")
		c.leave()
		s.open(topic, sub, "c", exclusive)
	})
}

func TestTrapReset(t *testing.T) {
	both(t, danubetest.TrapReset, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		ctx := t.Context()
		_, send := s.producers.SendMessage(ctx, &pb.StreamMessage{})
		_, ack := s.consumers.Ack(ctx, &pb.AckRequest{})
		_, nack := s.consumers.Nack(ctx, &pb.NackRequest{})
		for _, err := range []error{send, ack, nack} {
			wantStatus(t, err, pickOne(on, codes.Canceled, codes.InvalidArgument), pickOne(on, "RST_STREAM", "msg_id"))
		}
	})
}

func TestTrapPolicy(t *testing.T) {
	both(t, danubetest.TrapPolicy, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", shared)
		_, err := s.topics.SetSubscriptionFailurePolicy(t.Context(), &adminpb.SetSubscriptionFailurePolicyRequest{
			Topic: topic, Subscription: sub, FailurePolicy: &adminpb.SubscriptionFailurePolicy{
				AckTimeoutMs: 1000, PoisonPolicy: adminpb.SubscriptionPoisonPolicy_Drop,
			},
		})
		must(t, err)
		p.send("0")
		c.offsets(1)
		c.nack(0, 0)
		want(t, "dropped", info(t, b).Dropped, pickOne(on, 0, 1))
		s.open(topic, sub, "d", shared) // writes back what the subscription has
		r, err := s.topics.GetSubscriptionFailurePolicy(t.Context(), &adminpb.GetSubscriptionFailurePolicyRequest{Topic: topic, Subscription: sub})
		must(t, err)
		want(t, "stored", r.GetFailurePolicy().GetAckTimeoutMs(), pickOne(on, 30000, 1000))
	})
}

func TestTrapDeadLetter(t *testing.T) {
	both(t, danubetest.TrapDeadLetter, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.sendKey("k")
		c.offsets(1)
		c.nack(0, 0)
		m := b.Messages("/default/dead")[0]
		want(t, "key, producer", []string{m.Key, m.Producer}, pickOne(on, "[ broker-replicator-1-0]", "[k p]"))
	}, danubetest.WithFailurePolicy("", danubetest.FailurePolicy{MaxRedeliveries: -1, Poison: danubetest.DeadLetter, DeadLetterTopic: "/default/dead"}))
}

func TestTrapNamespace(t *testing.T) {
	both(t, danubetest.TrapNamespace, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		_, err := s.tryProducer("/nowhere/a", "p")
		wantStatus(t, err, pickOne(on, codes.Unavailable, codes.NotFound), "Unable to find the namespace")
	})
}

func TestTrapLeak(t *testing.T) {
	both(t, danubetest.TrapLeak, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		p, idle := s.producer(topic, "p"), s.producer(topic, "idle")
		c, d := s.open(topic, sub, "c", shared), s.open(topic, sub, "d", shared)
		p.send("0", "1")
		c.offsets(1)
		d.offsets(1)
		d.leave()
		want(t, "what the one had that left", c.offsets(1), []int{1})
		c.ack(0, 1)
		for range 3 {
			time.Sleep(25 * time.Second)
			p.send("x")
			c.ack(c.offsets(1)...)
		}
		want(t, "producers", b.Topics()[0].Producers, pickOne(on, "[idle p]", "[p]"))
		want(t, "consumers", len(info(t, b).Consumers), pickOne(on, 2, 1))
		want(t, "idle", s.check(asProd, idle.id), pickOne(on, healthy, closed))
		st, err := s.consumers.ReceiveMessages(t.Context(), &pb.ReceiveRequest{ConsumerId: d.id})
		must(t, err)
		if !on {
			_, err = st.Recv()
			wantStatus(t, err, codes.NotFound, "The consumer with the id")
		}
	})
}

func TestTrapNoName(t *testing.T) {
	both(t, danubetest.TrapNoName, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		p := s.producer(topic, "p")
		c, d := s.open(topic, sub, "c", exclusive), s.open(topic, "other", "c", exclusive)
		p.send("0")
		want(t, "name", c.next().GetSubscriptionName(), pickOne(on, "", sub))
		want(t, "name", d.next().GetSubscriptionName(), pickOne(on, "", "other"))
	})
}

func TestTrapListing(t *testing.T) {
	both(t, danubetest.TrapListing, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		must(t, b.CreateTopic(topic, danubetest.TopicConfig{Partitions: 11}))
		r, err := s.discovery.TopicPartitions(t.Context(), &pb.TopicLookupRequest{Topic: topic})
		must(t, err)
		want(t, "place of 10", slices.Index(r.GetPartitions(), topic+"-part-10"), pickOne(on, 2, 10))
	})
}

func TestTrapBlock(t *testing.T) {
	both(t, danubetest.TrapBlock, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("0")
		c.offsets(1)
		c.nack(0, 0)
		p.send("1")
		want(t, "blocked", info(t, b).Blocked, true)
		want(t, "a new stream", s.open(topic, sub, "c", exclusive).got(), pickOne(on, "[]", "[0 1]"))
	}, danubetest.WithFailurePolicy("", danubetest.FailurePolicy{MaxRedeliveries: -1}))
}
