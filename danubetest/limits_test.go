package danubetest_test

import (
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

func TestLimits(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		s.producer(topic, "q")
		_, err := s.tryProducer(topic, "r")
		wantStatus(t, err, codes.ResourceExhausted, "Producer limit reached")
		s.producer(topic, "p") // it is there

		s.open(topic, "s", "a", shared)
		_, err = s.trySubscribe(topic, "s", "b", shared)
		wantStatus(t, err, codes.PermissionDenied, "Consumer limit per subscription")
		s.open(topic, "t", "a", shared)
		_, err = s.trySubscribe(topic, "t", "b", shared)
		wantStatus(t, err, codes.PermissionDenied, "Not allowed to create the subscription")
		s.open(topic, "s", "a", shared)

		_, err = s.spaces.CreateNamespace(t.Context(), &adminpb.NamespaceRequest{Name: "free"})
		must(t, err)
		for _, name := range []string{"p", "q", "r"} {
			s.producer("/free/a", name)
		}
	}, danubetest.WithLimits(danubetest.Limits{Producers: 2, Subscriptions: 2, Consumers: 3, ConsumersPerSubscription: 1}))

	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		s.open(topic, "s", "a", shared)
		_, err := s.trySubscribe(topic, "t", "a", shared)
		wantStatus(t, err, codes.ResourceExhausted, "Consumer limit per topic")
	}, danubetest.WithLimits(danubetest.Limits{Consumers: 1}))
}

// A number that is a mistake is one, and does not fill the memory.
func TestPartitionsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		if err := b.CreateTopic("/default/many", danubetest.TopicConfig{Partitions: 1 << 40}); err == nil {
			t.Error("by hand: no error")
		}
		_, err := s.topics.CreatePartitionedTopic(t.Context(), &adminpb.PartitionedTopicRequest{BaseName: "/default/many", Partitions: 1<<32 - 1})
		wantStatus(t, err, codes.NotFound, "16384 at most")
		want(t, "topics", len(b.Messages("/default/many")), 0)
		must(t, b.CreateTopic("/default/many", danubetest.TopicConfig{}))
	})
}

func TestNamespaces(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		ctx := t.Context()
		for _, name := range []string{"a", "ab"} {
			_, err := s.spaces.CreateNamespace(ctx, &adminpb.NamespaceRequest{Name: name})
			must(t, err)
		}
		s.producer("/ab/x", "p")
		list, err := s.spaces.GetNamespaceTopics(ctx, &adminpb.NamespaceRequest{Name: "ab"})
		must(t, err)
		want(t, "topics", list.GetTopics(), []string{"/ab/x"})
		_, err = s.spaces.DeleteNamespace(ctx, &adminpb.NamespaceRequest{Name: "ab"})
		wantStatus(t, err, codes.NotFound, "non empty namespace")
		_, err = s.spaces.DeleteNamespace(ctx, &adminpb.NamespaceRequest{Name: "a"})
		must(t, err)
		_, err = s.spaces.DeleteNamespace(ctx, &adminpb.NamespaceRequest{Name: "a"})
		wantStatus(t, err, codes.NotFound, "does not exists")
	})
}
