package danube_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// stubs are servers of a bubble, by address, that answer what a test tells them.
type stubs struct {
	*lab
	mu   sync.Mutex
	at   map[string]*stub
	logs syncBuffer
}

// stub is one of them: a broker with its admin port, made of functions. What a test
// leaves out is UNIMPLEMENTED, and a topic is always served where it is looked up.
type stub struct {
	handmade
	schemapb.UnimplementedSchemaRegistryServer
	topics     topicStub
	namespaces namespaceStub
	brokers    brokerStub

	lis        *bufconn.Listener
	mu         sync.Mutex
	asked      []string // schema and admin calls, with what they were about
	partitions []string // nil for the topic that is asked for

	register func(*schemapb.RegisterSchemaRequest) (*schemapb.RegisterSchemaResponse, error)
	get      func(*schemapb.GetSchemaRequest) (*schemapb.GetSchemaResponse, error)
	latest   func(*schemapb.GetLatestSchemaRequest) (*schemapb.GetSchemaResponse, error)
	config   func(topic string) (*schemapb.GetTopicSchemaConfigResponse, error)
	set      func(*schemapb.ConfigureTopicSchemaRequest) error
}

type topicStub struct {
	adminpb.UnimplementedTopicAdminServer
	s           *stub
	create      func(*adminpb.NewTopicRequest) (*adminpb.TopicResponse, error)
	describe    func(name string) (*adminpb.DescribeTopicResponse, error)
	unsubscribe func(*adminpb.SubscriptionRequest) error
}

type namespaceStub struct {
	adminpb.UnimplementedNamespaceAdminServer
	s      *stub
	topics func(namespace string) ([]string, error)
}

type brokerStub struct {
	adminpb.UnimplementedBrokerAdminServer
	s    *stub
	list func() ([]*adminpb.BrokerInfo, error)
}

// withStubs serves stubs at addresses; an address that was stopped refuses.
func withStubs(t *testing.T, addrs ...string) *stubs {
	n := &stubs{lab: &lab{T: t}, at: map[string]*stub{}}
	for _, addr := range addrs {
		s := &stub{lis: bufconn.Listen(1 << 20)}
		s.url, s.via = "http://"+addr, map[string][]string{}
		s.topics.s, s.namespaces.s, s.brokers.s = s, s, s
		srv := grpc.NewServer()
		danubepb.RegisterDiscoveryServer(srv, s)
		danubepb.RegisterProducerServiceServer(srv, s)
		danubepb.RegisterHealthCheckServer(srv, s)
		schemapb.RegisterSchemaRegistryServer(srv, s)
		adminpb.RegisterTopicAdminServer(srv, &s.topics)
		adminpb.RegisterNamespaceAdminServer(srv, &s.namespaces)
		adminpb.RegisterBrokerAdminServer(srv, &s.brokers)
		go srv.Serve(s.lis)
		t.Cleanup(srv.Stop)
		n.at[addr] = s
	}
	n.dial = []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
		n.mu.Lock()
		s := n.at[addr]
		n.mu.Unlock()
		if s == nil {
			return nil, errors.New("connection refused: nobody is at " + addr)
		}
		return s.lis.DialContext(ctx)
	})}
	return n
}

func (n *stubs) client(seeds ...string) *danube.Client {
	n.Helper()
	return n.open(func(cfg *danube.Config) {
		cfg.Seeds = seeds
		cfg.Logger = slog.New(slog.NewTextHandler(&n.logs, nil))
	})
}

func (n *stubs) administer(addrs ...string) *danube.Admin {
	n.Helper()
	a, err := danube.OpenAdmin(danube.AdminConfig{Addresses: addrs, DialOptions: n.dial, Logger: slog.New(slog.NewTextHandler(&n.logs, nil))})
	n.must(err)
	n.Cleanup(func() {
		if err := a.Close(context.Background()); err != nil {
			n.Error(err)
		}
	})
	return a
}

func (s *stub) ask(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, what)
}

// questions returns what was asked since the last call.
func (s *stub) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

func (s *stub) TopicPartitions(ctx context.Context, in *danubepb.TopicLookupRequest) (*danubepb.TopicPartitionsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.partitions != nil {
		return &danubepb.TopicPartitionsResponse{Partitions: s.partitions}, nil
	}
	return s.handmade.TopicPartitions(ctx, in)
}

var errLeftOut = status.Error(codes.Unimplemented, "left out in this test")

func (s *stub) RegisterSchema(_ context.Context, in *schemapb.RegisterSchemaRequest) (*schemapb.RegisterSchemaResponse, error) {
	s.ask("register " + in.GetSubject())
	if s.register == nil {
		return nil, errLeftOut
	}
	return s.register(in)
}

func (s *stub) GetSchema(_ context.Context, in *schemapb.GetSchemaRequest) (*schemapb.GetSchemaResponse, error) {
	s.ask("get")
	if s.get == nil {
		return nil, errLeftOut
	}
	return s.get(in)
}

func (s *stub) GetLatestSchema(_ context.Context, in *schemapb.GetLatestSchemaRequest) (*schemapb.GetSchemaResponse, error) {
	s.ask("latest " + in.GetSubject())
	if s.latest == nil {
		return nil, errLeftOut
	}
	return s.latest(in)
}

func (s *stub) GetTopicSchemaConfig(_ context.Context, in *schemapb.GetTopicSchemaConfigRequest) (*schemapb.GetTopicSchemaConfigResponse, error) {
	s.ask("config of " + in.GetTopicName())
	if s.config == nil {
		return nil, errLeftOut
	}
	return s.config(in.GetTopicName())
}

func (s *stub) ConfigureTopicSchema(_ context.Context, in *schemapb.ConfigureTopicSchemaRequest) (*schemapb.ConfigureTopicSchemaResponse, error) {
	s.ask("configure " + in.GetTopicName())
	if s.set == nil {
		return nil, errLeftOut
	}
	return &schemapb.ConfigureTopicSchemaResponse{Success: true}, s.set(in)
}

func (t *topicStub) CreateTopic(_ context.Context, in *adminpb.NewTopicRequest) (*adminpb.TopicResponse, error) {
	t.s.ask("create " + in.GetName())
	if t.create == nil {
		return nil, errLeftOut
	}
	return t.create(in)
}

func (t *topicStub) DeleteTopic(_ context.Context, in *adminpb.TopicRequest) (*adminpb.TopicResponse, error) {
	t.s.ask("delete " + in.GetName())
	return &adminpb.TopicResponse{Success: true}, nil
}

func (t *topicStub) DescribeTopic(_ context.Context, in *adminpb.DescribeTopicRequest) (*adminpb.DescribeTopicResponse, error) {
	if t.describe == nil {
		return nil, errLeftOut
	}
	return t.describe(in.GetName())
}

func (t *topicStub) Unsubscribe(_ context.Context, in *adminpb.SubscriptionRequest) (*adminpb.SubscriptionResponse, error) {
	t.s.ask("unsubscribe " + in.GetTopic())
	if t.unsubscribe == nil {
		return nil, errLeftOut
	}
	return &adminpb.SubscriptionResponse{Success: true}, t.unsubscribe(in)
}

func (s *namespaceStub) GetNamespaceTopics(_ context.Context, in *adminpb.NamespaceRequest) (*adminpb.TopicListResponse, error) {
	if s.topics == nil {
		return nil, errLeftOut
	}
	list, err := s.topics(in.GetName())
	return &adminpb.TopicListResponse{Topics: list}, err
}

func (s *brokerStub) ListBrokers(context.Context, *adminpb.Empty) (*adminpb.BrokerListResponse, error) {
	if s.list == nil {
		return nil, errLeftOut
	}
	list, err := s.list()
	return &adminpb.BrokerListResponse{Brokers: list}, err
}

// failing is an answer that fails n times.
func failing(n int, err error) func() error {
	var mu sync.Mutex
	return func() error {
		mu.Lock()
		defer mu.Unlock()
		if n--; n >= 0 {
			return err
		}
		return nil
	}
}

// slowly is how long a stub takes where a test needs calls to overlap.
const slowly = 100 * time.Millisecond
