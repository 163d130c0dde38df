package connect

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// policies tells what the brokers do with messages that are not acknowledged:
// [danube.Admin] does.
type policies interface {
	FailurePolicy(ctx context.Context, topic, subscription string) (danube.FailurePolicy, error)
}

// askTime is how long the start of a route waits for the answer of an admin port.
const askTime = 5 * time.Second

// openAdmin makes the admin ports known, where some are configured.
func (rt *SinkRuntime) openAdmin() (done func(), err error) {
	if rt.cfg.AdminURL == "" || rt.policies != nil {
		return func() {}, nil
	}
	d := rt.cfg.client(rt.log)
	cfg := danube.AdminConfig{Addresses: addresses(rt.cfg.AdminURL), Logger: rt.log, Timeout: askTime}
	if strings.HasPrefix(cfg.Addresses[0], "https:") { // in plain text there is nothing to send a token to
		cfg.TLS, cfg.Token = d.TLS, d.Token
	}
	admin, err := danube.OpenAdmin(cfg)
	if err != nil {
		return nil, InvalidConfigf("danube_admin_url: %w", err)
	}
	rt.policies = admin
	return func() { _ = admin.Close(context.Background()) }, nil // no call is under way
}

// maxAckTimeout is the longest that a configuration can have, 24 days: whoever wants none
// tells the broker any number, and some of those overflow when they are multiplied.
const maxAckTimeout = math.MaxInt32 * time.Millisecond

// ask learns what the broker does with what is not acknowledged. It stores that when
// the subscription's first consumer comes, so one must be there.
func (r *sinkRoute) askBroker(ctx context.Context) {
	if r.rt.policies == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	p, err := r.rt.policies.FailurePolicy(ctx, r.cfg.Topic, r.cfg.Subscription)
	if err != nil {
		if !errors.Is(ctx.Err(), context.Canceled) {
			r.rt.log.Warn("the broker does not tell its ack timeout; the configured one is counted with", "topic", r.cfg.Topic, "ack_timeout", r.ackTimeout(), "error", oneLine(err))
		}
		return
	}
	r.rt.log.Info("the broker's way with what is not acknowledged", "topic", r.cfg.Topic, "subscription", r.cfg.Subscription,
		"ack_timeout", p.AckTimeout, "redeliveries", max(p.MaxRedeliveries, 0))
	if p.AckTimeout < minAckTimeout {
		r.rt.log.Warn("the broker's ack timeout is so short that records may be delivered again while they are in work", "topic", r.cfg.Topic, "ack_timeout", p.AckTimeout)
	}
	r.timeout.Store(int64(min(max(p.AckTimeout, time.Second), maxAckTimeout)))
	// One that has been given back too often blocks the subscription, by default.
	r.maxDeliveries = min(nackDeliveries, max(p.MaxRedeliveries, 0)+1)
}

// ackTimeout is how long after a delivery the broker delivers a message again.
func (r *sinkRoute) ackTimeout() time.Duration { return time.Duration(r.timeout.Load()) }

// budget is how long after its delivery the retries of a record end.
func (r *sinkRoute) budget() time.Duration {
	t := r.ackTimeout()
	return max(t-retryMargin, t/2)
}
