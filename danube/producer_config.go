package danube

import (
	"errors"
	"time"
)

// ProducerConfig describes a producer.
type ProducerConfig struct {
	// Topic is the topic, without a partition's suffix. Required.
	Topic string
	// Name is the producer's name; on a partitioned topic the partition's number is
	// added to it. It should be stable over restarts: the broker never forgets a
	// name while the topic is loaded. Required.
	Name string
	// Dispatch must be the topic's own; a topic that does not exist is created with
	// it. Default: Reliable.
	Dispatch Dispatch
	// Partitions is how many partitions the topic has, created where missing. 0 asks
	// the broker, and creates a topic without partitions where it knows none.
	Partitions int
	// Stamp adds the attribute AttrStamp to each message.
	Stamp bool
	// Schema is what the messages are written with; an Outgoing may name another. The
	// topic takes the subject of its first producer that names one. Default: none.
	Schema SchemaRef
	// MaxPending is how many messages one partition holds that are not answered for
	// yet; Send and SendAsync wait for room. One message is on its way at a time, so more
	// of them waiting make nothing faster, and the garbage collector has to look at them.
	// Default: 64.
	MaxPending int
	// MaxPendingBytes bounds the same by payload, key and attributes. One message always
	// fits.
	// Default: 16 MiB.
	MaxPendingBytes int
	// Growth says what to do with partitions that a topic gets later; with a fixed number
	// of Partitions nobody looks. Default: GrowNever.
	Growth Growth
	// PartitionRefresh is the time, spread by a fifth to either side, between two looks at
	// the partitions of a topic that has some. Default: 1 min; negative: never.
	PartitionRefresh time.Duration
	// OnPartitions, if set, hears when the brokers list other partitions than before, once
	// for each list, from a goroutine of its own; it must not block.
	OnPartitions func(PartitionsEvent)
	// OnSession, if set, hears of each change of a partition's session, from the
	// partition's own goroutine (while the partitions are not known yet, from that of
	// NewProducer); it must not block.
	OnSession func(SessionEvent)
}

func (c ProducerConfig) withDefaults() (ProducerConfig, error) {
	errs := []error{checkTopic(c.Topic), checkName("producer name", c.Name), c.Schema.check()}
	if c.Partitions < 0 {
		errs = append(errs, invalid("producer of %s: %d partitions", c.Topic, c.Partitions))
	}
	if c.MaxPending < 0 || c.MaxPendingBytes < 0 {
		errs = append(errs, invalid("producer of %s: MaxPending and MaxPendingBytes must not be negative", c.Topic))
	}
	if c.Growth < GrowNever || c.Growth > GrowAll {
		errs = append(errs, invalid("producer of %s: %v; want GrowNever, GrowUnkeyed or GrowAll", c.Topic, c.Growth))
	}
	if c.Growth != GrowNever && c.Partitions > 0 {
		errs = append(errs, invalid("producer of %s: Growth %v beside a fixed number of Partitions; leave one of them out", c.Topic, c.Growth))
	}
	setDefault(&c.PartitionRefresh, time.Minute)
	if c.MaxPending == 0 {
		c.MaxPending = 64
	}
	if c.MaxPendingBytes == 0 {
		c.MaxPendingBytes = 16 << 20
	}
	return c, errors.Join(errs...)
}
