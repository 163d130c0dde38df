package realbroker_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
)

// A broker with TLS, tokens and grants: each of the three is asked for.
func TestSecured(t *testing.T) {
	if _, ok := realbroker.Binary(); !ok {
		t.Skipf("%s is not set: no real broker to start", realbroker.Env)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := realbroker.Start(ctx, realbroker.Options{Dir: t.TempDir(), Security: &realbroker.Security{
		Secret: "s3cret", Admin: "root",
		Grants: []realbroker.Grant{{Principal: "operator", Scope: "cluster", Permissions: []string{"ManageBroker"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.CA) || !strings.HasPrefix(c.Nodes[0].URL, "https://") {
		t.Fatalf("authority %q, URL %s", c.CA, c.Nodes[0].URL)
	}
	conn, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(c.Nodes[0].Admin, "https://"),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for principal, want := range map[string]codes.Code{"": codes.Unauthenticated, "nobody": codes.PermissionDenied, "operator": codes.OK, "root": codes.OK} {
		as := ctx
		if principal != "" {
			as = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+realbroker.Token("s3cret", principal, time.Now().Add(time.Minute)))
		}
		if _, err := adminpb.NewBrokerAdminClient(conn).ListBrokers(as, &adminpb.Empty{}); status.Code(err) != want {
			t.Errorf("%q: got %v, want %v", principal, err, want)
		}
	}
}
