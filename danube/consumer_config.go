package danube

import (
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// SubscriptionType is how the consumers of a subscription share its messages. The
// first consumer of a subscription fixes it; the broker lets later ones join
// whatever they ask for.
type SubscriptionType int

const (
	// Exclusive subscriptions have one consumer. Its name owns the subscription for
	// as long as the topic stays loaded: another name is refused, even when the first
	// is gone, so the name must be stable.
	Exclusive SubscriptionType = iota
	// Shared subscriptions hand each message to the next of their consumers. What one
	// of them hands back on a topic that has gone quiet, the others may not get before
	// the next publish: the broker stops serving a subscription whose newest message
	// was acknowledged while an older one, of whichever consumer, was not.
	Shared
	// Failover subscriptions hand all messages to the consumer that was first; no
	// other follows it when it leaves (seen on 0.15.1).
	Failover
	// KeyShared subscriptions hand all messages of one key to one consumer. A backlog
	// comes at about two messages a second. A consumer that is away for 3 s loses what
	// it had in flight, and its name never receives again (all seen on 0.15.1): so each
	// one that is opened, and each session after more than 2 s without, has a name of
	// its own, Name with a suffix.
	KeyShared
)

func (t SubscriptionType) String() string {
	return t.wire().String()
}

func (t SubscriptionType) wire() danubepb.ConsumerRequest_SubscriptionType {
	return danubepb.ConsumerRequest_SubscriptionType(t)
}

// ConsumerConfig describes a consumer.
type ConsumerConfig struct {
	// Topic is the topic, without a partition's suffix. All its partitions are
	// consumed. Required.
	Topic string
	// Subscription is the subscription's name. A new subscription starts with the
	// messages that are published after it: there is no earlier start. Required.
	Subscription string
	// Name is the consumer's name. A second consumer of the same name in the same
	// subscription takes the first one's place at once: with Exclusive that is how to
	// deploy, with Shared names must differ. Required.
	Name string
	// Type is the subscription's type. Default: Exclusive.
	Type SubscriptionType
	// KeyFilters are for KeyShared alone: this consumer gets only the messages whose key
	// matches one of them, byte by byte, with * for any bytes and ? for one; the key of a
	// message without one is its producer's name. A consumer without filters gets any key.
	// A message that no filter of the subscription's consumers lets through is skipped for
	// good and comes to nobody (seen on 0.15.1), so between them they must have every key,
	// also while one of them is away. Default: all keys.
	KeyFilters []string
	// CreateTopic creates a topic that does not exist, as a reliable one without
	// partitions. By default the consumer waits until somebody else has made it.
	CreateTopic bool
	// Handler, if set, gets each message as it comes, and Receive is not used. It is
	// called from the goroutine that reads the partition's stream, so one at a time
	// and in order per partition, concurrently over partitions. It must return soon
	// and must not wait for an ack: a stream that is not read stops, in the end, all
	// publishers of its topic.
	Handler func(*Message)
	// MaxQueued and MaxQueuedBytes bound what waits for Receive over all partitions;
	// reading stops where either is reached. Defaults: 10240 and 32 MiB.
	MaxQueued, MaxQueuedBytes int
	// AcksInFlight is how many acks of one partition are out at once. The broker has
	// no cumulative ack, and with one at a time a consumer that does no work at all
	// loses messages on a busy topic. Default: 10.
	AcksInFlight int
	// OnSession, if set, hears of each change of a partition's session, from the
	// partition's own goroutine (while the partitions are not known yet, from that of
	// NewConsumer); it must not block.
	OnSession func(SessionEvent)
	// Stamps, if set, checks the stamps of messages that a Producer with Stamp has
	// published: OnAnomaly hears of StampGap, StampGapFilled and StampRepeated. Exclusive
	// and Failover only: other types hand a part of the numbers to others.
	Stamps *StampTracker
	// PartitionRefresh is the time, spread by a fifth to either side, between two looks
	// whether a partitioned topic has got more partitions; those are consumed as well. A
	// new subscription starts with what is published after it, so what was published to a
	// new partition before it was noticed does not come. Default: 1 min; negative: never.
	PartitionRefresh time.Duration
	// OnPartitions, if set, hears when the brokers list other partitions than before, once
	// for each list, from a goroutine of its own; it must not block.
	OnPartitions func(PartitionsEvent)
	// OnAnomaly, if set, hears of losses that the client can see, before the message
	// that shows them is handed out, from the goroutine that reads the partition's
	// stream; of those that stamps show from the one that calls Receive, if there is no
	// Handler; and of stalls, from the one that reads the brokers' metrics. Of one
	// partition they come one at a time, and none comes once Close has returned; it must
	// not block.
	OnAnomaly func(Anomaly)
}

func (c ConsumerConfig) withDefaults() (ConsumerConfig, error) {
	errs := []error{checkTopic(c.Topic), checkName("subscription", c.Subscription), checkName("consumer name", c.Name)}
	if c.Type < Exclusive || c.Type > KeyShared {
		errs = append(errs, invalid("subscription type %d", int(c.Type)))
	}
	if c.Stamps != nil && c.Type != Exclusive && c.Type != Failover {
		errs = append(errs, invalid("consumer of %s: Stamps with a subscription of type %v, of which each consumer gets a part of the numbers; want Exclusive", c.Topic, c.Type))
	}
	if len(c.KeyFilters) > 0 && c.Type != KeyShared {
		errs = append(errs, invalid("consumer of %s: KeyFilters on a subscription of type %v, where the broker ignores them; they are for KeyShared", c.Topic, c.Type))
	}
	for _, f := range c.KeyFilters {
		if f == "" || !utf8.ValidString(f) {
			errs = append(errs, invalid("consumer of %s: key filter %q; want a key, with * and ? for parts of it, in UTF-8", c.Topic, f))
		}
	}
	c.KeyFilters = slices.Clone(c.KeyFilters)
	if c.MaxQueued < 0 || c.MaxQueuedBytes < 0 || c.AcksInFlight < 0 {
		errs = append(errs, invalid("consumer of %s: MaxQueued, MaxQueuedBytes and AcksInFlight must not be negative", c.Topic))
	}
	if c.MaxQueued == 0 {
		c.MaxQueued = 10240
	}
	if c.MaxQueuedBytes == 0 {
		c.MaxQueuedBytes = 32 << 20
	}
	if c.AcksInFlight == 0 {
		c.AcksInFlight = 10
	}
	setDefault(&c.PartitionRefresh, time.Minute)
	return c, errors.Join(errs...)
}
