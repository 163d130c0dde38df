package danubetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// bufconnHost is the address of a broker that has none.
const bufconnHost = "danubetest:6650"

// network is the listener and the gRPC server behind it. Both are made anew by each
// start.
type network struct {
	b    *Broker
	host string // what clients dial
	any  bool   // listens on an unspecified host

	mu   sync.Mutex // held over a whole start or stop
	srv  *grpc.Server
	done chan struct{} // closed when srv.Serve has returned

	lisMu sync.Mutex
	lis   net.Listener
}

type (
	producerService struct {
		pb.UnimplementedProducerServiceServer
		b *Broker
	}
	consumerService struct {
		pb.UnimplementedConsumerServiceServer
		b *Broker
	}
	discoveryService struct {
		pb.UnimplementedDiscoveryServer
		b *Broker
	}
	healthService struct {
		pb.UnimplementedHealthCheckServer
		b *Broker
	}
)

// newNetwork opens the listener for the first time.
func newNetwork(b *Broker) (*network, error) {
	n := &network{b: b, host: bufconnHost}
	if b.cfg.bufconn {
		n.lis = bufconn.Listen(256 << 10)
		return n, nil
	}
	lis, err := net.Listen("tcp", b.cfg.addr)
	if err != nil {
		return nil, fmt.Errorf("danubetest: %w", err)
	}
	n.lis = lis
	addr := lis.Addr().(*net.TCPAddr)
	n.host, n.any = addr.String(), addr.IP.IsUnspecified()
	if n.any {
		n.host = fmt.Sprintf("127.0.0.1:%d", addr.Port)
	}
	return n, nil
}

// serve starts a server on the listener.
func (n *network) serve() {
	b := n.b
	srv := grpc.NewServer(
		grpc.MaxRecvMsgSize(math.MaxInt32), // the limit has an answer of its own, see Broker.call
		grpc.WaitForHandlers(true),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: math.MaxInt64}), // it asks nobody itself
		// A Danube broker has nothing against clients that ask often whether it is
		// there; grpc-go's own default ends the connection of one that does so every 20 s.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	)
	pb.RegisterProducerServiceServer(srv, &producerService{b: b})
	pb.RegisterConsumerServiceServer(srv, &consumerService{b: b})
	pb.RegisterDiscoveryServer(srv, &discoveryService{b: b})
	pb.RegisterHealthCheckServer(srv, &healthService{b: b})
	adminpb.RegisterTopicAdminServer(srv, &topicAdmin{b: b})
	adminpb.RegisterNamespaceAdminServer(srv, &namespaceAdmin{b: b})
	done := make(chan struct{})
	n.srv, n.done = srv, done
	lis := n.listener()
	go func() {
		defer close(done)
		srv.Serve(lis) // ends with the server
	}()
}

// stop drops all connections and returns when nothing of the server runs any more.
func (n *network) stop() (was bool) {
	if n.srv == nil {
		return false
	}
	n.srv.Stop()
	<-n.done
	n.srv = nil
	n.setListener(nil)
	return true
}

// start listens on the old address again. Somebody may have the port for a moment.
func (n *network) start() error {
	if n.srv != nil {
		return errors.New("danubetest: the broker is running")
	}
	if n.b.cfg.bufconn {
		n.setListener(bufconn.Listen(256 << 10))
		n.serve()
		return nil
	}
	addr := n.host
	if n.any {
		_, port, _ := net.SplitHostPort(n.host)
		addr = ":" + port
	}
	for wait := time.Millisecond; ; wait *= 2 {
		lis, err := net.Listen("tcp", addr)
		if err == nil {
			n.setListener(lis)
			n.serve()
			return nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) || wait > time.Second {
			return fmt.Errorf("danubetest: %w", err)
		}
		time.Sleep(wait)
	}
}

func (n *network) listener() net.Listener {
	n.lisMu.Lock()
	defer n.lisMu.Unlock()
	return n.lis
}

func (n *network) setListener(l net.Listener) {
	n.lisMu.Lock()
	defer n.lisMu.Unlock()
	n.lis = l
}

// dial connects to the broker in memory.
func (n *network) dial(ctx context.Context, _ string) (net.Conn, error) {
	if lis, ok := n.listener().(*bufconn.Listener); ok {
		return lis.DialContext(ctx)
	}
	return nil, errors.New("danubetest: connection refused: the broker is stopped")
}

// URL returns the address that clients are given, such as http://127.0.0.1:40123. It
// stays the same over [Broker.Stop] and [Broker.Start].
func (b *Broker) URL() string { return "http://" + b.net.host }

// urlFor returns what lookups of this client answer.
func (b *Broker) urlFor(ctx context.Context) string {
	if b.net.any {
		if a := metadata.ValueFromIncomingContext(ctx, ":authority"); len(a) == 1 && a[0] != "" {
			return "http://" + a[0]
		}
	}
	return b.URL()
}

// DialOption returns what a client needs to reach the broker: with [WithBufconn] a
// dialer for memory, else nothing.
func (b *Broker) DialOption() grpc.DialOption {
	if !b.cfg.bufconn {
		return grpc.EmptyDialOption{}
	}
	return grpc.WithContextDialer(b.net.dial)
}

// Dial opens a plain gRPC connection to the broker, for calls below any client. The
// caller closes it.
func (b *Broker) Dial(opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	opts = append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		b.DialOption(),
	}, opts...)
	return grpc.NewClient("passthrough:///"+strings.TrimPrefix(b.URL(), "http://"), opts...)
}
