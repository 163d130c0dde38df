package danube_test

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// hollow is a broker that keeps nothing: what is measured is the way to it.
func hollow(t testing.TB) (url string, dial grpc.DialOption, feed chan<- int) {
	messages := make(chan int)
	b := &handmade{url: "http://hollow:1", lis: bufconn.Listen(1 << 20), via: map[string][]string{}, mute: true}
	b.receive = func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
		msg := &danubepb.StreamMessage{MsgId: at(0), Payload: make([]byte, 100), ProducerName: "p"}
		for {
			select {
			case n := <-messages:
				for range n {
					msg.RequestId++
					msg.MsgId.TopicOffset++
					if err := s.Send(msg); err != nil {
						return err
					}
				}
			case <-s.Context().Done():
				return nil
			}
		}
	}
	srv := b.server()
	t.Cleanup(srv.Stop)
	return b.url, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return b.lis.DialContext(ctx) }), messages
}

func bare(t testing.TB, url string, dial grpc.DialOption) *grpc.ClientConn {
	conn, err := grpc.NewClient("passthrough:///hollow:1", dial, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func barePublish(t testing.TB, conn *grpc.ClientConn) func(n int) {
	msg := danubepb.StreamMessage{MsgId: at(0), Payload: make([]byte, 100), ProducerName: "p"}
	var resp danubepb.MessageResponse
	return func(n int) {
		for range n {
			if err := conn.Invoke(t.Context(), danubepb.ProducerService_SendMessage_FullMethodName, &msg, &resp, grpc.StaticMethod()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func publish(t testing.TB, c *danube.Client) func(n int) {
	p, err := c.NewProducer(t.Context(), danube.ProducerConfig{Topic: "/default/t", Name: "p"})
	if err != nil {
		t.Fatal(err)
	}
	out := &danube.Outgoing{Payload: make([]byte, 100)}
	return func(n int) {
		done := make(chan error, 1)
		left := n
		settled := func(_ danube.Receipt, err error) {
			if left--; left == 0 || err != nil {
				done <- err
			}
		}
		for range n {
			if err := p.SendAsync(t.Context(), out, settled); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// bareReceive acknowledges with as many calls in flight as the client does.
func bareReceive(t testing.TB, conn *grpc.ClientConn, feed chan<- int) func(n int) {
	stream, err := danubepb.NewConsumerServiceClient(conn).ReceiveMessages(t.Context(), &danubepb.ReceiveRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return func(n int) {
		offsets := make(chan uint64, 10)
		var acks sync.WaitGroup
		for range 10 {
			acks.Go(func() {
				ack := danubepb.AckRequest{MsgId: at(0), SubscriptionName: "s"}
				var resp danubepb.AckResponse
				for ack.MsgId.TopicOffset = range offsets {
					if err := conn.Invoke(t.Context(), danubepb.ConsumerService_Ack_FullMethodName, &ack, &resp, grpc.StaticMethod()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		var in danubepb.StreamMessage
		feed <- n
		for range n {
			if err := stream.RecvMsg(&in); err != nil {
				t.Fatal(err)
			}
			offsets <- in.MsgId.TopicOffset
		}
		close(offsets)
		acks.Wait()
	}
}

// bareReceiveOne acknowledges each message before the next is sent.
func bareReceiveOne(t testing.TB, conn *grpc.ClientConn, feed chan<- int) func(n int) {
	stream, err := danubepb.NewConsumerServiceClient(conn).ReceiveMessages(t.Context(), &danubepb.ReceiveRequest{})
	if err != nil {
		t.Fatal(err)
	}
	ack := danubepb.AckRequest{MsgId: at(0), SubscriptionName: "s"}
	var in danubepb.StreamMessage
	var resp danubepb.AckResponse
	return func(n int) {
		for range n {
			feed <- 1
			if err := stream.RecvMsg(&in); err != nil {
				t.Fatal(err)
			}
			ack.MsgId.TopicOffset = in.MsgId.TopicOffset
			if err := conn.Invoke(t.Context(), danubepb.ConsumerService_Ack_FullMethodName, &ack, &resp, grpc.StaticMethod()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func receive(t testing.TB, c *danube.Client, feed chan<- int, handler bool) func(n int) {
	got := make(chan struct{}, 1)
	var con *danube.Consumer
	var left int
	cfg := danube.ConsumerConfig{Topic: "/default/t", Subscription: "s", Name: "c"}
	if handler {
		cfg.Handler = func(m *danube.Message) {
			if err := con.Ack(m); err != nil {
				t.Error(err)
			}
			if left--; left == 0 {
				got <- struct{}{}
			}
		}
	}
	con, err := c.NewConsumer(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return func(n int) {
		left = n
		feed <- n
		if handler {
			<-got
		} else {
			for range n {
				m, err := con.Receive(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if err := con.Ack(m); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := con.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func hollowClient(t testing.TB, url string, dial grpc.DialOption) *danube.Client {
	c, err := danube.Open(danube.Config{Seeds: []string{url}, DialOptions: []grpc.DialOption{dial}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func BenchmarkPublish(b *testing.B) {
	for _, ours := range []bool{false, true} {
		b.Run(map[bool]string{false: "bare", true: "client"}[ours], func(b *testing.B) {
			url, dial, _ := hollow(b)
			run := barePublish(b, bare(b, url, dial))
			if ours {
				run = publish(b, hollowClient(b, url, dial))
			}
			b.ReportAllocs()
			b.ResetTimer()
			run(b.N)
		})
	}
}

func BenchmarkReceiveAndAck(b *testing.B) {
	for _, ours := range []bool{false, true} {
		b.Run(map[bool]string{false: "bare", true: "client"}[ours], func(b *testing.B) {
			url, dial, feed := hollow(b)
			var run func(int)
			if ours {
				run = receive(b, hollowClient(b, url, dial), feed, true)
			} else {
				run = bareReceive(b, bare(b, url, dial), feed)
			}
			b.ReportAllocs()
			b.ResetTimer()
			run(b.N)
		})
	}
}
