package connect

import (
	"crypto/sha256"
	"fmt"
	"strconv"
)

// RecordID identifies a record for good. It is comparable, so it can be a map's
// key. The offset alone does not identify: a broker that restarts may number a
// topic from 0 again.
type RecordID struct {
	// Topic is the topic as configured, without a partition's suffix.
	Topic string
	// Partition is the number of the partition, -1 for a topic without partitions.
	Partition int32
	// Offset is the place in the partition.
	Offset uint64
	// Producer is the producer's name.
	Producer string
	// PublishedMs is the publish time in milliseconds since 1970.
	PublishedMs uint64
	// RequestID is the number that the producer gave the message.
	RequestID uint64
	// Index is the number of the record in its message, 0 where a message is a
	// record.
	Index uint32
}

// String returns the place for people: "/default/orders[3]@42", without the
// bracket for a topic that has no partitions and with "#7" for record 7 of a
// message.
func (id RecordID) String() string {
	b := make([]byte, 0, len(id.Topic)+40)
	b = append(b, id.Topic...)
	if id.Partition >= 0 {
		b = append(b, '[')
		b = strconv.AppendInt(b, int64(id.Partition), 10)
		b = append(b, ']')
	}
	b = append(b, '@')
	b = strconv.AppendUint(b, id.Offset, 10)
	if id.Index > 0 {
		b = append(b, '#')
		b = strconv.AppendUint(b, uint64(id.Index), 10)
	}
	return string(b)
}

// IdempotencyKey returns a text that is equal for two deliveries of one record and
// different for different records, also over restarts of the broker: use it as
// the primary key or the deduplication token in the external system. A message
// that its producer published twice is two records.
func (id RecordID) IdempotencyKey() string {
	// The producer's name may hold any character, so it comes last.
	return fmt.Sprintf("%s[%d]@%d#%d/%d/%d/%s",
		id.Topic, id.Partition, id.Offset, id.Index, id.PublishedMs, id.RequestID, id.Producer)
}

// UUID returns the idempotency key as a UUID (version 8, of its SHA-256), for
// systems whose keys are UUIDs.
func (id RecordID) UUID() string {
	h := sha256.Sum256([]byte(id.IdempotencyKey()))
	h[6] = h[6]&0x0f | 0x80
	h[8] = h[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
