package danubetest_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

func TestMove(t *testing.T) {
	timing := danubetest.Timing{Draining: time.Second, Gap: 3 * time.Second, Failover: time.Minute}
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		p := s[0].producer(topic, "p")
		c := s[0].open(topic, sub, "c", exclusive)
		p.send("a", "b")
		want(t, "offsets", c.offsets(2), []int{0, 1})
		c.ack(0)
		must(t, b.MoveTopic(topic, 3))
		wantStatus(t, p.trySend("x"), codes.PermissionDenied, "draining or closed")
		want(t, "health while draining", s[0].check(asCons, c.id), healthy)
		if err := b.MoveTopic(topic, 2); err == nil {
			t.Error("moved a topic that is moving")
		}
		start := time.Now()
		wantEOF(t, c)
		want(t, "the stream's end", time.Since(start), time.Second)
		want(t, "health", []any{s[0].check(asProd, p.id), s[0].check(asCons, c.id)}, []any{closed, closed})
		wantStatus(t, p.trySend("x"), codes.NotFound, "The producer with id")
		_, err := s[0].consumers.Ack(t.Context(), &pb.AckRequest{MsgId: c.msgID(1), SubscriptionName: sub})
		wantStatus(t, err, codes.Internal, "not found in registry")
		for i := range s {
			want(t, "lookup", where(s[i], b, topic), "nowhere")
			_, err := s[i].tryProducer(topic, "p")
			wantStatus(t, err, codes.Unavailable, "redo the Lookup")
		}
		want(t, "owner", b.Owner(topic), 0)
		time.Sleep(3 * time.Second)
		want(t, "lookup", []any{where(s[0], b, topic), where(s[2], b, topic)}, []any{"Redirect 3", "Connect 3"})
		q := s[2].producer(topic, "p")
		c = s[2].open(topic, sub, "c", exclusive)
		want(t, "again", c.offsets(1), []int{1})
		q.send("c") // numbering goes on
		want(t, "next", c.offsets(1), []int{2})
	}, danubetest.WithTiming(timing))
}

func TestMoveNonsense(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		must(t, b.CreateTopic(topic, danubetest.TopicConfig{}))
		must(t, b.KillBroker(2))
		for _, tc := range []struct {
			topic string
			to    int
			want  string
		}{
			{topic, 0, "no broker 0"}, {topic, 4, "no broker 4"}, {topic, 1, "has /default/orders already"},
			{topic, 2, "broker 2 is dead"}, {"/default/x", 2, "no topic"},
		} {
			if err := b.MoveTopic(tc.topic, tc.to); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("move %s to %d: got %v, want %q", tc.topic, tc.to, err, tc.want)
			}
		}
		must(t, b.KillBroker(3))
		if err := b.UnloadTopic(topic); err == nil || !strings.Contains(err.Error(), "no other broker") {
			t.Errorf("unload: %v", err)
		}
		must(t, b.KillBroker(1))
		if err := b.UnloadTopic(topic); err == nil || !strings.Contains(err.Error(), "is dead") {
			t.Errorf("unload: %v", err)
		}
		for _, i := range []int{0, 4} {
			if b.KillBroker(i) == nil || b.StartBroker(i) == nil {
				t.Errorf("broker %d was killed or started", i)
			}
		}
	})
}

func TestUnloadTopicOverTheWire(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		must(t, b.CreateTopic(topic, danubetest.TopicConfig{}))
		unload := func(name string) error {
			_, err := s[2].topics.UnloadTopic(t.Context(), &adminpb.TopicRequest{Name: name})
			return err
		}
		wantStatus(t, unload("/default/x"), codes.NotFound, "Unable to unload the topic")
		must(t, unload(topic))
		wantStatus(t, unload(topic), codes.NotFound, "Unable to unload the topic")
		time.Sleep(2 * time.Second) // the default gap
		want(t, "owner", b.Owner(topic), 2)
		must(t, b.KillBroker(1))
		must(t, unload(topic))
		time.Sleep(2 * time.Second)
		want(t, "owner", b.Owner(topic), 3)
		must(t, b.KillBroker(2))
		wantStatus(t, unload(topic), codes.FailedPrecondition, "single broker")
	})
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		must(t, b.CreateTopic(topic, danubetest.TopicConfig{}))
		_, err := s.topics.UnloadTopic(t.Context(), &adminpb.TopicRequest{Name: topic})
		wantStatus(t, err, codes.FailedPrecondition, "single broker")
	})
}
