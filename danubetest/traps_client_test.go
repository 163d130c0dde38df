package danubetest_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// T22: what just fits into a request does not fit into what a gRPC client takes.
func TestTrapOversize(t *testing.T) {
	const limit = 4 << 20
	both(t, danubetest.TrapOversize, func(t *testing.T, b *danubetest.Broker, s *stubs, on bool) {
		p := s.producer(topic, "p")
		p.send("offset 0 takes no room")
		sized := func(size int) *pb.StreamMessage {
			m := p.message("")
			m.Payload = make([]byte, size)
			m.Payload = m.Payload[:2*size-proto.Size(m)]
			want(t, "size", proto.Size(m), size)
			return m
		}
		conn, err := b.Dial(grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(2 * limit))) // what it receives is gRPC's affair
		must(t, err)
		defer conn.Close()
		plain := newStubs(t, conn)
		plain.subscribe(topic, sub, "c", exclusive)
		_, err = plain.producers.SendMessage(t.Context(), sized(limit+1))
		wantStatus(t, err, codes.OutOfRange, "message length too large")
		_, err = plain.producers.SendMessage(t.Context(), sized(limit))
		if !on {
			wantStatus(t, err, codes.OutOfRange, "message length too large")
			_, err = plain.producers.SendMessage(t.Context(), sized(limit-1<<10))
			must(t, err)
			want(t, "the largest one", plain.open(topic, sub, "c", exclusive).offsets(1), []int{1})
			return
		}
		must(t, err)
		for range 10 { // however many redeliveries there may be
			c := plain.open(topic, sub, "c", exclusive)
			_, err := c.stream.Recv()
			wantStatus(t, err, codes.ResourceExhausted, "larger than max")
			c.leave()
		}
		want(t, "blocked", info(t, b).Blocked, false)
		want(t, "with room", s.open(topic, sub, "c", exclusive).offsets(1), []int{1})
	})
}

// T24: a client that acks and does not read waits for a broker that writes and does not
// take acks.
func TestTrapAckWaits(t *testing.T) {
	for _, on := range []bool{true, false} {
		o := pickOne(on, danubetest.WithTraps(danubetest.TrapAckWaits), danubetest.WithoutTraps(danubetest.TrapAckWaits))
		bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			s.producer(topic, "p")
			c := s.open(topic, sub, "c", exclusive)
			h := b.Fault(danubetest.Fault{Methods: only(mDelivery), Hang: true}) // nobody reads
			b.PublishN(topic, 100, func(int) []byte { return nil })
			settle := map[string]func(context.Context, uint64) error{
				"ack": func(ctx context.Context, o uint64) error {
					_, err := s.consumers.Ack(ctx, &pb.AckRequest{MsgId: c.msgID(o), SubscriptionName: sub})
					return err
				},
				"nack": func(ctx context.Context, o uint64) error {
					_, err := s.consumers.Nack(ctx, &pb.NackRequest{MsgId: c.msgID(o), SubscriptionName: sub})
					return err
				},
			}
			// The dispatcher's queue is full of the messages that were published.
			for name, try := range settle {
				for o := uint64(50); o < 60; o++ {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					err := try(ctx, o)
					cancel()
					if on {
						wantStatus(t, err, codes.DeadlineExceeded, "")
						break
					}
					if err != nil {
						t.Errorf("%s of %d: %v", name, o, err)
					}
				}
			}
			want(t, "parked", info(t, b).Parked, true)
			h.Remove() // reading again, both go on
			c.offsets(100)
		}, danubetest.WithTraps(danubetest.TrapNoStream), danubetest.WithMaxUnacked(1000), o)
	}
}

// T32: a broker that is dead answers no lookup, and the others send clients to it.
func TestTrapDeadOwner(t *testing.T) {
	for _, on := range []bool{true, false} {
		o := pickOne(on, danubetest.WithTraps(danubetest.TrapDeadOwner), danubetest.WithoutTraps(danubetest.TrapDeadOwner))
		cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
			s[0].producer(topic, "p")
			must(t, b.KillBroker(1))
			req := &pb.TopicLookupRequest{Topic: topic}
			_, err := s[0].discovery.TopicLookup(t.Context(), req)
			wantStatus(t, err, codes.Unavailable, "")
			r, err := s[1].discovery.TopicLookup(t.Context(), req)
			if on {
				must(t, err)
				want(t, "url", r.GetConnectUrl(), b.URLs()[0])
			} else {
				wantStatus(t, err, codes.NotFound, "Unable to find the requested topic")
			}
			time.Sleep(30 * time.Second)
			r, err = s[1].discovery.TopicLookup(t.Context(), req)
			must(t, err)
			if r.GetConnectUrl() == b.URLs()[0] {
				t.Error("still the dead one")
			}
		}, o)
	}
}

// T22: a client that takes less than what is delivered loses its stream to each delivery;
// see TestTrapOversize too.
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
