package danube_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

func pool(a ...*authority) *x509.CertPool {
	p := x509.NewCertPool()
	for _, a := range a {
		p.AddCert(a.cert)
	}
	return p
}

func ping(t *testing.T, c *danube.Client) error {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return c.Ping(ctx)
}

// settled pings until the connection is as wanted: one that was cut takes a moment.
func settled(t *testing.T, c *danube.Client, want func(error) bool) {
	t.Helper()
	l := &lab{T: t}
	l.eventually(func() error {
		err := ping(t, c)
		if want(err) {
			return nil
		}
		return errors.Join(errors.New("not what was wanted"), err)
	})
}

func ok(err error) bool { return err == nil }

func says(text string) func(error) bool {
	return func(err error) bool { return err != nil && strings.Contains(err.Error(), text) }
}

func TestTLSTrustsWhomItIsTold(t *testing.T) {
	ca := newAuthority(t, "ca")
	cert := ca.server()
	named := ca.server("broker.internal")
	file := tempFile(t, "ca.pem", ca.pem)
	for _, tt := range []struct {
		name string
		cert *tls.Certificate
		tls  danube.TLSConfig
		url  string // instead of the right one
		say  string // empty for no error
	}{
		{"a file of authorities", &cert, danube.TLSConfig{CAFile: file}, "", ""},
		{"a pool of authorities", &cert, danube.TLSConfig{Config: &tls.Config{RootCAs: pool(ca)}}, "", ""},
		{"the system's", &cert, danube.TLSConfig{}, "", "TLS.CAFile"},
		{"a name that is not the address's", &named, danube.TLSConfig{CAFile: file}, "", "TLS.ServerName"},
		{"a name that is told", &named, danube.TLSConfig{CAFile: file, ServerName: "broker.internal"}, "", ""},
		{"a name that is told in Config", &named, danube.TLSConfig{CAFile: file, Config: &tls.Config{ServerName: "broker.internal"}}, "", ""},
		{"another name", &named, danube.TLSConfig{CAFile: file, ServerName: "broker.other"}, "", "broker.internal"},
		{"everybody", &named, danube.TLSConfig{Config: &tls.Config{InsecureSkipVerify: true}}, "", ""},
		{"TLS to plain text", nil, danube.TLSConfig{CAFile: file}, "https://", "write its address with http://"},
		{"plain text to TLS", &cert, danube.TLSConfig{}, "http://", "write its address with https://"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newSecureBroker(t, tt.cert, nil)
			c, _ := b.client(t, func(cfg *danube.Config) {
				cfg.TLS = tt.tls
				if tt.url != "" {
					cfg.Seeds = []string{tt.url + b.addr}
				}
			})
			err := ping(t, c)
			if (err == nil) != (tt.say == "") || err != nil && !strings.Contains(err.Error(), tt.say) {
				t.Errorf("got %v, want %q in it", err, tt.say)
			}
		})
	}
}

// TLS 1.2 is the least, whatever the ground configuration says.
func TestTLSVersion(t *testing.T) {
	ca := newAuthority(t, "ca")
	cert := ca.server()
	b := newSecureBroker(t, &cert, nil)
	c, _ := b.client(t, func(cfg *danube.Config) {
		cfg.TLS = danube.TLSConfig{Config: &tls.Config{RootCAs: pool(ca), MinVersion: tls.VersionTLS10}}
	})
	if err := ping(t, c); err != nil {
		t.Fatal(err)
	}
	old := newSecureBroker(t, &cert, nil)
	old.limit(tls.VersionTLS11)
	c, _ = old.client(t, func(cfg *danube.Config) {
		cfg.TLS = danube.TLSConfig{Config: &tls.Config{RootCAs: pool(ca), MinVersion: tls.VersionTLS10}}
	})
	if err := ping(t, c); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("a broker that speaks TLS 1.1: got %v", err)
	}
	_, err := danube.Open(danube.Config{Seeds: []string{"https://a:1"}, TLS: danube.TLSConfig{Config: &tls.Config{MaxVersion: tls.VersionTLS11}}})
	if err == nil || !strings.Contains(err.Error(), "TLS 1.1") {
		t.Errorf("at most TLS 1.1: got %v", err)
	}
}

func TestTLSFilesThatChange(t *testing.T) {
	old, next := newAuthority(t, "old"), newAuthority(t, "next")
	cert := old.server()
	dir := t.TempDir()
	caFile, certFile, keyFile := filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	write := func(a *authority, name string) {
		certPEM, keyPEM := a.client(name)
		writeFile(t, certFile, certPEM)
		writeFile(t, keyFile, keyPEM)
	}
	writeFile(t, caFile, old.pem)
	write(old, "first")
	b := newSecureBroker(t, &cert, pool(old, next))
	c, logs := b.client(t, func(cfg *danube.Config) {
		cfg.TLS = danube.TLSConfig{CAFile: caFile, CertFile: certFile, KeyFile: keyFile}
	})
	settled(t, c, ok)
	if got := b.lastClient(); got != "first" {
		t.Fatalf("presented %q", got)
	}

	// The client's certificate is renewed.
	write(old, "second")
	b.cut()
	settled(t, c, func(err error) bool { return err == nil && b.lastClient() == "second" })

	// A broken file: the old pair stays, and that is said once.
	writeFile(t, keyFile, []byte("half of a k"))
	for range 3 {
		b.cut()
		settled(t, c, ok)
	}
	if got := b.lastClient(); got != "second" {
		t.Errorf("with a broken key file: presented %q", got)
	}
	if n := logs.count("TLS files cannot be used"); n != 1 {
		t.Errorf("a broken file was logged %d times", n)
	}

	// Meanwhile the brokers change their authority. Ours still is the old one.
	cert2 := next.server()
	b.cert.Store(&cert2)
	b.cut()
	settled(t, c, says("signed by unknown authority"))

	// New authorities are taken up beside a certificate that is still broken.
	writeFile(t, caFile, append(old.pem, next.pem...))
	settled(t, c, ok)
	if got := b.lastClient(); got != "second" {
		t.Errorf("presented %q", got)
	}
	writeFile(t, caFile, []byte("nothing"))
	b.cut()
	settled(t, c, ok)
	write(next, "third")
	b.cut()
	settled(t, c, func(err error) bool { return err == nil && b.lastClient() == "third" })
}

// What is wrong with files is said when the client is opened: the field, the path,
// and the way out.
func TestTLSBadFiles(t *testing.T) {
	ca := newAuthority(t, "ca")
	certPEM, keyPEM := ca.client("client")
	_, otherKey := ca.client("other")
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, data)
		return path
	}
	good, cert, key, other := file("ca.pem", ca.pem), file("cert.pem", certPEM), file("key.pem", keyPEM), file("other.pem", otherKey)
	missing, empty := filepath.Join(dir, "missing"), file("empty", nil)
	der := file("ca.der", ca.cert.Raw)
	broken := file("broken.pem", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	huge := file("huge", make([]byte, 5<<20))
	for _, tt := range []struct {
		name string
		tls  danube.TLSConfig
		say  []string
	}{
		{"no such CA file", danube.TLSConfig{CAFile: missing}, []string{"TLS.CAFile", missing, "no such file", "the system's"}},
		{"a directory", danube.TLSConfig{CAFile: dir}, []string{"TLS.CAFile", dir, "is a directory"}},
		{"an empty CA file", danube.TLSConfig{CAFile: empty}, []string{"TLS.CAFile", empty, "BEGIN CERTIFICATE"}},
		{"a CA file in DER", danube.TLSConfig{CAFile: der}, []string{"TLS.CAFile", der, "openssl x509"}},
		{"a key as CA file", danube.TLSConfig{CAFile: key}, []string{"TLS.CAFile", key, "private key"}},
		{"a broken certificate", danube.TLSConfig{CAFile: broken}, []string{"TLS.CAFile", broken, "BEGIN CERTIFICATE"}},
		{"a huge file", danube.TLSConfig{CAFile: huge}, []string{"TLS.CAFile", huge, "4194304"}},
		{"no key", danube.TLSConfig{CAFile: good, CertFile: cert}, []string{"TLS.CertFile", cert, "TLS.KeyFile"}},
		{"no certificate", danube.TLSConfig{KeyFile: key}, []string{"TLS.KeyFile", key, "TLS.CertFile"}},
		{"another's key", danube.TLSConfig{CertFile: cert, KeyFile: other}, []string{"TLS.CertFile", cert, "TLS.KeyFile", other, "does not match"}},
		{"no such certificate", danube.TLSConfig{CertFile: missing, KeyFile: key}, []string{"TLS.CertFile", missing}},
		{"two pools", danube.TLSConfig{CAFile: good, Config: &tls.Config{RootCAs: pool(ca)}}, []string{"TLS.CAFile", good, "RootCAs"}},
		{"two certificates", danube.TLSConfig{CertFile: cert, KeyFile: key, Config: &tls.Config{Certificates: make([]tls.Certificate, 1)}}, []string{"TLS.CertFile", cert, "TLS.Config"}},
		{"two names", danube.TLSConfig{ServerName: "a", Config: &tls.Config{ServerName: "b"}}, []string{"TLS.ServerName", `"a"`, `"b"`}},
		{"two files at once", danube.TLSConfig{CAFile: missing, CertFile: empty, KeyFile: key}, []string{missing, empty}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := danube.Open(danube.Config{Seeds: []string{"https://a:1"}, TLS: tt.tls})
			if !errors.Is(err, danube.ErrInvalid) {
				t.Fatalf("got %v, want an error", err)
			}
			for _, say := range tt.say {
				if !strings.Contains(err.Error(), say) {
					t.Errorf("%v\nwant %q in it", err, say)
				}
			}
		})
	}
}

func TestSchemes(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  danube.Config
		say  []string // none for no error
	}{
		{"all https", danube.Config{Seeds: []string{"https://a:1", "HTTPS://b:2"}}, nil},
		{"all http", danube.Config{Seeds: []string{"http://a:1", "b:2"}}, nil},
		{"mixed", danube.Config{Seeds: []string{"http://a:1", "https://b:2"}}, []string{"http://a:1", "https://b:2"}},
		{"mixed, one without a scheme", danube.Config{Seeds: []string{"https://b:2", "a:1"}}, []string{"http://a:1", "https://b:2"}},
		{"mixed, one wrong", danube.Config{Seeds: []string{"https://b:2", "http://me:secret@c:3", "http://a:1"}}, []string{"http://a:1", "https://b:2", "only http"}},
		{"TLS for http", danube.Config{Seeds: []string{"a:1"}, TLS: danube.TLSConfig{ServerName: "x"}}, []string{"TLS is configured", "http://a:1", "https://"}},
		{"token for http", danube.Config{Seeds: []string{"a:1"}, Token: danube.TokenValue("topsecret")}, []string{"http://a:1", "AllowInsecureToken"}},
		{"token for http, allowed", danube.Config{Seeds: []string{"a:1"}, Token: danube.TokenValue("topsecret"), AllowInsecureToken: true}, nil},
		{"token for https", danube.Config{Seeds: []string{"https://a:1"}, Token: danube.TokenValue("topsecret")}, nil},
		{"token for both", danube.Config{Seeds: []string{"https://a:1", "b:2"}, Token: danube.TokenValue("topsecret")}, []string{"http://b:2", "AllowInsecureToken"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := danube.Open(tt.cfg)
			if (err == nil) != (tt.say == nil) {
				t.Fatalf("got %v", err)
			}
			for _, say := range tt.say {
				if !strings.Contains(err.Error(), say) {
					t.Errorf("%v\nwant %q in it", err, say)
				}
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

// A broker that says of itself or another that it is to be found without TLS, or the
// other way around, is not followed: the token would go there.
func TestSchemeOfAnotherBroker(t *testing.T) {
	ca := newAuthority(t, "ca")
	cert := ca.server()
	for _, tt := range []struct {
		name string
		cert *tls.Certificate
		url  func(addr string) string
		say  string
	}{
		{"TLS to plain text", &cert, func(addr string) string { return "http://" + addr }, "https://"},
		{"plain text to TLS", nil, func(addr string) string { return "https://" + addr }, "http://"},
		{"no scheme", &cert, func(addr string) string { return addr }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newSecureBroker(t, tt.cert, nil)
			seed := b.url
			b.url = tt.url(b.addr) // what it answers
			c, _ := b.client(t, func(cfg *danube.Config) {
				cfg.Seeds = []string{seed}
				if tt.cert != nil {
					cfg.TLS.Config = &tls.Config{RootCAs: pool(ca)}
				}
			})
			err := ping(t, c)
			if tt.say == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, danube.ErrInvalid) || !says("auth.mode")(err) || !says(tt.say)(err) || !says(b.url)(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}
