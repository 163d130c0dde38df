package danube

import "time"

// NoPartition is the partition number of a topic that is not partitioned.
const NoPartition int32 = -1

// Message is one message as a consumer receives it. It is immutable once
// delivered: the client never changes or reuses it, so it may be kept.
type Message struct {
	// Topic is the topic that the consumer was opened on, without a partition suffix.
	Topic string
	// WireTopic is the topic on the wire: Topic, or one of its partitions
	// (Topic + "-part-3").
	WireTopic string
	// Partition is the number in WireTopic, or NoPartition.
	Partition int32
	// Offset is the place in WireTopic that the broker gave the message. Numbering
	// starts at 0 and may start there again when the broker restarts: an offset alone
	// does not identify a message, see ID.
	Offset uint64
	// ProducerID is the broker's number for the producer, random over all of uint64.
	ProducerID uint64
	// ProducerName is the name that the producer chose.
	ProducerName string
	// RequestID is the number that the producer gave the message; this client keeps
	// it over all attempts to publish.
	RequestID uint64
	// BrokerAddr is the broker that took the message, as its producer saw it.
	BrokerAddr string
	// PublishTime is when the producer sent the message, by its own clock, to the
	// millisecond.
	PublishTime time.Time
	// Payload is the body, possibly empty.
	Payload []byte
	// Attributes are the producer's; nil when there are none.
	Attributes map[string]string
	// Key is the routing key, empty when the message has none.
	Key string
	// Schema names the schema that the payload was written with, if any.
	Schema *SchemaID
	// Subscription is the consumer's own subscription; deliveries do not carry it.
	Subscription string
}

// SchemaID identifies one version of a schema in the broker's registry: the id
// belongs to the subject, the version to the text.
type SchemaID struct {
	ID      uint64
	Version uint32
}

// ID identifies a message for good, also over a broker's restart, which numbers
// topics from 0 again. It is comparable.
type ID struct {
	Topic       string // on the wire
	Offset      uint64
	Producer    string
	PublishedMs int64
	RequestID   uint64
}

// ID returns the message's identity.
func (m *Message) ID() ID {
	return ID{m.WireTopic, m.Offset, m.ProducerName, m.PublishTime.UnixMilli(), m.RequestID}
}

// Outgoing is one message to publish. The client keeps Payload and Attributes
// until the send has ended; the caller must not change them meanwhile.
type Outgoing struct {
	Payload    []byte
	Attributes map[string]string
	// Key chooses the partition and is delivered as routing key; without one,
	// partitions take turns, but for those that hold MaxPending messages already.
	Key string
	// PublishTime defaults to now; the wire carries milliseconds.
	PublishTime time.Time
	// Origin, if set, is sent as the attribute x-connect-source: where the message comes
	// from, the same when it is published again after a crash.
	Origin string
	// Schema, if set, names the schema of this message in place of the producer's.
	Schema *SchemaID
}

// size is what a message counts in a queue that is bounded by bytes.
func (m *Outgoing) size() int {
	n := len(m.Payload) + len(m.Key) + len(m.Origin)
	for k, v := range m.Attributes {
		n += len(k) + len(v)
	}
	return n
}

// Receipt is what is known of a published message. The broker does not tell the
// offset it gave.
type Receipt struct {
	// Topic is the topic on the wire, with the partition's suffix.
	Topic string
	// Partition is where the message went, or NoPartition.
	Partition int32
	// RequestID is the message's number, the same over all attempts.
	RequestID uint64
	// Attempts counts the sends, 1 when the first went well.
	Attempts int
	// Ambiguous is set when an attempt before the last ended without an answer, so
	// that the message may be in the topic more than once.
	Ambiguous bool
}

const (
	// AttrStamp is the attribute of a stamp: producer/epoch/number. The epoch is another
	// each time that the producer is opened; the numbers of one producer and epoch are
	// contiguous on each topic on the wire, from 1. A number that is missing is a message
	// that was lost, one that comes twice a publish that was repeated. A StampTracker
	// looks for both.
	AttrStamp = "x-connect-stamp"
	// AttrSource is the attribute of an origin, see Outgoing.
	AttrSource = "x-connect-source"
)
