package danubetest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// WithTLS makes the brokers speak TLS, the admin service too, and their URLs begin with
// https://. The configuration is used as it is, so it may ask for certificates of
// clients, which the real broker never does, or change the broker's with
// GetCertificate. With nil the brokers have a certificate for 127.0.0.1, ::1, localhost and their
// names in memory, which [Broker.CertificatePEM] is the authority of.
//
// Other than with the real broker, TLS alone asks nobody for a token: see [WithTokens].
func WithTLS(cfg *tls.Config) Option {
	return func(c *config) error {
		if cfg == nil {
			cert, text, err := ownCertificate()
			if err != nil {
				return fmt.Errorf("TLS: %w", err)
			}
			c.tls, c.certPEM = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, text
			return nil
		}
		if len(cfg.Certificates) == 0 && cfg.GetCertificate == nil && cfg.GetConfigForClient == nil {
			return errors.New("TLS: the configuration has no certificate: set Certificates, GetCertificate or GetConfigForClient, or leave it nil")
		}
		c.tls = cfg.Clone()
		return nil
	}
}

// CertificatePEM returns the certificate that [WithTLS] has made up, as a file of
// authorities has it; empty without one.
func (b *Broker) CertificatePEM() []byte { return append([]byte(nil), b.cfg.certPEM...) }

// ownCertificate makes a certificate that vouches for itself.
func ownCertificate() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	names := []string{"localhost"}
	for id := 1; id <= 100; id++ {
		host, _, _ := strings.Cut(memoryHost(id), ":")
		names = append(names, host)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "danubetest"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// Token is one that the brokers take.
type Token struct {
	// Value is what clients send behind "Bearer ".
	Value string
	// Principal is whose it is, for [WithGrants]; "danubetest" when left out.
	Principal string
	// Lasts is how long it is good for, from when the broker got to know it. 0 is for
	// ever.
	Lasts time.Duration
}

// WithTokens makes the brokers ask for a token with every request, HealthCheck and
// lookups included, and take these. What has none is answered UNAUTHENTICATED
// `Authentication credentials are missing`, what has another `Invalid token`. Only the
// opening of a stream is asked: it goes on when its token ends. [Broker.AddTokens]
// and [Broker.RevokeTokens] change them. With and without TLS.
//
// The real broker takes JSON web tokens, see [VerifyJWT], and only with TLS.
func WithTokens(tokens ...Token) Option {
	return func(c *config) error {
		c.authenticate = true
		for _, t := range tokens {
			if err := t.check(); err != nil {
				return err
			}
		}
		c.tokens = append(c.tokens, tokens...)
		return nil
	}
}

func (t Token) check() error {
	if t.Value == "" || t.Lasts < 0 {
		return fmt.Errorf("token of %q: want a value, and no negative time", t.Principal)
	}
	return nil
}

// TokenVerifier says whose a token is, or why it is not taken; the client does not get
// to know that. It is asked in the broker's loop: it must not call the broker, nor wait.
type TokenVerifier func(token string, now time.Time) (principal string, err error)

// verifiedFor is how long the real broker believes what it knows of a token.
const verifiedFor = 30 * time.Second

// WithTokenVerifier is [WithTokens] with a function, for tokens that nobody has listed.
// As in the real broker a token that was taken is taken for 30 s more without a look.
func WithTokenVerifier(verify TokenVerifier) Option {
	return func(c *config) error {
		if verify == nil {
			return errors.New("token verifier: want one, not nil")
		}
		c.authenticate, c.verify = true, verify
		return nil
	}
}

// AddTokens makes the brokers take more tokens, or the same for longer. It is an error
// without [WithTokens] or [WithTokenVerifier].
func (b *Broker) AddTokens(tokens ...Token) (err error) {
	if !b.cfg.authenticate {
		return errors.New("danubetest: add tokens: the broker asks for none: make it WithTokens")
	}
	for _, t := range tokens {
		if err := t.check(); err != nil {
			return fmt.Errorf("danubetest: add tokens: %w", err)
		}
	}
	b.do(func(c *core) {
		for _, t := range tokens {
			c.auth.add(t, c.now)
		}
	})
	return nil
}

// RevokeTokens makes the brokers refuse tokens of [WithTokens] and [Broker.AddTokens], from
// the next request on. A [TokenVerifier] decides for itself.
func (b *Broker) RevokeTokens(values ...string) {
	b.do(func(c *core) {
		for _, v := range values {
			delete(c.auth.tokens, v)
		}
	})
}

// auth is who may come in.
type auth struct {
	tokens   map[string]login // by value
	verified map[string]login // what the verifier has said, by value
}

// login is a principal until a time.
type login struct {
	principal string
	until     time.Time // zero for ever
}

func (l login) good(now time.Time) bool { return l.until.IsZero() || now.Before(l.until) }

func (a *auth) add(t Token, now time.Time) {
	l := login{principal: t.Principal}
	if l.principal == "" {
		l.principal = "danubetest"
	}
	if t.Lasts > 0 {
		l.until = now.Add(t.Lasts)
	}
	if a.tokens == nil {
		a.tokens = make(map[string]login)
	}
	a.tokens[t.Value] = l
}

// internalHeader is the metadata with which brokers talk among themselves. The real
// broker believes it from anybody.
const internalHeader = "x-danube-internal-broker"

var (
	errNoCredentials = status.Error(codes.Unauthenticated, "Authentication credentials are missing")
	errInvalidToken  = status.Error(codes.Unauthenticated, "Invalid token")
)

// enter finds out who sends a request.
func (c *core) enter(ctx context.Context, in *Call) error {
	if !c.cfg.authenticate {
		return nil
	}
	if name := metadata.ValueFromIncomingContext(ctx, internalHeader); len(name) > 0 {
		in.Principal, in.internal = name[0], true
		return nil
	}
	header := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(header) == 0 {
		return errNoCredentials
	}
	token, ok := strings.CutPrefix(header[0], "Bearer ")
	if !ok {
		token, ok = strings.CutPrefix(header[0], "bearer ")
	}
	if !ok {
		return errInvalidToken
	}
	l, known := c.auth.tokens[token]
	if !known && c.cfg.verify != nil {
		l, known = c.verified(token)
	}
	if !known || !l.good(c.now) {
		return errInvalidToken
	}
	in.Principal = l.principal
	return nil
}

// verified asks the verifier, or remembers what it has said.
func (c *core) verified(token string) (login, bool) {
	if l, ok := c.auth.verified[token]; ok && l.good(c.now) {
		return l, true
	}
	delete(c.auth.verified, token)
	principal, err := c.cfg.verify(token, c.now)
	if err != nil {
		c.cfg.logger.Debug("token refused", "error", err)
		return login{}, false
	}
	l := login{principal, c.now.Add(verifiedFor)}
	if c.auth.verified == nil {
		c.auth.verified = make(map[string]login)
	}
	c.auth.verified[token] = l
	return l, true
}
