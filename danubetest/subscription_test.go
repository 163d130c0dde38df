package danubetest_test

import (
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

func TestUnknownType(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		_, err := s.trySubscribe(topic, sub, "c", 9)
		wantStatus(t, err, codes.PermissionDenied, "Not able to subscribe")
		s.subscribe(topic, sub, "c", shared)
		s.subscribe(topic, sub, "d", pb.ConsumerRequest_KeyShared) // joins what is there
		want(t, "type", info(t, b).Type, danubetest.Shared)
	})
}
