package danube

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

// Backoff is how the broker spaces the deliveries of one message.
type Backoff int

const (
	// Exponential doubles the delay with each delivery.
	Exponential Backoff = iota
	// Fixed keeps it.
	Fixed
)

// PoisonPolicy is what the broker does with a message that was delivered too often.
type PoisonPolicy int

const (
	// Block stops the whole subscription, for KeyShared the message's key, until the
	// topic is loaded again.
	Block PoisonPolicy = iota
	// DeadLetter publishes it to the dead letter topic, without its key, its schema
	// and its publish time, and goes on.
	DeadLetter
	// Drop goes on.
	Drop
)

// NoRedelivery as MaxRedeliveries makes the first nack or timeout the last.
const NoRedelivery = -1

// FailurePolicy is what the broker does with messages of a reliable subscription
// that are not acknowledged. The zero value of each field means the broker's own
// default, where the broker would take zero for zero.
type FailurePolicy struct {
	// MaxRedeliveries is how often a message comes again after its first delivery, by
	// nack or timeout; that a consumer came back counts as well. Default: 5.
	MaxRedeliveries int
	// AckTimeout is how long a consumer may take. Default: 30 s.
	AckTimeout time.Duration
	// BaseDelay is the wait before the first redelivery. Default: 1 s.
	BaseDelay time.Duration
	// MaxDelay bounds that wait, also one that a nack asks for. Default: 60 s, or
	// BaseDelay where that is more.
	MaxDelay time.Duration
	// Backoff is how the wait grows. Default: Exponential.
	Backoff Backoff
	// Poison is what follows the last delivery. Default: Block.
	Poison PoisonPolicy
	// DeadLetterTopic is where DeadLetter publishes; required with it, and only then.
	// Somebody must subscribe to it before the first dead letter, which a new
	// subscription does not see.
	DeadLetterTopic string
}

func (p FailurePolicy) withDefaults() FailurePolicy {
	if p.MaxRedeliveries == 0 {
		p.MaxRedeliveries = 5
	}
	setDefault(&p.AckTimeout, 30*time.Second)
	setDefault(&p.BaseDelay, time.Second)
	setDefault(&p.MaxDelay, max(time.Minute, p.BaseDelay))
	return p
}

// check refuses what the broker would take and then do something unwanted with.
func (p FailurePolicy) check(topic string) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, invalid("failure policy: "+format, args...)) }
	if p.MaxRedeliveries < NoRedelivery || p.MaxRedeliveries > math.MaxInt32 {
		bad("MaxRedeliveries is %d; want 1 or more, 0 for the default, or NoRedelivery", p.MaxRedeliveries)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"AckTimeout", p.AckTimeout}, {"BaseDelay", p.BaseDelay}, {"MaxDelay", p.MaxDelay}} {
		if d.value < time.Millisecond {
			bad("%s is %v; want 1 ms or more, or 0 for the default", d.name, d.value)
		}
	}
	if p.MaxDelay < p.BaseDelay {
		bad("MaxDelay %v is less than BaseDelay %v", p.MaxDelay, p.BaseDelay)
	}
	if p.Backoff != Exponential && p.Backoff != Fixed {
		bad("unknown Backoff %d", p.Backoff)
	}
	switch {
	case p.Poison != Block && p.Poison != DeadLetter && p.Poison != Drop:
		bad("unknown Poison %d", p.Poison)
	case p.Poison == DeadLetter && p.DeadLetterTopic == "":
		bad("DeadLetter needs a DeadLetterTopic")
	case p.Poison != DeadLetter && p.DeadLetterTopic != "":
		bad("DeadLetterTopic %s is without effect unless Poison is DeadLetter", p.DeadLetterTopic)
	case p.Poison == DeadLetter:
		dead := p.DeadLetterTopic
		if err := checkTopic(dead); err != nil {
			errs = append(errs, err)
		}
		base, _, _ := strings.Cut(topic, partitionInfix)
		if strings.HasPrefix(dead, base) || strings.HasPrefix(base, dead) {
			bad("the names of DeadLetterTopic %s and topic %s begin with one another, which the broker takes for partitions of one topic; turn it around, such as dlq_NAME", dead, base)
		}
	}
	return errors.Join(errs...)
}

func (p FailurePolicy) wire() *adminpb.SubscriptionFailurePolicy {
	w := &adminpb.SubscriptionFailurePolicy{
		MaxRedeliveryCount:    uint32(max(p.MaxRedeliveries, 0)),
		AckTimeoutMs:          uint64(p.AckTimeout.Milliseconds()),
		BaseRedeliveryDelayMs: uint64(p.BaseDelay.Milliseconds()),
		MaxRedeliveryDelayMs:  uint64(p.MaxDelay.Milliseconds()),
		BackoffStrategy:       adminpb.SubscriptionBackoffStrategy_Exponential,
		PoisonPolicy:          adminpb.SubscriptionPoisonPolicy_Block,
	}
	if p.Backoff == Fixed {
		w.BackoffStrategy = adminpb.SubscriptionBackoffStrategy_Fixed
	}
	switch p.Poison {
	case DeadLetter:
		w.PoisonPolicy, w.DeadLetterTopic = adminpb.SubscriptionPoisonPolicy_DeadLetter, &p.DeadLetterTopic
	case Drop:
		w.PoisonPolicy = adminpb.SubscriptionPoisonPolicy_Drop
	}
	return w
}

func failurePolicy(w *adminpb.SubscriptionFailurePolicy) FailurePolicy {
	p := FailurePolicy{
		MaxRedeliveries: int(min(w.GetMaxRedeliveryCount(), math.MaxInt32)),
		AckTimeout:      milliseconds(w.GetAckTimeoutMs()),
		BaseDelay:       milliseconds(w.GetBaseRedeliveryDelayMs()),
		MaxDelay:        milliseconds(w.GetMaxRedeliveryDelayMs()),
		DeadLetterTopic: w.GetDeadLetterTopic(),
	}
	if p.MaxRedeliveries == 0 {
		p.MaxRedeliveries = NoRedelivery
	}
	if w.GetBackoffStrategy() == adminpb.SubscriptionBackoffStrategy_Fixed {
		p.Backoff = Fixed
	}
	switch w.GetPoisonPolicy() {
	case adminpb.SubscriptionPoisonPolicy_DeadLetter:
		p.Poison = DeadLetter
	case adminpb.SubscriptionPoisonPolicy_Drop:
		p.Poison = Drop
	}
	return p
}

// milliseconds is a duration from the wire, where any number may stand.
func milliseconds(n uint64) time.Duration {
	return time.Duration(min(n, math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond
}

// SetFailurePolicy stores the policy of a subscription, which need not exist yet, on
// all partitions. A subscription takes it up when it begins on a broker: at its first
// consumer, and again when the topic is loaded again. So set it before the first
// consumer comes; one that runs goes on with what it began with, and may store that
// again over the new one.
//
// Errors: ErrNotFound for the topic, ErrConflict for one that is not reliable,
// ErrInvalid.
func (a *Admin) SetFailurePolicy(ctx context.Context, topic, subscription string, policy FailurePolicy) error {
	const op = "set failure policy of"
	policy = policy.withDefaults()
	if err := errors.Join(checkTopic(topic), checkName("subscription", subscription), policy.check(topic)); err != nil {
		return err
	}
	wire, err := a.onWire(ctx, op, topic)
	if err != nil {
		return err
	}
	for _, name := range wire {
		err := a.call(ctx, op, name, func(ctx context.Context, conn *grpc.ClientConn) error {
			resp, err := adminpb.NewTopicAdminClient(conn).SetSubscriptionFailurePolicy(ctx, &adminpb.SetSubscriptionFailurePolicyRequest{
				Topic: name, Subscription: subscription, FailurePolicy: policy.wire(),
			})
			return succeeded(resp.GetSuccess(), err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// FailurePolicy returns the policy that is stored for a subscription, on a
// partitioned topic that of its first partition. ErrNotFound: there is no such topic,
// or nothing is stored, as before the first consumer.
func (a *Admin) FailurePolicy(ctx context.Context, topic, subscription string) (FailurePolicy, error) {
	const op = "get failure policy of"
	if err := errors.Join(checkTopic(topic), checkName("subscription", subscription)); err != nil {
		return FailurePolicy{}, err
	}
	wire, err := a.onWire(ctx, op, topic)
	if err != nil {
		return FailurePolicy{}, err
	}
	var resp *adminpb.GetSubscriptionFailurePolicyResponse
	err = a.call(ctx, op, wire[0], func(ctx context.Context, conn *grpc.ClientConn) (err error) {
		resp, err = adminpb.NewTopicAdminClient(conn).GetSubscriptionFailurePolicy(ctx, &adminpb.GetSubscriptionFailurePolicyRequest{
			Topic: wire[0], Subscription: subscription,
		})
		return err
	})
	if err != nil {
		return FailurePolicy{}, err
	}
	if resp.GetFailurePolicy() == nil {
		return FailurePolicy{}, adminError(op, wire[0], ErrNotFound, "nothing is stored for subscription %s", subscription)
	}
	return failurePolicy(resp.GetFailurePolicy()), nil
}
