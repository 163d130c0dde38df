package danube

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// Client is a connection to a Danube cluster. It is safe for concurrent use.
type Client struct {
	cfg    Config
	log    *slog.Logger
	seeds  []endpoint
	router router

	security security
	schemas  Schemas
	lookout  *lookout
	ackers   ackWorkers
	opened   time.Time
	sessions atomic.Int64 // registrations whose health is checked

	mu       sync.Mutex
	conns    map[endpoint]*grpc.ClientConn
	open     map[closer]struct{}
	closed   bool
	progress map[subscriptionKey]*progress
}

// closer is a producer or a consumer of this client.
type closer interface {
	Close(ctx context.Context) error
}

// Open checks the configuration and returns a client. It dials nothing yet, so a
// cluster that is not there shows when a producer or a consumer is opened.
func Open(cfg Config) (*Client, error) { return open(cfg, "the seeds") }

func open(cfg Config, what string) (*Client, error) {
	cfg, seeds, err := cfg.withDefaults()
	security, securityErr := newSecurity(cfg, what)
	if err := errors.Join(err, securityErr); err != nil {
		return nil, err
	}
	c := &Client{
		cfg:   cfg,
		log:   cfg.Logger,
		seeds: seeds, security: security,
		opened: time.Now(),
		conns:  make(map[endpoint]*grpc.ClientConn),
		open:   make(map[closer]struct{}),
	}
	c.router.client, c.schemas.client = c, c
	c.lookout = newLookout(c, cfg.Metrics)
	return c, nil
}

// Close closes what was opened with the client, producers first flushing and
// consumers first sending the acks that they can, and then the connections. When
// ctx ends it stops waiting, closes the rest at once, and says what was left. No
// goroutine of the client is left when it returns. Closing twice is fine.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	var open []closer
	for o := range c.open {
		open = append(open, o)
	}
	c.mu.Unlock()

	errs := make([]error, len(open)+1)
	var wg sync.WaitGroup
	for i, o := range open {
		wg.Go(func() { errs[i] = o.Close(ctx) })
	}
	wg.Wait()
	c.ackers.close()

	c.mu.Lock()
	conns := c.conns
	c.conns = nil
	c.mu.Unlock()
	for _, conn := range conns {
		if err := conn.Close(); err != nil {
			errs[len(open)] = err
		}
	}
	return errors.Join(errs...)
}

// register keeps o to be closed with the client.
func (c *Client) register(o closer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return &Error{Op: "open", Reason: ErrClosed}
	}
	c.open[o] = struct{}{}
	return nil
}

func (c *Client) forget(o closer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, o)
}

// Ping asks the seeds, in turn, for a sign of life: nil when one of them answered
// anything at all.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.router.lookup(ctx, "/default/ping")
	if errors.Is(err, errUnknownTopic) {
		return nil
	}
	return err
}

// Dispatch is how a topic treats messages that its consumers have not acknowledged.
type Dispatch int

const (
	// Reliable topics keep messages until each subscription has acknowledged them.
	Reliable Dispatch = iota
	// NonReliable topics hand messages to the consumers that are there and forget
	// them; a consumer that is more than about eight messages behind misses some.
	NonReliable
)

func (d Dispatch) wire() danubepb.DispatchStrategy {
	if d == NonReliable {
		return danubepb.DispatchStrategy_NonReliable
	}
	return danubepb.DispatchStrategy_Reliable
}

// A dead connection must be noticed, and a subscription made anew, well before the
// broker's ack timeout of 30 s. A subscription that arrives while the dispatcher sends
// ten unacknowledged messages again, to a stream that it has just lost, blocks the topic
// for consumers and publishers until its broker restarts (seen on 0.15.1).
const (
	keepaliveTime    = 10 * time.Second // the least that gRPC allows
	keepaliveTimeout = 8 * time.Second
)

// maxReceive is well above anything a broker delivers: a message over the limit of
// the client would break the stream at every redelivery.
const maxReceive = 64 << 20

// conn returns the connection to an endpoint, one for all topics there. It does
// not wait for it to be up.
func (c *Client) conn(e endpoint) (*grpc.ClientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns == nil {
		return nil, &Error{Op: "dial", Broker: string(e), Reason: ErrClosed}
	}
	if conn, ok := c.conns[e]; ok {
		return conn, nil
	}
	opts := []grpc.DialOption{
		grpc.WithDisableRetry(), // this client retries, and knows what may be
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReceive)),
		grpc.WithInitialWindowSize(1 << 20),
		grpc.WithInitialConnWindowSize(8 << 20),
		// The broker never notices a client that is gone without a word, nor does the
		// client notice such a broker, unless it asks.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithUserAgent("danube-connect-go"),
	}
	opts = append(append(opts, c.security.opts...), c.cfg.DialOptions...)
	if h := c.cfg.Hooks.StatsHandler; h != nil {
		opts = append(opts, grpc.WithStatsHandler(h))
	}
	conn, err := grpc.NewClient("passthrough:///"+string(e), opts...)
	if err != nil {
		return nil, &Error{Op: "dial", Broker: string(e), Reason: ErrInvalid, Err: err}
	}
	c.conns[e] = conn
	return conn, nil
}

func (c *Client) backoff() *retry.Backoff {
	return retry.New(c.cfg.BackoffInitial, c.cfg.BackoffMax)
}
