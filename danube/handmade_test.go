package danube_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// network is brokers made by hand, in a bubble, each at an address of its own, that
// say what no embedded broker says.
type network struct {
	*lab
	mu      sync.Mutex
	brokers map[string]*handmade
}

// handmade is one broker. Its functions answer; those left out accept everything.
type handmade struct {
	danubepb.UnimplementedDiscoveryServer
	danubepb.UnimplementedProducerServiceServer
	danubepb.UnimplementedConsumerServiceServer
	danubepb.UnimplementedHealthCheckServer

	url     string
	lookup  func(topic string) (*danubepb.TopicLookupResponse, error)
	create  func() error
	send    func(*danubepb.StreamMessage) error
	receive func(danubepb.ConsumerService_ReceiveMessagesServer) error
	ack     func(*danubepb.AckRequest) error
	health  func() danubepb.HealthCheckResponse_ClientStatus

	mute  bool // note no calls
	lis   *bufconn.Listener
	mu    sync.Mutex
	calls []string            // methods, in order
	names []string            // of consumers, in order of Subscribe
	via   map[string][]string // what x-danube-broker-url said, by method
}

// withBrokers runs a scenario with brokers at these addresses; the first is the seed.
func withBrokers(t *testing.T, scenario func(*network), addrs ...string) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{brokers: map[string]*handmade{}}
		for _, addr := range addrs {
			b := &handmade{url: "http://" + addr, lis: bufconn.Listen(1 << 20), via: map[string][]string{}}
			t.Cleanup(b.server().Stop)
			n.brokers[addr] = b
		}
		n.lab = &lab{T: t, url: "http://" + addrs[0], dial: []grpc.DialOption{grpc.WithContextDialer(n.dial)}}
		scenario(n)
	})
}

// server serves b on its listener.
func (b *handmade) server() *grpc.Server {
	srv := grpc.NewServer(grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}))
	danubepb.RegisterDiscoveryServer(srv, b)
	danubepb.RegisterProducerServiceServer(srv, b)
	danubepb.RegisterConsumerServiceServer(srv, b)
	danubepb.RegisterHealthCheckServer(srv, b)
	go srv.Serve(b.lis)
	return srv
}

func (n *network) dial(ctx context.Context, addr string) (net.Conn, error) {
	n.mu.Lock()
	b := n.brokers[addr]
	n.mu.Unlock()
	if b == nil {
		return nil, errors.New("connection refused: nobody is at " + addr)
	}
	return b.lis.DialContext(ctx)
}

// called returns the methods that were called, each run of one taken as one.
func (b *handmade) called() (list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append(list, b.calls...)
}

// consumers returns the names that subscribed, in order.
func (b *handmade) consumers() (list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append(list, b.names...)
}

func (b *handmade) note(ctx context.Context, method string) {
	if b.mute {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.calls); n == 0 || b.calls[n-1] != method {
		b.calls = append(b.calls, method)
	}
	md, _ := metadata.FromIncomingContext(ctx)
	b.via[method] = md.Get("x-danube-broker-url")
}

// sentTo is what the last call of a method said about the broker it is for.
func (b *handmade) sentTo(method string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.via[method]
}

func (b *handmade) TopicLookup(ctx context.Context, in *danubepb.TopicLookupRequest) (*danubepb.TopicLookupResponse, error) {
	b.note(ctx, "TopicLookup")
	if b.lookup != nil {
		return b.lookup(in.GetTopic())
	}
	return &danubepb.TopicLookupResponse{ResponseType: danubepb.TopicLookupResponse_Connect, ConnectUrl: b.url, BrokerUrl: b.url}, nil
}

func (b *handmade) TopicPartitions(ctx context.Context, in *danubepb.TopicLookupRequest) (*danubepb.TopicPartitionsResponse, error) {
	b.note(ctx, "TopicPartitions")
	return &danubepb.TopicPartitionsResponse{Partitions: []string{in.GetTopic()}}, nil
}

func (b *handmade) CreateProducer(ctx context.Context, _ *danubepb.ProducerRequest) (*danubepb.ProducerResponse, error) {
	b.note(ctx, "CreateProducer")
	if b.create != nil {
		if err := b.create(); err != nil {
			return nil, err
		}
	}
	return &danubepb.ProducerResponse{ProducerId: 1<<63 + 1}, nil
}

func (b *handmade) SendMessage(ctx context.Context, in *danubepb.StreamMessage) (*danubepb.MessageResponse, error) {
	b.note(ctx, "SendMessage")
	if b.send != nil {
		if err := b.send(in); err != nil {
			return nil, err
		}
	}
	return &danubepb.MessageResponse{RequestId: in.GetRequestId()}, nil
}

func (b *handmade) Subscribe(ctx context.Context, in *danubepb.ConsumerRequest) (*danubepb.ConsumerResponse, error) {
	b.note(ctx, "Subscribe")
	b.mu.Lock()
	b.names = append(b.names, in.GetConsumerName())
	b.mu.Unlock()
	return &danubepb.ConsumerResponse{ConsumerId: 1<<63 + 2}, nil
}

func (b *handmade) ReceiveMessages(_ *danubepb.ReceiveRequest, s danubepb.ConsumerService_ReceiveMessagesServer) error {
	b.note(s.Context(), "ReceiveMessages")
	if err := s.SendHeader(nil); err != nil {
		return err
	}
	if b.receive != nil {
		return b.receive(s)
	}
	<-s.Context().Done()
	return nil
}

func (b *handmade) Ack(ctx context.Context, in *danubepb.AckRequest) (*danubepb.AckResponse, error) {
	b.note(ctx, "Ack")
	if b.ack != nil {
		if err := b.ack(in); err != nil {
			return nil, err
		}
	}
	return &danubepb.AckResponse{}, nil
}

func (b *handmade) Nack(ctx context.Context, _ *danubepb.NackRequest) (*danubepb.NackResponse, error) {
	b.note(ctx, "Nack")
	return &danubepb.NackResponse{}, nil
}

func (b *handmade) HealthCheck(ctx context.Context, _ *danubepb.HealthCheckRequest) (*danubepb.HealthCheckResponse, error) {
	b.note(ctx, "HealthCheck")
	if b.health != nil {
		return &danubepb.HealthCheckResponse{Status: b.health()}, nil
	}
	return &danubepb.HealthCheckResponse{}, nil
}
