package scenarios

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
)

// secret is what the tokens for secured brokers are signed with.
const secret = "the secret of the scenarios"

// The principals of secured brokers. A stranger has a token and no grant.
const (
	root          = "root"
	writer        = "writer"
	reader        = "reader"
	clusterReader = "cluster-reader"
	clerk         = "clerk"
	stranger      = "stranger"
)

// clerksTopic is the only one for the clerk. Grants are made before a scenario begins,
// so that its name cannot be the scenario's own.
const clerksTopic = "/default/of_the_clerk_z"

// grants are by principal.
var grants = map[string]danubetest.Grant{
	writer:        {Namespace: "default", Permissions: []danubetest.Permission{danubetest.Lookup, danubetest.Produce}},
	reader:        {Namespace: "default", Permissions: []danubetest.Permission{danubetest.Lookup, danubetest.Consume}},
	clusterReader: {Permissions: []danubetest.Permission{danubetest.Lookup, danubetest.Consume}},
	clerk:         {Topic: clerksTopic, Permissions: []danubetest.Permission{danubetest.Lookup, danubetest.Produce}},
}

// securedEmbedded makes embedded brokers what securedReal makes real ones.
func securedEmbedded() []danubetest.Option {
	opts := []danubetest.Option{
		danubetest.WithTLS(nil), danubetest.WithTokenVerifier(danubetest.VerifyJWT(secret)), danubetest.WithAdmins(root),
	}
	for principal, g := range grants {
		opts = append(opts, danubetest.WithGrants(principal, g))
	}
	return opts
}

func securedReal() *realbroker.Security {
	s := &realbroker.Security{Secret: secret, Admin: root}
	for principal, g := range grants {
		to := realbroker.Grant{Principal: principal, Scope: "cluster"}
		switch {
		case g.Topic != "":
			to.Scope, to.Resource = "topic", g.Topic
		case g.Namespace != "":
			to.Scope, to.Resource = "namespace", g.Namespace
		}
		for _, p := range g.Permissions {
			to.Permissions = append(to.Permissions, p.String())
		}
		s.Grants = append(s.Grants, to)
	}
	return s
}

// token is one of a principal, good for longer than a scenario takes.
func token(principal string) string {
	return realbroker.Token(secret, principal, time.Now().Add(time.Hour))
}

// trusted is what says that these are the brokers; nil where they do not say so.
func (l *Lab) trusted() *tls.Config {
	ca := l.on.CA()
	if ca == nil {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// own is who the scenario is to secured brokers, unless it says otherwise.
func (l *Lab) own() (cfg danube.TLSConfig, t danube.Token) {
	if c := l.trusted(); c != nil {
		return danube.TLSConfig{Config: c}, danube.TokenValue(token(root))
	}
	return cfg, t
}

// ClientAs opens a client with a token of a principal.
func (l *Lab) ClientAs(principal string) *danube.Client {
	return l.NewClient(func(c *danube.Config) { c.Token = danube.TokenValue(token(principal)) })
}

// RawAs talks to a node with an authorization header, or without any.
func (l *Lab) RawAs(node int, authorization string) *Raw {
	return l.raw(l.conn(l.on.Seeds()[node], authorization))
}

// conn is a bare connection to a node, with an authorization header unless that is empty.
func (l *Lab) conn(url, authorization string) *grpc.ClientConn {
	key := url + " " + authorization
	if c := l.conns[key]; c != nil {
		return c
	}
	opts := []grpc.DialOption{
		l.on.DialOption(), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(8<<20), grpc.MaxCallSendMsgSize(8<<20)),
	}
	if cfg := l.trusted(); cfg != nil {
		opts = append(opts, grpc.WithTransportCredentials(credentials.NewTLS(cfg)))
	} else {
		opts = append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	if authorization != "" {
		opts = append(opts, grpc.WithPerRPCCredentials(header(authorization)))
	}
	c, err := grpc.NewClient("passthrough:///"+hostport(url), opts...)
	l.Must("dial", err)
	if l.conns == nil {
		l.conns = map[string]*grpc.ClientConn{}
	}
	l.conns[key] = c
	l.later(func() { _ = c.Close() })
	return c
}

// header is the authorization of each call.
type header string

func (h header) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": string(h)}, nil
}

func (h header) RequireTransportSecurity() bool { return true }

// hostport is a URL without its scheme.
func hostport(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	return rest
}
