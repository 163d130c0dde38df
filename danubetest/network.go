package danubetest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// network is a listener and the gRPC server behind it: a broker's, or the proxy's.
// Both are made anew by each start.
type network struct {
	b    *Broker
	id   int    // the broker's, 0 for the proxy
	host string // what clients dial
	any  bool   // listens on an unspecified host

	srv  *grpc.Server  // guarded by Broker.life
	done chan struct{} // closed when srv.Serve has returned

	lisMu sync.Mutex
	lis   net.Listener
}

type (
	producerService struct {
		pb.UnimplementedProducerServiceServer
		*network
	}
	consumerService struct {
		pb.UnimplementedConsumerServiceServer
		*network
	}
	discoveryService struct {
		pb.UnimplementedDiscoveryServer
		*network
	}
	healthService struct {
		pb.UnimplementedHealthCheckServer
		*network
	}
)

// memoryHost is the address of a broker that has none. The dialer of
// [Broker.DialOption] knows it.
func memoryHost(id int) string {
	if id < 2 {
		return "danubetest:6650"
	}
	return fmt.Sprintf("danubetest-%d:6650", id)
}

// newNetwork opens a listener for the first time.
func newNetwork(b *Broker, id int) (*network, error) {
	n := &network{b: b, id: id, host: memoryHost(id)}
	if b.cfg.bufconn {
		n.lis = bufconn.Listen(256 << 10)
		return n, nil
	}
	addr, err := nthAddr(b.cfg.addr, max(id, 1)-1)
	if err != nil {
		return nil, fmt.Errorf("danubetest: %w", err)
	}
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("danubetest: %w", err)
	}
	n.lis = lis
	local := lis.Addr().(*net.TCPAddr)
	n.host, n.any = local.String(), local.IP.IsUnspecified()
	if n.any {
		n.host = fmt.Sprintf("127.0.0.1:%d", local.Port)
	}
	return n, nil
}

// nthAddr returns an address whose port is so much higher, unless it is 0 or a name.
func nthAddr(addr string, i int) (string, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	port, err := strconv.Atoi(text)
	if err != nil || port == 0 || i == 0 {
		return addr, nil
	}
	return net.JoinHostPort(host, strconv.Itoa(port+i)), nil
}

// serve starts a server on the listener.
func (n *network) serve() {
	opts := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(math.MaxInt32), // the limit has an answer of its own, see network.call
		grpc.WaitForHandlers(true),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: math.MaxInt64}), // it asks nobody itself
		// A Danube broker has nothing against clients that ask often whether it is
		// there; grpc-go's own default ends the connection of one that does so every 20 s.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	}
	if n.b.cfg.tls != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(n.b.cfg.tls)))
	}
	srv := grpc.NewServer(append(opts, n.b.cfg.serverOptions...)...)
	for _, register := range n.b.cfg.register {
		register(srv)
	}
	pb.RegisterProducerServiceServer(srv, &producerService{network: n})
	pb.RegisterConsumerServiceServer(srv, &consumerService{network: n})
	pb.RegisterDiscoveryServer(srv, &discoveryService{network: n})
	pb.RegisterHealthCheckServer(srv, &healthService{network: n})
	pb.RegisterStorageServiceServer(srv, &storageService{network: n})
	schemapb.RegisterSchemaRegistryServer(srv, &schemaService{network: n})
	adminpb.RegisterTopicAdminServer(srv, &topicAdmin{network: n})
	adminpb.RegisterNamespaceAdminServer(srv, &namespaceAdmin{network: n})
	adminpb.RegisterBrokerAdminServer(srv, &brokerAdmin{network: n})
	done := make(chan struct{})
	n.srv, n.done = srv, done
	lis := n.listener()
	go func() {
		defer close(done)
		srv.Serve(listener{lis}) // ends with the server
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

// dial connects to a broker in memory.
func (b *Broker) dial(ctx context.Context, addr string) (net.Conn, error) {
	if addr == deadHost {
		return nil, fmt.Errorf("danubetest: dial %s: connection refused", addr)
	}
	for _, n := range b.nets {
		if addr != n.host && len(b.nets) > 1 {
			continue
		}
		if lis, ok := n.listener().(*bufconn.Listener); ok {
			return lis.DialContext(ctx)
		}
		return nil, fmt.Errorf("danubetest: dial %s: connection refused", addr)
	}
	return nil, fmt.Errorf("danubetest: dial %s: no such host", addr)
}

func (n *network) url() string { return n.b.scheme() + n.host }

func (b *Broker) scheme() string {
	if b.cfg.tls != nil {
		return "https://"
	}
	return "http://"
}

// URL returns the address that clients are given, such as http://127.0.0.1:40123: the
// first broker's, or the proxy's. It stays the same over [Broker.Stop] and
// [Broker.Start].
func (b *Broker) URL() string { return b.nets[0].url() }

// deadHost is an address in memory where nobody is.
const deadHost = "dead.danubetest:6650"

// DeadURL returns an address where nobody answers, for [Fault].Redirect: connections are
// refused.
func (b *Broker) DeadURL() string {
	if b.cfg.bufconn {
		return "http://" + deadHost
	}
	return "http://127.0.0.1:1"
}

// urlsFor returns what lookups of this client say about a broker. On an unspecified
// host they repeat the host that the client dialed.
func (n *node) urlsFor(ctx context.Context) (connect, broker string) {
	connect = n.net.url()
	if n.net.any {
		if a := metadata.ValueFromIncomingContext(ctx, ":authority"); len(a) == 1 && a[0] != "" {
			host, _, err := net.SplitHostPort(a[0])
			if err != nil {
				host = a[0]
			}
			_, port, _ := net.SplitHostPort(n.net.host)
			connect = n.net.b.scheme() + net.JoinHostPort(host, port)
		}
	}
	if n.net.id == 0 {
		return connect, n.url
	}
	return connect, connect
}

// DialOption returns what a client needs to reach the brokers: with [WithBufconn] a
// dialer for memory, else nothing.
func (b *Broker) DialOption() grpc.DialOption {
	if !b.cfg.bufconn {
		return grpc.EmptyDialOption{}
	}
	return grpc.WithContextDialer(b.dial)
}

// Dial opens a plain gRPC connection to the first broker, for calls below any client.
// With [WithTLS] it takes any certificate; of [WithTokens] it knows nothing. The caller
// closes it.
func (b *Broker) Dial(opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	return b.DialURL(b.URL(), opts...)
}

// DialURL opens a plain gRPC connection to a broker at one of [Broker.URLs], or at an
// address that a lookup has answered with. The caller closes it.
func (b *Broker) DialURL(url string, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	if b.cfg.tls != nil {
		creds = credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}) // it is our own
	}
	opts = append([]grpc.DialOption{grpc.WithTransportCredentials(creds), b.DialOption()}, opts...)
	return grpc.NewClient("passthrough:///"+strings.TrimPrefix(url, b.scheme()), opts...)
}
