package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

// maxBody leaves room for the attributes in the 4 MiB that a broker takes in a request.
const maxBody = 3 << 20

// settings are the connector's own.
type settings struct {
	Listen      string         `toml:"listen_addr" env:"LISTEN_ADDR"`
	Path        string         `toml:"path" env:"WEBHOOK_PATH"`
	Token       connect.Secret `toml:"auth_token" env:"AUTH_TOKEN"`
	HMACSecret  connect.Secret `toml:"hmac_secret" env:"HMAC_SECRET"`
	HMACHeader  string         `toml:"hmac_header" env:"HMAC_HEADER"`
	Anonymous   bool           `toml:"allow_anonymous" env:"ALLOW_ANONYMOUS"`
	KeyHeader   string         `toml:"key_header" env:"KEY_HEADER"`
	Headers     []string       `toml:"forward_headers" env:"FORWARD_HEADERS"`
	MaxBody     int64          `toml:"max_body_bytes" env:"MAX_BODY_BYTES"`
	MaxInFlight int            `toml:"max_in_flight" env:"MAX_IN_FLIGHT"`
	Timeout     time.Duration  `toml:"publish_timeout" env:"PUBLISH_TIMEOUT"`
}

// Validate checks them together with the rest of the configuration.
func (s *settings) Validate() error {
	var problems connect.ConfigErrors
	check := func(key, value string, ok bool, problem string) {
		if !ok {
			problems = append(problems, &connect.ConfigError{Key: "webhook." + key, Value: value, Problem: problem})
		}
	}
	host, _, err := net.SplitHostPort(s.Listen)
	check("listen_addr", s.Listen, err == nil, "expected host:port, or :port for all of this host's addresses")
	check("listen_addr", s.Listen, err != nil || isLoopback(host) || s.Anonymous || !s.Token.IsZero() || !s.HMACSecret.IsZero(),
		"others reach this address and nothing is asked of them: set auth_token or hmac_secret, or allow_anonymous = true")
	check("path", s.Path, strings.HasPrefix(s.Path, "/") && !strings.ContainsAny(s.Path, " {}"), "expected a path such as /hooks/")
	check("hmac_header", s.HMACHeader, s.HMACHeader != "" || s.HMACSecret.IsZero(), "required with hmac_secret")
	check("max_body_bytes", fmt.Sprint(s.MaxBody), s.MaxBody > 0 && s.MaxBody <= maxBody, fmt.Sprintf("expected 1 to %d", maxBody))
	check("max_in_flight", fmt.Sprint(s.MaxInFlight), s.MaxInFlight > 0, "expected at least 1")
	check("publish_timeout", s.Timeout.String(), s.Timeout > 0, "expected more than 0")
	if len(problems) > 0 {
		return problems
	}
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
