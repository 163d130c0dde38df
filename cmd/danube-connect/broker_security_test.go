package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// over connects with TLS.
func over(t *testing.T, addr string, cfg *tls.Config) *caller {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(credentials.NewTLS(cfg)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return newCaller(t, conn)
}

// trust reads a file of authorities.
func trust(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("no certificate in %s", text)
	}
	return pool
}

func TestSelfSignedFlag(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	addr, c := program(t, "-tls-self-signed", file, "-topic", "/default/a")
	if !strings.Contains(c.said, "listening on https://"+addr) {
		t.Errorf("it says %s", c.said)
	}
	s := over(t, addr, &tls.Config{RootCAs: trust(t, file)})
	r, err := s.lookup("/default/a")
	s.wantCode("lookup", err, codes.OK)
	if r.GetConnectUrl() != "https://"+addr {
		t.Errorf("lookup: %v", r)
	}
	_, err = over(t, addr, new(tls.Config)).lookup("/default/a")
	s.wantCode("without the certificate", err, codes.Unavailable)
	_, err = calling(t, addr).lookup("/default/a")
	s.wantCode("without TLS", err, codes.Unavailable)
	refused(t, exitError, "-tls-self-signed "+filepath.Join(file, "x"), "-tls-self-signed: open ")
}

// selfSigned makes a certificate that vouches for itself, for both sides.
func selfSigned(t *testing.T) (certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

// keyPair writes a certificate and its key.
func keyPair(t *testing.T) (cert, key string, pair tls.Certificate) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM, keyPEM := selfSigned(t)
	for name, text := range map[string][]byte{cert: certPEM, key: keyPEM} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key, pair
}

func TestCertificateFlags(t *testing.T) {
	cert, key, _ := keyPair(t)
	clientCert, clientKey, pair := keyPair(t)
	addr, _ := program(t, "-tls-cert", cert, "-tls-key", key, "-topic", "/default/a")
	_, err := over(t, addr, &tls.Config{RootCAs: trust(t, cert)}).lookup("/default/a")
	if err != nil {
		t.Error(err)
	}

	addr, _ = program(t, "-tls-cert", cert, "-tls-key", key, "-tls-client-ca", clientCert, "-topic", "/default/a")
	_, err = over(t, addr, &tls.Config{RootCAs: trust(t, cert), Certificates: []tls.Certificate{pair}}).lookup("/default/a")
	if err != nil {
		t.Error(err)
	}
	_, err = over(t, addr, &tls.Config{RootCAs: trust(t, cert)}).lookup("/default/a")
	if status.Code(err) != codes.Unavailable {
		t.Errorf("a client without a certificate: %v", err)
	}

	for args, contains := range map[string]string{
		"-tls-cert " + cert: "-tls-cert and -tls-key need each other",
		"-tls-key " + key:   "-tls-cert and -tls-key need each other",
		"-tls-client-ca a":  "-tls-client-ca needs both",
		"-tls-cert " + cert + " -tls-key " + clientKey:                              "does not match",
		"-tls-cert nowhere -tls-key " + key:                                         "-tls-cert nowhere",
		"-tls-cert " + cert + " -tls-key " + key + " -tls-client-ca none":           "-tls-client-ca: open none",
		"-tls-cert " + cert + " -tls-key " + key + " -tls-client-ca flag_values.go": "there is no certificate in it",
		"-tls-self-signed a -tls-cert " + cert:                                      "-tls-self-signed excludes",
	} {
		refused(t, exitUsage, args, contains)
	}
}

// bearer sends a token with every request.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}
func (b bearer) RequireTransportSecurity() bool { return false }

// as calls with a token.
func as(t *testing.T, addr, token string) *caller {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(bearer(token)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return newCaller(t, conn)
}

func TestTokenFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const secret = "shared=secret"
	addr, _ := program(t, "-token", "me=abc==", "-token", "you=@"+file, "-jwt-secret", secret, "-topic", "/default/a")
	look := func(token string) codes.Code {
		_, err := as(t, addr, token).lookup("/default/a")
		return status.Code(err)
	}
	claims := fmt.Sprintf(`{"iss":"i","exp":%d,"sub":"s","principal_type":"user","principal_name":"me"}`, time.Now().Add(time.Hour).Unix())
	for token, want := range map[string]codes.Code{
		"abc==": codes.OK, "from a file": codes.OK, jwt(secret, claims): codes.OK,
		"abc": codes.Unauthenticated, jwt("other", claims): codes.Unauthenticated,
	} {
		if got := look(token); got != want {
			t.Errorf("%q: %v, want %v", token, got, want)
		}
	}
	_, err := calling(t, addr).lookup("/default/a")
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a token: %v", err)
	}

	addr, _ = program(t, "-token", "me=abc", "-token-lasts", "1ns", "-topic", "/default/a")
	if got := look("abc"); got != codes.Unauthenticated {
		t.Errorf("a token that has ended: %v", got)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, contains := range map[string]string{
		"-token abc":                      "want principal=token",
		"-token =abc":                     "want principal=token",
		"-token me=":                      `token of "me": want it, or @`,
		"-token me=@nowhere":              "open nowhere",
		"-token me=@" + empty:             "the file is empty",
		"-jwt-secret @nowhere":            "open nowhere",
		"-token-lasts 1s -jwt-secret a":   "-token-lasts needs -token",
		"-token a=b -token-lasts forever": "want a duration",
	} {
		refused(t, exitUsage, args, contains)
	}
}

// jwt makes a token as the real broker takes it.
func jwt(secret, claims string) string {
	part := base64.RawURLEncoding.EncodeToString
	text := part([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + part([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + part(mac.Sum(nil))
}

func TestGrantFlags(t *testing.T) {
	addr, _ := program(t, "-token", "boss=b", "-token", "reader=r", "-token", "writer=w", "-token", "all=a", "-admin", "boss",
		"-grant", "reader=Lookup,consume@/default/a", "-grant", "writer=Produce@mine", "-grant", "all=Lookup", "-topic", "/default/a", "-topic", "/mine/b")
	type try struct {
		who   string
		topic string
	}
	check := func(what string, call func(*caller, string) error, good ...try) {
		t.Helper()
		for _, who := range []string{"b", "r", "w", "a"} {
			for _, topic := range []string{"/default/a", "/mine/b"} {
				want := codes.PermissionDenied
				for _, g := range good {
					if g == (try{who, topic}) {
						want = codes.OK
					}
				}
				if err := call(as(t, addr, who), topic); status.Code(err) != want {
					t.Errorf("%s of %s on %s: %v, want %v", what, who, topic, err, want)
				}
			}
		}
	}
	check("lookup", func(c *caller, topic string) error { _, err := c.lookup(topic); return err },
		try{"b", "/default/a"}, try{"b", "/mine/b"}, try{"r", "/default/a"}, try{"a", "/default/a"}, try{"a", "/mine/b"})
	check("producer", func(c *caller, topic string) error { _, err := c.producer(topic, "p"); return err },
		try{"b", "/default/a"}, try{"b", "/mine/b"}, try{"w", "/mine/b"})

	for args, contains := range map[string]string{
		"-grant a=Lookup":                     "give -token or -jwt-secret",
		"-admin a":                            "give -token or -jwt-secret",
		"-token a=b -admin a,":                "want the name of a principal",
		"-token a=b -grant Lookup":            "want principal=permission",
		"-token a=b -grant a=":                "want one of Lookup, Produce",
		"-token a=b -grant a=Fly":             `permission "Fly": want one of Lookup`,
		"-token a=b -grant a=Lookup@":         "want @/namespace/topic or @namespace",
		"-token a=b -grant a=Lookup@/default": `topic "/default": want /namespace/topic`,
		"-token a=b -trap Grants":             "-trap Grants needs -grant or -admin",
	} {
		refused(t, exitUsage, args, contains)
	}
}

// Who may consume on a topic gets nothing there, with the trap.
func TestGrantsTrapFlag(t *testing.T) {
	for flag, want := range map[string]codes.Code{"-trap": codes.PermissionDenied, "-no-trap": codes.OK} {
		addr, c := program(t, "-token", "reader=r", "-grant", "reader=Consume@/default/a", "-topic", "/default/a", flag, danubetest.TrapGrants.String())
		s := as(t, addr, "r")
		st := s.receive("/default/a", "s", "c")
		c.do("POST", "/publish", `{"topic": "/default/a", "payload": "x"}`)
		_, err := st.Recv()
		s.wantCode(flag, err, want)
	}
}
