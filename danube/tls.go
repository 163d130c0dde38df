package danube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"

	"google.golang.org/grpc/credentials"
)

// TLSConfig says how connections to https addresses are secured. Its zero value
// trusts the system's certificate authorities and presents no certificate; TLS is
// 1.2 or later.
//
// Files are read when the client is opened, where a bad one is an error, and looked
// at again for every new connection: a certificate that is renewed in place needs
// no restart. A file that has become unreadable or wrong is logged, and what was
// read before stays in use. Connections that are open keep what they began with.
type TLSConfig struct {
	// CAFile is a PEM file with the certificate authorities to trust instead of the
	// system's.
	CAFile string
	// CertFile and KeyFile are PEM files with the certificate, chain included, that
	// the client presents and its private key. A broker of 0.15 never asks for one;
	// a proxy in front of it may.
	CertFile, KeyFile string
	// ServerName is the name that the broker's certificate must carry, where that is
	// not the host of the address. It holds for all brokers.
	ServerName string
	// Config is the ground for everything that the fields above do not say. It is
	// cloned.
	Config *tls.Config
}

// isZero reports that nothing is configured.
func (c TLSConfig) isZero() bool { return c == TLSConfig{} }

// check says what contradicts itself, without reading files.
func (c TLSConfig) check() error {
	var errs []error
	base := c.Config
	if base == nil {
		base = &tls.Config{}
	}
	if c.CertFile == "" && c.KeyFile != "" {
		errs = append(errs, invalid("TLS.KeyFile %s is given without TLS.CertFile: give both, or neither", c.KeyFile))
	}
	if c.CertFile != "" && c.KeyFile == "" {
		errs = append(errs, invalid("TLS.CertFile %s is given without TLS.KeyFile: give both, or neither", c.CertFile))
	}
	if c.CAFile != "" && base.RootCAs != nil {
		errs = append(errs, invalid("TLS.CAFile %s and TLS.Config.RootCAs both say whom to trust: give one", c.CAFile))
	}
	if c.CertFile != "" && (len(base.Certificates) > 0 || base.GetClientCertificate != nil) {
		errs = append(errs, invalid("TLS.CertFile %s and TLS.Config both give a client certificate: give one", c.CertFile))
	}
	if c.ServerName != "" && base.ServerName != "" && c.ServerName != base.ServerName {
		errs = append(errs, invalid("TLS.ServerName %q and TLS.Config.ServerName %q differ: give one", c.ServerName, base.ServerName))
	}
	if v := base.MaxVersion; v != 0 && v < tls.VersionTLS12 {
		errs = append(errs, invalid("TLS.Config.MaxVersion is %s: want TLS 1.2 or later", tls.VersionName(v)))
	}
	return errors.Join(errs...)
}

// tlsFiles makes the TLS configuration of each new connection.
type tlsFiles struct {
	log  *slog.Logger
	base *tls.Config

	mu         sync.Mutex
	pool       reloaded[*x509.CertPool]
	cert       reloaded[*tls.Certificate]
	complaints string // the last errors logged, so that each is logged once
}

// newTLSFiles reads the files for the first time.
func newTLSFiles(c TLSConfig, log *slog.Logger) (*tlsFiles, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	f := &tlsFiles{log: log, base: &tls.Config{}}
	if c.Config != nil {
		f.base = c.Config.Clone()
	}
	f.base.MinVersion = max(f.base.MinVersion, tls.VersionTLS12)
	if c.ServerName != "" {
		f.base.ServerName = c.ServerName
	}
	if c.CAFile != "" {
		f.pool = reloaded[*x509.CertPool]{paths: []string{c.CAFile}, parse: func(pem [][]byte) (*x509.CertPool, error) {
			return parsePool(c.CAFile, pem[0])
		}, reading: "TLS.CAFile", wayOut: "give the path of a PEM file with the authorities to trust, or leave it empty for the system's"}
	}
	if c.CertFile != "" {
		f.cert = reloaded[*tls.Certificate]{paths: []string{c.CertFile, c.KeyFile}, parse: func(pem [][]byte) (*tls.Certificate, error) {
			pair, err := tls.X509KeyPair(pem[0], pem[1])
			if err != nil {
				return nil, invalid("TLS.CertFile %s with TLS.KeyFile %s: %w; want PEM files, the second with the private key of the first", c.CertFile, c.KeyFile, err)
			}
			return &pair, nil
		}, reading: "TLS.CertFile and TLS.KeyFile", wayOut: "give the paths of PEM files with the client's certificate and key, or leave both empty"}
	}
	_, poolErr := f.pool.load()
	_, certErr := f.cert.load()
	return f, errors.Join(poolErr, certErr)
}

// config is the configuration for a connection that begins now.
func (f *tlsFiles) config() *tls.Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	newPool, poolErr := f.pool.load()
	newCert, certErr := f.cert.load()
	if newPool || newCert {
		f.log.Info("danube: TLS files have changed and were read again", "authorities", newPool, "certificate", newCert)
	}
	complaints := ""
	if err := errors.Join(poolErr, certErr); err != nil {
		complaints = err.Error()
		if complaints != f.complaints {
			f.log.Error("danube: TLS files cannot be used; what was read before stays in use", "error", err)
		}
	}
	f.complaints = complaints

	cfg := f.base.Clone()
	if f.pool.value != nil {
		cfg.RootCAs = f.pool.value
	}
	if cert := f.cert.value; cert != nil {
		// Given whatever authorities the other side names: its refusal says more than
		// our silence.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	return cfg
}

func parsePool(path string, pem []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if pool.AppendCertsFromPEM(pem) {
		return pool, nil
	}
	switch text := string(pem); {
	case strings.Contains(text, "PRIVATE KEY"):
		return nil, invalid("TLS.CAFile %s holds a private key and no certificate; give the certificates of the authorities to trust", path)
	case strings.Contains(text, "-----BEGIN"):
		return nil, invalid("TLS.CAFile %s: none of its PEM blocks is a valid certificate; want blocks that begin with -----BEGIN CERTIFICATE-----", path)
	}
	return nil, invalid("TLS.CAFile %s is not a PEM file; want blocks that begin with -----BEGIN CERTIFICATE----- (openssl x509 -inform der converts)", path)
}

// transportCredentials gives every handshake the configuration of its moment.
type transportCredentials struct {
	files      *tlsFiles
	serverName string
}

func (f *tlsFiles) credentials() credentials.TransportCredentials {
	return &transportCredentials{files: f, serverName: f.base.ServerName}
}

func (c *transportCredentials) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if c.serverName != "" {
		authority = c.serverName
	}
	return credentials.NewTLS(c.files.config()).ClientHandshake(ctx, authority, raw)
}

func (c *transportCredentials) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, fmt.Errorf("danube: these credentials are a client's")
}

func (c *transportCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

func (c *transportCredentials) Clone() credentials.TransportCredentials {
	clone := *c
	return &clone
}

func (c *transportCredentials) OverrideServerName(name string) error {
	c.serverName = name
	return nil
}
