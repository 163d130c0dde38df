package danubetest_test

import (
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

func TestTrapGrants(t *testing.T) {
	both(t, danubetest.TrapGrants, func(t *testing.T, b *danubetest.Broker, _ *stubs, on bool) {
		s := as(t, b, "Bearer reader")
		c := s.subscribe(topic, sub, "c", exclusive)
		_, err := b.Publish(topic, []byte("x"))
		must(t, err)
		st, err := s.consumers.ReceiveMessages(t.Context(), &pb.ReceiveRequest{ConsumerId: c.id})
		must(t, err)
		_, err = st.Recv()
		_, aerr := s.consumers.Ack(t.Context(), &pb.AckRequest{MsgId: c.msgID(0), SubscriptionName: sub})
		if !on {
			must(t, err)
			must(t, aerr)
			return
		}
		wantStatus(t, err, codes.PermissionDenied, "no binding grants")
		wantStatus(t, aerr, codes.PermissionDenied, "no binding grants")
	}, danubetest.WithTokens(danubetest.Token{Value: "reader", Principal: "reader"}), danubetest.WithTopic(topic, danubetest.TopicConfig{}),
		danubetest.WithGrants("reader", danubetest.Grant{Topic: topic, Permissions: []danubetest.Permission{danubetest.Consume}}))
}
