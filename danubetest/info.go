package danubetest

import (
	"time"

	"google.golang.org/grpc/codes"
)

// TopicInfo is one topic on the wire.
type TopicInfo struct {
	Name     string
	Dispatch Dispatch
	// Published counts all messages; Kept those that can be looked at, which are fewer
	// only with [WithForgetAcked].
	Published, Kept int
	// Lost counts messages that a kill has lost, see [TrapUnflushed].
	Lost int
	// Bytes is the size of all payloads published.
	Bytes         uint64
	Subscriptions []string // in order of creation
	Producers     []string // sorted
	// Schema is what is demanded of its messages.
	Schema TopicSchema
}

// Message is one published message and what became of it.
type Message struct {
	Topic string // on the wire
	// Offset is the place in Topic. On NonReliable topics consumers do not see it.
	Offset uint64
	// Epoch counts the restarts of the numbering before it, see [TrapRenumber].
	Epoch       int
	Payload     []byte
	Attributes  map[string]string
	Key         string // routing key, empty when there is none
	Producer    string // name, as the message says
	ProducerID  uint64
	RequestID   uint64
	PublishTime time.Time // the producer's
	StoredAt    time.Time // the broker's
	// SchemaID and SchemaVersion are 0 when the message has none.
	SchemaID      uint64
	SchemaVersion uint32
	Deliveries    []Delivery
}

// Outcome is how a delivery ended.
type Outcome int

const (
	// InFlight deliveries have not ended.
	InFlight Outcome = iota
	// Acked ones were acknowledged.
	Acked
	// Nacked ones were refused by the consumer.
	Nacked
	// TimedOut ones were not acknowledged in time.
	TimedOut
	// Lost ones were unacknowledged when the consumer's stream ended or was taken over.
	Lost
	// Dropped ones were the last of a message that its failure policy gave up.
	Dropped
	// Sent is all that is known of deliveries on NonReliable topics.
	Sent
)

// String returns the outcome in lower case.
func (o Outcome) String() string {
	names := []string{"in flight", "acked", "nacked", "timed out", "lost", "dropped", "sent"}
	if o < 0 || int(o) >= len(names) {
		return "unknown"
	}
	return names[o]
}

// Delivery is one time that a message was handed to a consumer.
type Delivery struct {
	Subscription string
	Consumer     string
	At           time.Time
	// Attempt counts from 1 in each subscription, and again after a restart.
	Attempt int
	Outcome Outcome
	// Ended is when the outcome was known; zero before.
	Ended time.Time
	// NackReason and NackDelay are what a nack said.
	NackReason string
	NackDelay  time.Duration

	order uint64 // among all acks
}

// SubscriptionInfo is the state of a subscription. For the base name of a partitioned
// topic the counts are sums and Partitions has the parts.
type SubscriptionInfo struct {
	Topic string
	Name  string
	Type  SubscriptionType
	// Cursor is the highest offset with nothing unsettled at or below it, -1 before the
	// first; always -1 for several partitions.
	Cursor int64
	// Pending messages wait to be delivered: for the first time, or again, Retrying, or
	// never, Exhausted.
	Pending, Retrying, Exhausted int
	// InFlight messages await an acknowledgement.
	InFlight int
	// Acked counts messages, however often they were acknowledged.
	Acked int
	// Nacked counts nacks, TimedOut ack timeouts, Redelivered deliveries but the first.
	Nacked, TimedOut, Redelivered int
	// LateAcks counts acks and nacks that were answered OK and ignored.
	LateAcks int
	// Dropped counts messages given up: by policy, or on a NonReliable topic for want of
	// a reader.
	Dropped int
	// Skipped counts messages that were passed over, see [TrapTail].
	Skipped int
	// Parked is set while the subscription waits for the next message, or for room in a
	// consumer's channel, and does nothing else; see [TrapParked] and [TrapNoStream].
	Parked bool
	// Blocked is set when an exhausted message keeps new ones from being delivered.
	Blocked    bool
	Consumers  []ConsumerInfo     // in order of joining
	Partitions []SubscriptionInfo // by number
}

// ConsumerInfo is one name in a subscription.
type ConsumerInfo struct {
	ID           uint64
	Name         string
	Topic        string // on the wire
	Subscription string
	// Active is what HealthCheck says; Streaming whether a stream is open.
	Active, Streaming bool
	// InFlight messages await an acknowledgement from it.
	InFlight int
	// Delivered counts what was handed to it.
	Delivered int
}

// ProducerInfo is one name on a topic.
type ProducerInfo struct {
	ID    uint64
	Name  string
	Topic string // on the wire
	// Sent counts the messages that were stored.
	Sent int
}

// Stats are counts since the broker was made.
type Stats struct {
	// Calls counts answers by method and code.
	Calls map[Method]map[codes.Code]int
	// Published counts messages stored; Delivered what was handed to a stream, of which
	// Redelivered were not the first time.
	Published, Delivered, Redelivered int
	// Acked, Nacked, TimedOut, LateAcks and Dropped are as in [SubscriptionInfo].
	Acked, Nacked, TimedOut, LateAcks, Dropped int
}
