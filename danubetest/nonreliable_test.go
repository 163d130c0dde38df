package danubetest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

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

// A subscription that nobody reads is forgotten after a minute: at the next of the
// looks that come every 30 s, and only when there was a message that it missed.
func TestNonReliableIdle(t *testing.T) {
	for _, typ := range []pb.ConsumerRequest_SubscriptionType{exclusive, shared, pb.ConsumerRequest_Failover, pb.ConsumerRequest_KeyShared} {
		t.Run(typ.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
				must(t, b.CreateTopic(topic, danubetest.TopicConfig{Dispatch: danubetest.NonReliable}))
				publish := func() {
					_, err := b.Publish(topic, []byte("x"))
					must(t, err)
				}
				known := func() bool {
					_, ok := b.Subscription(topic, sub)
					return ok
				}
				start := time.Now()
				c := s.open(topic, sub, "c", typ)
				publish()
				c.cancel()
				time.Sleep(10 * time.Minute)
				want(t, "known while it misses nothing", known(), true)
				time.Sleep(5*time.Second - time.Since(start)%(30*time.Second))
				publish()
				time.Sleep(84 * time.Second)
				want(t, "known after 84 s", known(), true)
				time.Sleep(2 * time.Second)
				forgotten := typ != pb.ConsumerRequest_KeyShared
				want(t, "known after 86 s", known(), !forgotten)
				if !forgotten {
					return
				}
				want(t, "health", s.check(asCons, c.id), closed)
				stream, err := s.consumers.ReceiveMessages(t.Context(), &pb.ReceiveRequest{ConsumerId: c.id})
				must(t, err)
				_, err = stream.Recv()
				wantStatus(t, err, codes.NotFound, "The consumer with the id")
				_, err = s.consumers.Ack(t.Context(), &pb.AckRequest{MsgId: c.msgID(0), SubscriptionName: sub})
				wantStatus(t, err, codes.Internal, "Subscription not found")

				// Whoever subscribes again in time stays.
				c = s.open(topic, sub, "c", typ)
				c.cancel()
				synctest.Wait()
				publish()
				time.Sleep(59 * time.Second)
				c = s.open(topic, sub, "c", typ)
				time.Sleep(10 * time.Minute)
				want(t, "known when somebody is there", known(), true)

				// One that has only opened its stream again goes as soon as it is away.
				c.cancel()
				synctest.Wait()
				publish()
				time.Sleep(50 * time.Second)
				c.receive()
				time.Sleep(10 * time.Minute)
				want(t, "known with a stream", known(), true)
				c.cancel()
				time.Sleep(31 * time.Second)
				want(t, "known without", known(), false)
			})
		})
	}
}

// A consumer without a stream has room for four.
func TestNonReliableBeforeTheStream(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		must(t, b.CreateTopic(topic, danubetest.TopicConfig{Dispatch: danubetest.NonReliable}))
		c := s.subscribe(topic, sub, "c", exclusive)
		_, err := b.PublishN(topic, 10, func(i int) []byte { return []byte{byte('0' + i)} })
		must(t, err)
		c.receive()
		var got string
		for range 4 {
			got += string(c.next().GetPayload())
		}
		want(t, "came", got, "0123")
		c.quiet(time.Second)
		want(t, "dropped", info(t, b).Dropped, 6)
	}, danubetest.WithTraps(danubetest.TrapBurst))
}
