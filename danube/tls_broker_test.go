package danube_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// secured is a broker with auth.mode tls and admin_tls.
type secured struct {
	*lab
	admin, ca, secret string
}

// onSecured runs a scenario on the embedded broker, behind a port, and on the one that
// the environment names.
func onSecured(t *testing.T, scenario func(*secured)) {
	t.Run("embedded", func(t *testing.T) {
		const secret = "s3cret"
		overTCP(t, func(l *lab) {
			scenario(&secured{lab: l, admin: l.url, ca: tempFile(t, "ca.pem", l.broker.CertificatePEM()), secret: secret})
		}, danubetest.WithTLS(nil), danubetest.WithTokenVerifier(danubetest.VerifyJWT(secret)), danubetest.WithAdmins("admin"), danubetest.WithClusterCreate())
	})
	t.Run("real", func(t *testing.T) { onRealSecured(t, scenario) })
}

func onRealSecured(t *testing.T, scenario func(*secured)) {
	s := &secured{admin: os.Getenv("DANUBE_TLS_ADMIN_URL"), ca: os.Getenv("DANUBE_TLS_CA_FILE"), secret: os.Getenv("DANUBE_TLS_JWT_SECRET")}
	s.lab = &lab{T: t, url: os.Getenv("DANUBE_TLS_SERVICE_URL")}
	if s.url == "" || s.admin == "" || s.ca == "" || s.secret == "" {
		t.Skip("DANUBE_TLS_SERVICE_URL, DANUBE_TLS_ADMIN_URL, DANUBE_TLS_CA_FILE and DANUBE_TLS_JWT_SECRET are not all set: not run against a real broker with TLS")
	}
	scenario(s)
}

// token signs a token that the broker accepts, for a super admin by the name of admin.
func (s *secured) token(lasts time.Duration, name string) string {
	part := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	text := part([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + part(fmt.Appendf(nil,
		`{"iss":"danube-auth","exp":%d,"sub":%q,"principal_type":"user","principal_name":%q}`, time.Now().Add(lasts).Unix(), name, name))
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write([]byte(text))
	return text + "." + part(mac.Sum(nil))
}

func (s *secured) client(t danube.Token) *danube.Client {
	s.Helper()
	return s.open(func(cfg *danube.Config) {
		cfg.TLS.CAFile, cfg.Token = s.ca, t
	})
}

func TestTLSWithTokens(t *testing.T) {
	onSecured(t, func(s *secured) {
		c := s.client(danube.TokenValue(s.token(time.Hour, "admin")))
		topic := s.topic()
		con := s.consumer(c, topic)
		p := s.producer(c, topic)
		s.send(p, "a", "b")
		s.ack(con, s.receive(con, "a", "b")...)

		subject := s.subject()
		_, _, err := c.Schemas().Register(s.soon(), subject, danube.SchemaString, "", danube.RegisterOptions{})
		s.must(err)

		a, err := danube.OpenAdmin(danube.AdminConfig{Addresses: []string{s.admin}, TLS: danube.TLSConfig{CAFile: s.ca}, Token: danube.TokenValue(s.token(time.Hour, "admin"))})
		s.must(err)
		defer a.Close(context.Background())
		brokers, err := a.Brokers(s.soon())
		s.must(err)
		s.Logf("%+v", brokers)
		s.must(con.Close(s.soon()))
		s.eventually(func() error { return a.Unsubscribe(s.soon(), topic, "s") })
	})
}

// What a client is told that is not let in, and why.
func TestTLSRefusals(t *testing.T) {
	onSecured(t, func(s *secured) {
		try := func(change func(*danube.Config)) error {
			return s.open(func(cfg *danube.Config) {
				cfg.TLS.CAFile = s.ca
				change(cfg)
			}).Ping(s.within(10 * time.Second))
		}
		s.want(try(func(*danube.Config) {}), danube.ErrAuth, "missing")
		s.want(try(func(cfg *danube.Config) { cfg.Token = danube.TokenValue("nonsense") }), danube.ErrAuth, "Invalid token")
		s.want(try(func(cfg *danube.Config) { cfg.Token = danube.TokenValue(s.token(-time.Hour, "admin")) }), danube.ErrAuth)
		s.want(try(func(cfg *danube.Config) { cfg.Token = danube.TokenValue(s.token(time.Hour, "nobody")) }), danube.ErrPermission, "no binding grants")
		for _, err := range []error{
			try(func(cfg *danube.Config) { cfg.TLS.CAFile = "" }),
			try(func(cfg *danube.Config) {
				cfg.TLS.CAFile, cfg.Seeds = "", []string{strings.Replace(s.url, "https://", "http://", 1)}
			}),
		} {
			s.Log(err)
			if err == nil || !strings.Contains(err.Error(), "TLS.CAFile") && !strings.Contains(err.Error(), "with https://") {
				s.Errorf("got %v", err)
			}
		}
	})
}

// A token that has expired stops nothing for good: the broker believes it for up to
// a minute and a half, and the client finds the next one.
func TestTLSTokenIsReplaced(t *testing.T) {
	onSecured(t, func(s *secured) {
		path := filepath.Join(s.TempDir(), "token")
		writeFile(t, path, []byte(s.token(-time.Hour, "admin")))
		c := s.client(danube.TokenFile(path))
		topic := s.topic()
		if _, err := c.NewProducer(s.within(3*time.Second), danube.ProducerConfig{Topic: topic, Name: "p"}); !errors.Is(err, danube.ErrAuth) || !errors.Is(err, context.DeadlineExceeded) {
			s.Fatalf("with an expired token: %v", err)
		}
		time.AfterFunc(time.Second, func() { writeFile(t, path, []byte(s.token(time.Hour, "admin"))) })
		p := s.producer(c, topic)
		s.send(p, "a")
	})
}
