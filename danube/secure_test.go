package danube_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// authority is a certificate authority of a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

var serial atomic.Int64

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key, a.pem, _ = a.sign(template)
	return a
}

// sign makes a certificate; the authority's own when it has none yet.
func (a *authority) sign(template *x509.Certificate) (cert *x509.Certificate, key *ecdsa.PrivateKey, certPEM, keyPEM []byte) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(serial.Add(1))
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, parentKey := a.cert, a.key
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		a.t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// server is a certificate for a server at 127.0.0.1 or, if given, of that name.
func (a *authority) server(name ...string) tls.Certificate {
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "broker"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: name}
	if name == nil {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	_, _, certPEM, keyPEM := a.sign(template)
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

// client is a certificate for a client, as two PEM texts.
func (a *authority) client(name string) (certPEM, keyPEM []byte) {
	_, _, certPEM, keyPEM = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return certPEM, keyPEM
}

// secureBroker is a broker made by hand behind a port, with TLS unless it has no
// certificate, that looks at tokens.
type secureBroker struct {
	handmade
	addr   string
	cert   atomic.Pointer[tls.Certificate]
	accept func(token string) error
	limit  func(version uint16) // the newest version of TLS; before the first client

	dial func(context.Context) (net.Conn, error) // nil for TCP

	lock    sync.Mutex
	conns   []net.Conn
	clients []string        // the names in the certificates of the handshakes
	tokens  map[string]bool // what came with a call
	seen    map[string]int  // calls by method, refused ones too
}

func newSecureBroker(t *testing.T, cert *tls.Certificate, clientCAs *x509.CertPool) *secureBroker {
	t.Helper()
	checkLeaks(t)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &secureBroker{addr: lis.Addr().String(), tokens: map[string]bool{}, seen: map[string]int{}}
	b.url = "http://" + b.addr
	var opts []grpc.ServerOption
	if cert != nil {
		b.url = "https://" + b.addr
		b.cert.Store(cert)
		cfg := &tls.Config{
			MinVersion:     tls.VersionTLS10,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return b.cert.Load(), nil },
			VerifyConnection: func(s tls.ConnectionState) error {
				b.lock.Lock()
				defer b.lock.Unlock()
				for _, c := range s.PeerCertificates[:min(1, len(s.PeerCertificates))] {
					b.clients = append(b.clients, c.Subject.CommonName)
				}
				return nil
			},
		}
		if clientCAs != nil {
			cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, clientCAs
		}
		b.limit = func(max uint16) { cfg.MaxVersion = max }
		cfg.NextProtos = []string{"h2"}
		opts = append(opts, grpc.Creds(credentials.NewTLS(&tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return cfg, nil }})))
	}
	b.serve(t, &keepingListener{lis, b}, opts...)
	return b
}

// newTokenBroker is one in a bubble, without TLS.
func newTokenBroker(t *testing.T) *secureBroker {
	lis := bufconn.Listen(1 << 20)
	b := &secureBroker{addr: "broker:6650", dial: lis.DialContext, tokens: map[string]bool{}, seen: map[string]int{}}
	b.url = "http://" + b.addr
	b.serve(t, lis)
	return b
}

func (b *secureBroker) serve(t *testing.T, lis net.Listener, opts ...grpc.ServerOption) {
	b.via = map[string][]string{}
	srv := grpc.NewServer(append(opts, grpc.UnaryInterceptor(b.unary), grpc.StreamInterceptor(b.stream),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}))...) // as Danube
	danubepb.RegisterDiscoveryServer(srv, b)
	danubepb.RegisterProducerServiceServer(srv, b)
	danubepb.RegisterConsumerServiceServer(srv, b)
	danubepb.RegisterHealthCheckServer(srv, b)
	go srv.Serve(lis)
	t.Cleanup(srv.Stop)
}

// keepingListener remembers the connections, to be able to cut them.
type keepingListener struct {
	net.Listener
	b *secureBroker
}

func (l *keepingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.b.lock.Lock()
		l.b.conns = append(l.b.conns, c)
		l.b.lock.Unlock()
	}
	return c, err
}

// cut closes all connections.
func (b *secureBroker) cut() {
	b.lock.Lock()
	defer b.lock.Unlock()
	for _, c := range b.conns {
		c.Close()
	}
	b.conns = nil
}

// lastClient is the name in the newest client certificate.
func (b *secureBroker) lastClient() string {
	b.lock.Lock()
	defer b.lock.Unlock()
	if len(b.clients) == 0 {
		return ""
	}
	return b.clients[len(b.clients)-1]
}

func (b *secureBroker) check(ctx context.Context, method string) error {
	md, _ := metadata.FromIncomingContext(ctx)
	token := strings.Join(md.Get("authorization"), ",")
	b.lock.Lock()
	b.tokens[token] = true
	b.seen[method[strings.LastIndex(method, "/")+1:]]++
	accept := b.accept
	b.lock.Unlock()
	if accept == nil {
		return nil
	}
	return accept(token)
}

func (b *secureBroker) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := b.check(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return handle(ctx, req)
}

func (b *secureBroker) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := b.check(s.Context(), info.FullMethod); err != nil {
		return err
	}
	return handle(srv, s)
}

// only makes the broker accept one token and no other.
func (b *secureBroker) only(token string) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.accept = func(got string) error {
		if got != "Bearer "+token {
			return status.Error(codes.Unauthenticated, "Invalid token")
		}
		return nil
	}
}

func (b *secureBroker) calls(method string) int {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.seen[method]
}

// client opens a client of the broker whose log is returned.
func (b *secureBroker) client(t *testing.T, change func(*danube.Config)) (*danube.Client, *syncBuffer) {
	t.Helper()
	logs := &syncBuffer{}
	cfg := danube.Config{
		Seeds:          []string{b.url},
		Logger:         slog.New(slog.NewTextHandler(logs, nil)),
		BackoffInitial: time.Millisecond, BackoffMax: 20 * time.Millisecond,
	}
	if b.dial != nil {
		cfg.AllowInsecureToken = true
		cfg.DialOptions = append(cfg.DialOptions, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return b.dial(ctx) }))
	}
	if change != nil {
		change(&cfg)
	}
	c, err := danube.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Logf("closing the client: %v", err)
		}
	})
	return c, logs
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) count(s string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.buf.String(), s)
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	// As Kubernetes does it: beside, and then in its place.
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func tempFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	writeFile(t, path, data)
	return path
}
