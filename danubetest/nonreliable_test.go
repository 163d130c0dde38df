package danubetest_test

import (
	"testing"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

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
