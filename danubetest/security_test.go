package danubetest_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// bearer sends a token with every request.
type bearer string

func (t bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": string(t)}, nil
}
func (t bearer) RequireTransportSecurity() bool { return false }

// as connects with a header.
func as(t testing.TB, b *danubetest.Broker, header string) *stubs {
	t.Helper()
	return newStubs(t, b.Conn(t, grpc.WithPerRPCCredentials(bearer(header))))
}

// ask sends one request of every service and returns the answers by name.
func (s *stubs) ask(ctx context.Context) map[string]error {
	answers := make(map[string]error)
	note := func(name string, err error) { answers[name] = err }
	id := &pb.MsgID{TopicName: topic}
	_, err := s.producers.CreateProducer(ctx, &pb.ProducerRequest{TopicName: topic, ProducerName: "p", DispatchStrategy: 1})
	note("CreateProducer", err)
	_, err = s.producers.SendMessage(ctx, &pb.StreamMessage{MsgId: id})
	note("SendMessage", err)
	_, err = s.consumers.Subscribe(ctx, &pb.ConsumerRequest{TopicName: topic, ConsumerName: "c", Subscription: "s"})
	note("Subscribe", err)
	stream, err := s.consumers.ReceiveMessages(ctx, &pb.ReceiveRequest{ConsumerId: 1})
	if err == nil {
		_, err = stream.Recv()
	}
	note("ReceiveMessages", err)
	_, err = s.consumers.Ack(ctx, &pb.AckRequest{MsgId: id, SubscriptionName: "s"})
	note("Ack", err)
	_, err = s.consumers.Nack(ctx, &pb.NackRequest{MsgId: id, SubscriptionName: "s"})
	note("Nack", err)
	_, err = s.discovery.TopicLookup(ctx, &pb.TopicLookupRequest{Topic: topic})
	note("TopicLookup", err)
	_, err = s.discovery.TopicPartitions(ctx, &pb.TopicLookupRequest{Topic: topic})
	note("TopicPartitions", err)
	_, err = s.health.HealthCheck(ctx, &pb.HealthCheckRequest{})
	note("HealthCheck", err)
	_, err = s.schemas.GetLatestSchema(ctx, &schemapb.GetLatestSchemaRequest{Subject: "/default/s"})
	note("GetLatestSchema", err)
	_, err = s.schemas.GetSchema(ctx, &schemapb.GetSchemaRequest{SchemaId: 1})
	note("GetSchema", err)
	_, err = s.schemas.GetTopicSchemaConfig(ctx, &schemapb.GetTopicSchemaConfigRequest{TopicName: topic})
	note("GetTopicSchemaConfig", err)
	_, err = s.topics.DescribeTopic(ctx, &adminpb.DescribeTopicRequest{Name: topic})
	note("DescribeTopic", err)
	_, err = s.spaces.GetNamespaceTopics(ctx, &adminpb.NamespaceRequest{Name: "default"})
	note("GetNamespaceTopics", err)
	return answers
}

func TestTokens(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, bare *stubs) {
		for header, text := range map[string]string{"": "credentials are missing", "Bearer wrong": "Invalid token", "Basic good": "Invalid token", "good": "Invalid token"} {
			s := bare
			if header != "" {
				s = as(t, b, header)
			}
			for name, err := range s.ask(t.Context()) {
				if code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), text) {
					t.Errorf("%s with %q: got %v", name, header, err)
				}
			}
		}
		want(t, "principals of refused calls", len(b.Calls(func(c danubetest.Call) bool { return c.Principal != "" })), 0)
		for _, header := range []string{"Bearer good", "bearer good"} {
			for name, err := range as(t, b, header).ask(t.Context()) {
				if code(err) == codes.Unauthenticated || code(err) == codes.PermissionDenied && name != "SendMessage" {
					t.Errorf("%s with %q: got %v", name, header, err)
				}
			}
		}
		want(t, "principal", b.Calls(func(c danubetest.Call) bool { return c.Principal != "" })[0].Principal, "danubetest")

		// The real broker believes this from anybody.
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-danube-internal-broker", "7")
		_, err := bare.health.HealthCheck(ctx, &pb.HealthCheckRequest{})
		must(t, err)
	}, danubetest.WithTokens(danubetest.Token{Value: "good"}), danubetest.WithTopic(topic, danubetest.TopicConfig{}))
}

// An open stream outlives its token; nothing else does.
func TestTokenEnds(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, _ *stubs) {
		s := as(t, b, "Bearer short")
		p := s.producer(topic, "p")
		c := s.open(topic, "s", "c", exclusive)
		time.Sleep(time.Minute)
		wantStatus(t, p.trySend("0"), codes.Unauthenticated, "Invalid token")
		_, err := s.health.HealthCheck(t.Context(), &pb.HealthCheckRequest{})
		wantStatus(t, err, codes.Unauthenticated, "Invalid token")
		_, err = b.Publish(topic, []byte("1"))
		must(t, err)
		want(t, "message", string(c.next().GetPayload()), "1")

		must(t, b.AddTokens(danubetest.Token{Value: "short", Principal: "me"}))
		p.send("2")
		b.RevokeTokens("short")
		wantStatus(t, p.trySend("3"), codes.Unauthenticated, "Invalid token")
	}, danubetest.WithTokens(danubetest.Token{Value: "short", Lasts: time.Minute}), danubetest.WithTopic(topic, danubetest.TopicConfig{}))

	bubble(t, func(t *testing.T, b *danubetest.Broker, _ *stubs) {
		if b.AddTokens(danubetest.Token{Value: "a"}) == nil {
			t.Error("added a token that nobody asks for")
		}
	})
	for what, opt := range map[string]danubetest.Option{
		"a token without a value": danubetest.WithTokens(danubetest.Token{}),
		"no verifier":             danubetest.WithTokenVerifier(nil),
		"grants without tokens":   danubetest.WithGrants("a"),
		"a grant on two things":   danubetest.WithGrants("a", danubetest.Grant{Topic: topic, Namespace: "default"}),
		"a permission":            danubetest.WithGrants("a", danubetest.Grant{Permissions: []danubetest.Permission{99}}),
		"TLS without certificate": danubetest.WithTLS(&tls.Config{}),
	} {
		if b, err := danubetest.New(opt); err == nil {
			b.Close()
			t.Errorf("%s: no error", what)
		}
	}
}

func TestGrants(t *testing.T) {
	const denied = "no binding grants"
	bubble(t, func(t *testing.T, b *danubetest.Broker, _ *stubs) {
		_, _, err := b.RegisterSchema("/default/s", "string", "")
		must(t, err)
		refused := func(principal string) (names []string) {
			answers := as(t, b, "Bearer "+principal).ask(t.Context())
			for _, name := range []string{"CreateProducer", "SendMessage", "Subscribe", "ReceiveMessages", "Ack", "Nack", "TopicLookup", "TopicPartitions",
				"HealthCheck", "GetLatestSchema", "GetSchema", "GetTopicSchemaConfig", "DescribeTopic", "GetNamespaceTopics"} {
				if err := answers[name]; err != nil && strings.Contains(err.Error(), denied) {
					names = append(names, name)
				}
			}
			return names
		}
		want(t, "an admin", refused("boss"), []string{})
		want(t, "a consumer on its topic", refused("reader"), []string{
			"CreateProducer", "SendMessage", "ReceiveMessages", "Ack", "Nack", "GetLatestSchema", "GetSchema", "GetTopicSchemaConfig", "DescribeTopic", "GetNamespaceTopics"})
		want(t, "everything in a namespace", refused("owner"), []string{"ReceiveMessages", "Ack", "Nack", "GetSchema"})
		want(t, "a producer everywhere", refused("writer"), []string{
			"Subscribe", "ReceiveMessages", "Ack", "Nack", "TopicLookup", "TopicPartitions", "GetLatestSchema", "GetSchema", "GetTopicSchemaConfig", "DescribeTopic", "GetNamespaceTopics"})
		_, err = as(t, b, "Bearer reader").tryProducer(topic, "p")
		wantStatus(t, err, codes.PermissionDenied, `no binding grants Produce on Topic("/default/orders") for service_account:reader`)
		_, err = as(t, b, "Bearer nobody").discovery.TopicLookup(t.Context(), &pb.TopicLookupRequest{Topic: topic})
		wantStatus(t, err, codes.PermissionDenied, denied)
	},
		danubetest.WithTokens(danubetest.Token{Value: "boss", Principal: "boss"}, danubetest.Token{Value: "reader", Principal: "reader"},
			danubetest.Token{Value: "owner", Principal: "owner"}, danubetest.Token{Value: "writer", Principal: "writer"}, danubetest.Token{Value: "nobody"}),
		danubetest.WithAdmins("boss"),
		danubetest.WithGrants("reader", danubetest.Grant{Topic: topic, Permissions: []danubetest.Permission{danubetest.Lookup, danubetest.Consume}}),
		danubetest.WithGrants("owner", danubetest.Grant{Namespace: "default", Permissions: []danubetest.Permission{
			danubetest.Lookup, danubetest.Consume, danubetest.Produce, danubetest.ManageTopic, danubetest.ManageSchema, danubetest.ManageNamespace}}),
		danubetest.WithGrants("writer", danubetest.Grant{Permissions: []danubetest.Permission{danubetest.Produce}}),
		danubetest.WithTopic(topic, danubetest.TopicConfig{}))
}

func TestParsePermission(t *testing.T) {
	for p := danubetest.Lookup; p <= danubetest.ManageBroker; p++ {
		got, err := danubetest.ParsePermission(strings.ToLower(p.String()))
		must(t, err)
		want(t, "permission", got, p)
	}
	for _, name := range []string{"", "unknown"} {
		if _, err := danubetest.ParsePermission(name); err == nil || !strings.Contains(err.Error(), "Lookup, Produce") {
			t.Errorf("%q: error %v", name, err)
		}
	}
}

func jwt(secret, header, claims string) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	text := part(header) + "." + part(claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + part(string(mac.Sum(nil)))
}

func TestVerifyJWT(t *testing.T) {
	const hs256, claims = `{"alg":"HS256","typ":"JWT"}`, `{"iss":"i","exp":%d,"sub":"s","principal_type":"user","principal_name":"me"}`
	now := time.Unix(1000, 0)
	verify := danubetest.VerifyJWT("secret")
	for _, tt := range []struct {
		what, token string
		good        bool
	}{
		{"a good one", jwt("secret", hs256, fmt.Sprintf(claims, 1001)), true},
		{"one in its leeway", jwt("secret", hs256, fmt.Sprintf(claims, 941)), true},
		{"one that has expired", jwt("secret", hs256, fmt.Sprintf(claims, 939)), false},
		{"another secret", jwt("other", hs256, fmt.Sprintf(claims, 1001)), false},
		{"another algorithm", jwt("secret", `{"alg":"none"}`, fmt.Sprintf(claims, 1001)), false},
		{"a claim missing", jwt("secret", hs256, `{"iss":"i","exp":1001,"sub":"s","principal_name":"me"}`), false},
		{"an audience", jwt("secret", hs256, strings.Replace(fmt.Sprintf(claims, 1001), "{", `{"aud":"a",`, 1)), false},
		{"no JSON", jwt("secret", hs256, "nonsense"), false},
		{"no token", "a.b", false},
		{"one that never expires", jwt("secret", hs256, strings.Replace(claims, "%d", "18446744073709551615", 1)), true},
		{"one that ends before 1970", jwt("secret", hs256, fmt.Sprintf(claims, -1)), false},
		{"other names", jwt("secret", hs256, strings.ToUpper(fmt.Sprintf(claims, 1001))), false},
		{"another name for the algorithm", jwt("secret", `{"ALG":"HS256"}`, fmt.Sprintf(claims, 1001)), false},
		{"a line break", jwt("secret", hs256, fmt.Sprintf(claims, 1001)) + "\n", false},
	} {
		name, err := verify(tt.token, now)
		if (err == nil) != tt.good || tt.good && name != "me" {
			t.Errorf("%s: got %q, %v", tt.what, name, err)
		}
	}

	// What was taken is taken for a while.
	bubble(t, func(t *testing.T, b *danubetest.Broker, _ *stubs) {
		s := as(t, b, "Bearer "+jwt("secret", hs256, fmt.Sprintf(claims, time.Now().Add(time.Minute).Unix())))
		start := time.Now()
		var err error
		for ; err == nil; time.Sleep(time.Second) {
			_, err = s.health.HealthCheck(t.Context(), &pb.HealthCheckRequest{})
		}
		wantStatus(t, err, codes.Unauthenticated, "Invalid token")
		if d := time.Since(start); d < 2*time.Minute || d > 151*time.Second {
			t.Errorf("taken for %v", d)
		}
	}, danubetest.WithTokenVerifier(verify))
	bubble(t, func(t *testing.T, b *danubetest.Broker, _ *stubs) {
		_, err := as(t, b, "Bearer x").health.HealthCheck(t.Context(), &pb.HealthCheckRequest{})
		wantStatus(t, err, codes.Unauthenticated, "Invalid token")
	}, danubetest.WithTokenVerifier(func(string, time.Time) (string, error) { return "", errors.New("no") }))
}

func TestTLS(t *testing.T) {
	look := func(t *testing.T, b *danubetest.Broker) {
		for i, url := range b.URLs() {
			if !strings.HasPrefix(url, "https://") {
				t.Errorf("URL %s", url)
			}
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM(b.CertificatePEM())
			conn, err := b.DialURL(url, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool})))
			must(t, err)
			defer conn.Close()
			r, err := newStubs(t, conn).discovery.TopicLookup(t.Context(), &pb.TopicLookupRequest{Topic: topic})
			must(t, err)
			want(t, "lookup", []any{r.GetConnectUrl(), r.GetBrokerUrl(), r.GetProxy(), r.GetResponseType()},
				[]any{b.URLs()[0], b.URLs()[0], false, []pb.TopicLookupResponse_LookupType{pb.TopicLookupResponse_Connect, pb.TopicLookupResponse_Redirect}[i]})
		}
		dial(t, b).producer(topic, "p")
	}
	opts := []danubetest.Option{danubetest.WithTLS(nil), danubetest.WithBrokers(2), danubetest.WithTopic(topic, danubetest.TopicConfig{})}
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { look(t, danubetest.Run(t, append(opts, danubetest.WithBufconn())...)) })
	})
	t.Run("TCP", func(t *testing.T) { look(t, danubetest.Run(t, opts...)) })
}
