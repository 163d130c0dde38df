package danube_test

import (
	"context"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// What the client adds to a publish, and to a receive with its ack, over the bare
// calls on generated code: at most two allocations each.
const mayAdd = 2

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

// mallocs returns the allocations of one run of f, of all goroutines, over many.
func mallocs(n int, f func(n int)) float64 {
	f(n / 10)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f(n)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
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

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const n = 5000
	check := func(what string, bare, ours float64) {
		t.Logf("%s: %.1f allocations, %.1f bare", what, ours, bare)
		if ours > bare+mayAdd {
			t.Errorf("%s: %.1f allocations, %.1f more than bare, want at most %d more", what, ours, ours-bare, mayAdd)
		}
	}
	url, dial, feed := hollow(t)
	client, conn := hollowClient(t, url, dial), bare(t, url, dial)
	check("publish", mallocs(n, barePublish(t, conn)), mallocs(n, publish(t, client)))

	bareURL, bareDial, bareFeed := hollow(t)
	floor := mallocs(n, bareReceive(t, bare(t, bareURL, bareDial), bareFeed))
	check("receive and ack", floor, mallocs(n, receive(t, client, feed, false)))
	url, dial, feed = hollow(t)
	check("handle and ack", floor, mallocs(n, receive(t, hollowClient(t, url, dial), feed, true)))

	// One message at a time, each with an ack worker of its own and a Flush.
	bareURL, bareDial, bareFeed = hollow(t)
	floor = mallocs(n, bareReceiveOne(t, bare(t, bareURL, bareDial), bareFeed))
	url, dial, feed = hollow(t)
	run := receive(t, hollowClient(t, url, dial), feed, true)
	check("one at a time", floor, mallocs(n, func(n int) {
		for range n {
			run(1)
		}
	}))
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
