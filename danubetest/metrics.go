package danubetest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// WithMetrics makes each broker tell its metrics over HTTP, as the real one does for
// Prometheus: the first at addr, host:port, the others, when the port is not 0, at the
// ports after it. [Broker.MetricsURL] has the address.
//
// Without it, and in memory, there are [Broker.MetricsHandler] and
// [Broker.MetricsTransport].
func WithMetrics(addr string) Option {
	return func(c *config) error {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("metrics: address %q: want host:port", addr)
		}
		c.metricsAddr = addr
		return nil
	}
}

// metricsServer serves the metrics of one broker.
type metricsServer struct {
	srv  *http.Server
	addr string
	done chan struct{}
}

func (b *Broker) serveMetrics() error {
	if b.cfg.metricsAddr == "" {
		return nil
	}
	for _, n := range b.core.nodes {
		addr, err := nthAddr(b.cfg.metricsAddr, n.id-1)
		if err != nil {
			return fmt.Errorf("danubetest: metrics: %w", err)
		}
		lis, err := net.Listen("tcp", addr)
		if err != nil {
			return fmt.Errorf("danubetest: metrics: %w", err)
		}
		m := &metricsServer{&http.Server{Handler: b.MetricsHandler(n.id)}, lis.Addr().String(), make(chan struct{})}
		b.metrics = append(b.metrics, m)
		go func() {
			defer close(m.done)
			m.srv.Serve(lis) // ends with the server
		}()
	}
	return nil
}

func (b *Broker) closeMetrics() {
	for _, m := range b.metrics {
		m.srv.Close()
		<-m.done
	}
}

// metricsAddr is where the admin service says that a broker's metrics are, empty when
// they are nowhere.
func (b *Broker) metricsAddr(n *node) string {
	switch {
	case len(b.metrics) > 0:
		return b.metrics[n.id-1].addr
	case b.cfg.bufconn:
		host, _, _ := strings.Cut(memoryHost(n.id), ":")
		return host + ":9040"
	}
	return ""
}

// MetricsURLs returns the addresses of the brokers' metrics, such as
// http://127.0.0.1:40123/metrics, in the order of the brokers. There are none without
// [WithMetrics], but for those in memory, to which [Broker.MetricsTransport] leads.
func (b *Broker) MetricsURLs() (urls []string) {
	for _, n := range b.core.nodes {
		if addr := b.metricsAddr(n); addr != "" {
			urls = append(urls, "http://"+addr+"/metrics")
		}
	}
	return urls
}

// MetricsURL returns the first of [Broker.MetricsURLs], or nothing.
func (b *Broker) MetricsURL() string {
	if urls := b.MetricsURLs(); len(urls) > 0 {
		return urls[0]
	}
	return ""
}

// MetricsTransport is for an [http.Client] that reaches [Broker.MetricsURLs]
// without a network, as a bubble of testing/synctest needs it. A broker that is
// down cannot be reached.
func (b *Broker) MetricsTransport() http.RoundTripper { return metricsTransport{b} }

type metricsTransport struct{ b *Broker }

func (t metricsTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	for _, n := range t.b.core.nodes {
		if addr := t.b.metricsAddr(n); addr == "" || r.URL.Host != addr {
			continue
		}
		text, ok := t.b.metricsText(n.id)
		if !ok {
			return nil, fmt.Errorf("danubetest: dial %s: connection refused", r.URL.Host)
		}
		return &http.Response{
			Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header:        http.Header{"Content-Type": {"text/plain"}},
			ContentLength: int64(len(text)), Body: io.NopCloser(strings.NewReader(text)), Request: r,
		}, nil
	}
	return nil, fmt.Errorf("danubetest: dial %s: no such host", r.URL.Host)
}

// MetricsHandler tells the metrics of a broker, whatever the path, in the text format
// of Prometheus. Brokers count from 1. While the broker is down, or has never been, its
// connections break.
//
// The names and labels are the real broker's; it has more of them, see UNSUPPORTED.md.
// Three things about danube_subscription_lag_messages{topic,subscription} that its name
// does not say, all seen on a broker 0.15.1:
//
//   - It is the distance from the end of the topic back to the highest offset with
//     everything before it acked since the broker loaded the topic. Before the first ack
//     after that it is 0, however much waits: also after a restart, and after a move. A
//     message that was skipped keeps it up for ever.
//   - It is set at heartbeats, every 500 ms, while the subscription has a consumer,
//     with a stream or without. A dispatcher that is parked, or waits for a consumer that
//     does not read, leaves it as it was. Here it is right when somebody looks, except in
//     the latter case.
//   - Nothing removes it. When the subscription or the topic is deleted, or the topic
//     moves to another broker, it says for ever what it said last, until the broker
//     restarts.
//
// danube_subscription_pending_redelivery and danube_subscription_terminal_blocked are
// numbers of messages, though their help says 0 or 1. KeyShared subscriptions do not have them,
// and count nacks, redeliveries and timeouts without labels.
func (b *Broker) MetricsHandler(broker int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text, ok := b.metricsText(broker)
		if !ok {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, text)
	})
}

func (b *Broker) metricsText(broker int) (text string, ok bool) {
	select {
	case <-b.gone:
		return "", false
	default:
	}
	b.do(func(c *core) {
		if broker >= 1 && broker <= len(c.nodes) && c.nodes[broker-1].alive {
			text, ok = c.metrics(c.nodes[broker-1]), true
		}
	})
	return text, ok
}
