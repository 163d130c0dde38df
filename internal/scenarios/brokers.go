package scenarios

import (
	"errors"
	"fmt"
	"net/http"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
)

// Brokers are what a scenario runs on: embedded ones or real ones.
type Brokers interface {
	// Seeds and Admins are the addresses of all nodes, in order.
	Seeds() []string
	Admins() []string
	// DialOption is what a client needs to reach them.
	DialOption() grpc.DialOption
	// CA is the authority of the certificates of brokers for the need Secured, nil with
	// others.
	CA() []byte
	// Metrics are the addresses of their metrics, in order, and what fetches them.
	Metrics() ([]string, *http.Client)
	// Stop ends a node as a supervisor does, Kill with no warning. For a broker it is the
	// same: 0.15.1 does not listen to SIGTERM, so that it dies of it as it is, and what
	// it had not written is gone. The scenarios stop-before-the-flush and
	// kill-before-the-flush hold that.
	Stop(node int) error
	Kill(node int) error
	// Start starts a node again.
	Start(node int) error
	// Close ends all.
	Close()
}

// The limits of a broker for the need Limited.
const (
	maxProducers       = 2
	maxSubscriptions   = 2
	maxConsumers       = 3
	maxPerSubscription = 2
	maxPayload         = 1000
)

// smallCache is the cache for the need SmallCache.
const smallCache = 500

// Embedded starts brokers in this process.
func Embedded(needs Needs, opts ...danubetest.Option) (Brokers, error) {
	opts = append([]danubetest.Option{
		danubetest.WithBufconn(), danubetest.WithProfile(danubetest.Real), danubetest.WithBrokers(needs.Nodes()),
	}, opts...)
	switch needs {
	case Cluster, OwnCluster:
		opts = append(opts, danubetest.WithCache(20000))
	case SmallCache:
		opts = append(opts, danubetest.WithCache(smallCache))
	case Secured:
		opts = append(opts, securedEmbedded()...)
	case WideWindow:
		opts = append(opts, danubetest.WithMaxUnacked(10000))
	case Limited:
		opts = append(opts, danubetest.WithAutoCreateTopics(false), danubetest.WithMaxMessageSize(maxPayload),
			danubetest.WithLimits(danubetest.Limits{
				Producers: maxProducers, Subscriptions: maxSubscriptions, Consumers: maxConsumers, ConsumersPerSubscription: maxPerSubscription,
			}))
	}
	b, err := danubetest.New(opts...)
	if err != nil {
		return nil, err
	}
	return &embedded{b}, nil
}

type embedded struct{ *danubetest.Broker }

func (e *embedded) Seeds() []string { return e.URLs() }

// Admins are the same: all services are on one port.
func (e *embedded) Admins() []string    { return e.URLs() }
func (e *embedded) Kill(node int) error { return e.KillBroker(node + 1) }

// Stop is not that of danubetest, which is kinder than a broker: nothing is lost by it.
func (e *embedded) Stop(node int) error { return e.Kill(node) }

// CA is nil without TLS, since a certificate is nowhere then.
func (e *embedded) CA() []byte { return e.CertificatePEM() }

func (e *embedded) Metrics() ([]string, *http.Client) {
	return e.MetricsURLs(), &http.Client{Transport: e.MetricsTransport()}
}

func (e *embedded) Start(node int) error { return e.StartBroker(node + 1) }
func (e *embedded) Close()               { _ = e.Broker.Close() }

// Real are brokers that were started as processes.
func Real(c *realbroker.Cluster) Brokers { return real{c} }

type real struct{ *realbroker.Cluster }

func (r real) Seeds() []string { return r.URLs() }

func (r real) Admins() (list []string) {
	for _, n := range r.Nodes {
		list = append(list, n.Admin)
	}
	return list
}

func (r real) Metrics() (list []string, client *http.Client) {
	for _, n := range r.Nodes {
		list = append(list, n.Metrics)
	}
	return list, http.DefaultClient
}

func (r real) CA() []byte { return r.Cluster.CA }

func (r real) DialOption() grpc.DialOption { return grpc.EmptyDialOption{} }

func (r real) Stop(node int) error {
	r.Nodes[node].Stop()
	return nil
}

func (r real) Kill(node int) error {
	r.Nodes[node].Kill()
	return nil
}

func (r real) Start(node int) error { return r.Nodes[node].Start() }

// RealOptions are those of a real broker for a need.
func RealOptions(needs Needs, dir string) realbroker.Options {
	o := realbroker.Options{Dir: dir, Nodes: needs.Nodes()}
	switch needs {
	case WideWindow:
		o.Window = 10000
	case OwnSharedFS:
		o.SharedFS = true
	case SmallCache:
		o.Cache = smallCache
	case Secured:
		o.Security = securedReal()
	case Limited:
		o.NoAutoCreate = true
		o.Limits = realbroker.Limits{
			Producers: maxProducers, Subscriptions: maxSubscriptions, Consumers: maxConsumers,
			ConsumersPerSubscription: maxPerSubscription, MessageSize: maxPayload,
		}
	}
	return o
}

// Given is one broker that runs already, with its admin address where there is one.
func Given(url, admin string) Brokers { return given{url, admin} }

type given struct{ url, admin string }

func (g given) Seeds() []string { return []string{g.url} }

func (g given) Admins() []string {
	if g.admin == "" {
		return nil
	}
	return []string{g.admin}
}

// Metrics are nowhere: scenarios that look at them need brokers of their own.
func (g given) Metrics() ([]string, *http.Client) { return nil, nil }

func (g given) CA() []byte { return nil }

func (g given) DialOption() grpc.DialOption { return grpc.EmptyDialOption{} }

var errNotOurs = errors.New("this broker is not ours to stop")

func (g given) Stop(node int) error { return fmt.Errorf("node %d: %w", node, errNotOurs) }
func (g given) Kill(node int) error { return g.Stop(node) }

func (g given) Start(node int) error { return g.Stop(node) }
func (g given) Close()               {}
