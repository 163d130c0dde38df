package danube

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"google.golang.org/grpc"
)

// Config is what a Client needs. The zero value of every field but Seeds means
// its default.
type Config struct {
	// Seeds are addresses of brokers to ask who owns a topic: "https://host:6650" with
	// TLS, "http://host:6650" or "host:6650" without; all of them one or the other. One
	// is enough while it lives; with several, the death of one does not keep the client
	// from finding a topic's new owner.
	Seeds []string
	// TLS says whom to trust, and who the client is, where the seeds are https.
	// Default: the system's certificate authorities, and no certificate.
	TLS TLSConfig
	// Token says who the client is, where the brokers want to know. Default: none.
	Token Token
	// AllowInsecureToken sends the token to http seeds as well, where everybody on the
	// way can read it and use it: for tests, or where something else encrypts the way.
	AllowInsecureToken bool
	// Logger gets one line for each session that starts, ends or cannot be had.
	// Default: slog.Default().
	Logger *slog.Logger
	// DialOptions are added to the client's own, for example a dialer of a test.
	DialOptions []grpc.DialOption
	// Timeouts bound single calls.
	Timeouts Timeouts
	// BackoffInitial and BackoffMax shape the waits between attempts to get a
	// session: exponential with jitter, without end. Defaults: 100 ms and 10 s.
	BackoffInitial, BackoffMax time.Duration
	// HealthInterval is the time between two health checks of a session, of which a client
	// has one for each topic on the wire; the first may come a fifth of it early. Where more
	// than 50 checks a second would come of it, it is longer: 20 s with a thousand
	// partitions. Default: 5 s.
	HealthInterval time.Duration
	// Hooks hear what the client does, for metrics and traces. Default: none.
	Hooks Hooks
	// Metrics are where all brokers of the cluster serve their metrics, such as
	// "http://host:9040/metrics". A broker may stop delivering for ever while the stream
	// stays open and every health check is good (seen on 0.15.1), and nothing but its
	// metrics tells that from a topic that is quiet: with them consumers report Stalled.
	// Admin.MetricsAddresses lists what the brokers say of themselves. Default: none, and
	// then such a silence is not seen.
	Metrics []string
	// MetricsClient fetches them. Default: a client without TLS configuration of its own
	// that keeps no connection. A request has 5 s in any case.
	MetricsClient *http.Client
	// MetricsInterval is the time between two looks at the metrics, spread by a fifth to
	// either side; one look serves all consumers of the client. Default: 10 s.
	MetricsInterval time.Duration
	// StallAfter is how long a broker must have had something to deliver, and must have
	// delivered nothing new, to count as stalled. On other types than Exclusive it is at
	// least a minute, and something must have been published meanwhile: there an
	// unacknowledged message of another consumer may hold up the rest until its ack
	// timeout, 30 s unless the subscription has another, and messages that were skipped
	// look like a backlog for ever. Default: 30 s.
	StallAfter time.Duration
}

// Timeouts bound single calls; zero means the default.
type Timeouts struct {
	// Control is for lookups, CreateProducer and Subscribe. Default: 10 s.
	Control time.Duration
	// Send is for one SendMessage. It is long on purpose: a publish that is given up
	// may still be stored, and one that is cancelled at the wrong moment leaves a
	// hole in the topic. Default: 60 s.
	Send time.Duration
	// Ack is for one Ack or Nack. Default: 15 s.
	Ack time.Duration
	// Health is for one health check. Default: 5 s.
	Health time.Duration
}

func (c Config) withDefaults() (Config, []endpoint, error) {
	setDefault(&c.Timeouts.Control, 10*time.Second)
	setDefault(&c.Timeouts.Send, time.Minute)
	setDefault(&c.Timeouts.Ack, 15*time.Second)
	setDefault(&c.Timeouts.Health, 5*time.Second)
	setDefault(&c.BackoffInitial, 100*time.Millisecond)
	setDefault(&c.BackoffMax, 10*time.Second)
	setDefault(&c.HealthInterval, 5*time.Second)
	setDefault(&c.MetricsInterval, 10*time.Second)
	setDefault(&c.StallAfter, 30*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	var errs []error
	if len(c.Seeds) == 0 {
		errs = append(errs, invalid("no seed address; give at least one, such as http://localhost:6650"))
	}
	var seeds []endpoint
	for _, s := range c.Seeds {
		e, err := parseEndpoint(s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		seeds = append(seeds, e)
	}
	c.Metrics = slices.Clone(c.Metrics)
	for i, m := range c.Metrics {
		u, err := metricsURL(m)
		errs = append(errs, err)
		c.Metrics[i] = u
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"Timeouts.Control", c.Timeouts.Control}, {"Timeouts.Send", c.Timeouts.Send}, {"Timeouts.Ack", c.Timeouts.Ack},
		{"Timeouts.Health", c.Timeouts.Health}, {"BackoffInitial", c.BackoffInitial}, {"HealthInterval", c.HealthInterval},
		{"MetricsInterval", c.MetricsInterval}, {"StallAfter", c.StallAfter},
	} {
		if d.value < 0 {
			errs = append(errs, invalid("%s is %v; want a positive duration, or 0 for the default", d.name, d.value))
		}
	}
	if c.BackoffMax < c.BackoffInitial {
		errs = append(errs, invalid("BackoffMax %v is less than BackoffInitial %v", c.BackoffMax, c.BackoffInitial))
	}
	return c, seeds, errors.Join(errs...)
}

func setDefault(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}

// endpoint is where to dial, as "host:port".
type endpoint string

// parseEndpoint reads an address as a user or a broker writes it.
func parseEndpoint(s string) (endpoint, error) {
	hostport := s
	if strings.Contains(s, "://") {
		u, err := url.Parse(s)
		if err != nil {
			var part *url.Error
			if errors.As(err, &part) {
				err = part.Err // without the address
			}
			if strings.Contains(s, "@") {
				err = errors.New("it cannot be read") // the part that cannot may be of a password
			}
			return "", invalid("address of a broker: %w; want http://host:port", err)
		}
		switch u.Scheme {
		case "http", "https":
		default:
			return "", invalid("address %q: another scheme; want http://host:port or https://host:port", shown(s))
		}
		if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return "", invalid("address %q: only http://host:port is understood", shown(s))
		}
		hostport = u.Host
	}
	host, port, err := net.SplitHostPort(hostport)
	if err != nil || host == "" || port == "" {
		return "", invalid("address %q: want http://host:port or host:port", shown(hostport))
	}
	if !isPort(port) {
		return "", invalid("address %q: port %q is not a number from 1 to 65535", shown(hostport), shown(port))
	}
	if !isHost(host) {
		return "", invalid("address %q: %q is not a host; several addresses are several seeds", shown(hostport), shown(host))
	}
	return endpoint(net.JoinHostPort(host, port)), nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// isHost reports whether something is an IP address or may be a name, in any script.
func isHost(s string) bool {
	if strings.Contains(s, ":") {
		ip, err := netip.ParseAddr(s)
		return err == nil && !strings.ContainsFunc(ip.Zone(), notOfName)
	}
	return !strings.ContainsFunc(s, notOfName)
}

func notOfName(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune("-._", r)
}

// shown is an address for an error: a user and a password may stand before an @, also
// where the address is not one that can be read.
func shown(s string) string {
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return s
	}
	for _, scheme := range []string{"http://", "https://"} {
		if strings.HasPrefix(s, scheme) {
			return scheme + "xxxxx" + s[i:]
		}
	}
	return "xxxxx" + s[i:]
}

// reachable replaces the host of a broker that advertises the address it is bound
// to (0.0.0.0 or ::) by the host that was dialed to hear of it.
func (e endpoint) reachable(via endpoint) endpoint {
	host, port, err := net.SplitHostPort(string(e))
	if err != nil {
		return e
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
		return e
	}
	viaHost, _, err := net.SplitHostPort(string(via))
	if err != nil {
		return e
	}
	return endpoint(net.JoinHostPort(viaHost, port))
}
