package danubetest_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// T22: a client that takes less than what is delivered loses its stream to each delivery,
// until the message is exhausted.
func TestClientTrapReceiveLimit(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		conn, err := b.Dial(grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1 << 20)))
		must(t, err)
		defer conn.Close()
		small := newStubs(t, conn)
		s.subscribe(topic, sub, "c", exclusive)
		_, err = b.Publish(topic, make([]byte, 2<<20))
		must(t, err)
		for range 3 {
			c := small.open(topic, sub, "c", exclusive)
			_, err := c.stream.Recv()
			wantStatus(t, err, codes.ResourceExhausted, "larger than max")
			c.leave()
		}
		want(t, "attempts", len(b.Messages(topic)[0].Deliveries), 3)
		want(t, "with room", len(s.open(topic, sub, "c", exclusive).next().GetPayload()), 2<<20)
	})
}

// T24: a client that acks and does not read waits for a broker that writes and does not
// take acks.
func TestClientTrapAckInReceiveLoop(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		h := b.Fault(danubetest.Fault{Methods: only(mDelivery), Hang: true}) // nobody reads
		b.PublishN(topic, 100, func(int) []byte { return nil })
		acked := 0
		for ; acked < 100; acked++ {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			_, err := s.consumers.Ack(ctx, &pb.AckRequest{MsgId: c.msgID(uint64(acked)), SubscriptionName: sub})
			cancel()
			if code(err) == codes.DeadlineExceeded {
				break
			}
			must(t, err)
		}
		if acked == 100 {
			t.Error("no ack had to wait")
		}
		h.Remove() // reading again, both go on
		c.offsets(100)
	}, danubetest.WithTraps(danubetest.TrapNoStream), danubetest.WithMaxUnacked(1000))
}

// T32: a broker that is dead answers no lookup, and the others send clients to it.
func TestClientTrapDeadOwner(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		s[0].producer(topic, "p")
		must(t, b.KillBroker(1))
		req := &pb.TopicLookupRequest{Topic: topic}
		_, err := s[0].discovery.TopicLookup(t.Context(), req)
		wantStatus(t, err, codes.Unavailable, "")
		r, err := s[1].discovery.TopicLookup(t.Context(), req)
		must(t, err)
		want(t, "url", r.GetConnectUrl(), b.URLs()[0])
		time.Sleep(30 * time.Second)
		r, err = s[1].discovery.TopicLookup(t.Context(), req)
		must(t, err)
		if r.GetConnectUrl() == b.URLs()[0] {
			t.Error("still the dead one")
		}
	})
}
