package danubetest_test

import (
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

func TestStoredFailurePolicy(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		set := func(w *adminpb.SubscriptionFailurePolicy) {
			_, err := s.topics.SetSubscriptionFailurePolicy(t.Context(), &adminpb.SetSubscriptionFailurePolicyRequest{Topic: topic, Subscription: sub, FailurePolicy: w})
			must(t, err)
		}
		attempts := func() int { return len(b.Messages(topic)[0].Deliveries) }
		// Zeros count: a message times out at once, and once is enough.
		set(&adminpb.SubscriptionFailurePolicy{PoisonPolicy: adminpb.SubscriptionPoisonPolicy_Drop})
		c := s.open(topic, sub, "c", exclusive)
		p.send("x")
		c.offsets(1)
		time.Sleep(time.Second)
		want(t, "attempts, dropped", []int{attempts(), info(t, b).Dropped}, []int{1, 1})
		// One that is loaded keeps what it has.
		set(&adminpb.SubscriptionFailurePolicy{AckTimeoutMs: 60_000, PoisonPolicy: adminpb.SubscriptionPoisonPolicy_Block})
		p.send("y")
		c.offsets(1)
		time.Sleep(time.Second)
		want(t, "dropped", info(t, b).Dropped, 2)
		list, err := s.topics.ListSubscriptions(t.Context(), &adminpb.TopicRequest{Name: topic})
		must(t, err)
		want(t, "listed", list.GetSubscriptions(), []string{sub, sub, sub}) // once for each thing stored
		s = restarted(t, b, false)
		s.open(topic, sub, "c", exclusive)
		s.producer(topic, "p").send("z")
		time.Sleep(time.Second)
		want(t, "dropped", info(t, b).Dropped, 2)
	})
}
