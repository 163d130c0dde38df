package connect

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// SinkRecord is one record on its way to the external system. It is immutable and
// belongs to no pool: keep it as long as you like and read it from any goroutine,
// but change neither the payload nor the attributes, which all readers share.
//
// The runtime makes records; tests make them with [NewTestRecord] or
// [NewSinkRecord]. The zero value is not usable.
type SinkRecord struct {
	msg   *danube.Message
	index uint32
}

// NewSinkRecord returns the record of a message, which must not change any more.
func NewSinkRecord(m *danube.Message) *SinkRecord {
	if m == nil {
		m = &danube.Message{Partition: danube.NoPartition}
	}
	r := new(SinkRecord)
	r.init(m, 0)
	return r
}

// NewTestRecord returns a record for a connector's unit tests. The functions fill
// in what matters to the test:
//
//	rec := connect.NewTestRecord("/default/orders", []byte(`{"id":1}`), func(m *danube.Message) {
//		m.Key, m.Offset = "customer-1", 42
//	})
//
// Without them the record has offset 0, no partition, no key, no attributes, the
// producer "test" and the publish time 2026-01-01 00:00:00 UTC. Two records made
// alike have the same identity: give them offsets where that matters.
func NewTestRecord(topic string, payload []byte, fill ...func(*danube.Message)) *SinkRecord {
	m := &danube.Message{
		Topic:        topic,
		Partition:    danube.NoPartition,
		ProducerName: "test",
		PublishTime:  time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Payload:      payload,
		Subscription: "test",
	}
	for _, f := range fill {
		f(m)
	}
	if m.WireTopic == "" {
		m.WireTopic = m.Topic
		if m.Partition >= 0 {
			m.WireTopic = fmt.Sprintf("%s-part-%d", m.Topic, m.Partition)
		}
	}
	return NewSinkRecord(m)
}

// init makes r the record number index of m, for structs that hold a SinkRecord
// by value.
func (r *SinkRecord) init(m *danube.Message, index uint32) {
	r.msg, r.index = m, index
}

// Topic returns the topic as configured, without a partition's suffix.
func (r *SinkRecord) Topic() string { return r.msg.Topic }

// Partition returns the number of the topic's partition, or [danube.NoPartition].
func (r *SinkRecord) Partition() int32 { return r.msg.Partition }

// Offset returns the place in the partition. The broker may number a topic from 0
// again when it restarts: to recognise a record use [SinkRecord.ID].
func (r *SinkRecord) Offset() uint64 { return r.msg.Offset }

// ID returns the identity of the record.
func (r *SinkRecord) ID() RecordID {
	m := r.msg
	return RecordID{
		Topic:       m.Topic,
		Partition:   m.Partition,
		Offset:      m.Offset,
		Producer:    m.ProducerName,
		PublishedMs: uint64(max(m.PublishTime.UnixMilli(), 0)),
		RequestID:   m.RequestID,
		Index:       r.index,
	}
}

// MessageID returns the broker's name for the message, in the form of the Rust
// crate: "topic:/default/orders-part-3/producer:17/offset:42". It is not unique
// over a restart of the broker; [RecordID.IdempotencyKey] is.
func (r *SinkRecord) MessageID() string {
	return fmt.Sprintf("topic:%s/producer:%d/offset:%d", r.msg.WireTopic, r.msg.ProducerID, r.msg.Offset)
}

// Payload returns the body as it was published. It is shared: do not change it.
func (r *SinkRecord) Payload() []byte { return r.msg.Payload }

// PayloadSize returns the number of bytes in the body.
func (r *SinkRecord) PayloadSize() int { return len(r.msg.Payload) }

// PayloadString returns the body as text. An error is [KindInvalidData]: the body
// is not UTF-8.
func (r *SinkRecord) PayloadString() (string, error) {
	if !utf8.Valid(r.msg.Payload) {
		return "", InvalidDataf("record %v: payload is not UTF-8", r.ID())
	}
	return string(r.msg.Payload), nil
}

// Decode reads the body as JSON into the pointer v, as [json.Unmarshal] does. An
// error names the record and is [KindInvalidData], or [KindFatal] when v is no
// pointer. Numbers are exact in typed fields and in [json.Number]; in an `any`
// they become float64.
func (r *SinkRecord) Decode(v any) error {
	err := json.Unmarshal(r.msg.Payload, v)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("record %v: payload as JSON: %w", r.ID(), err)
	var target *json.InvalidUnmarshalError
	if errors.As(err, &target) {
		return Fatal(err)
	}
	return InvalidData(err)
}

// JSON reads the body of r as a JSON text of type T; errors are those of
// [SinkRecord.Decode].
func JSON[T any](r *SinkRecord) (T, error) {
	var v T
	err := r.Decode(&v)
	return v, err
}

// Int64 returns a body of 8 bytes as a big-endian integer, the form of
// [FromInt64]. Any other size is [KindInvalidData].
func (r *SinkRecord) Int64() (int64, error) {
	if len(r.msg.Payload) != 8 {
		return 0, InvalidDataf("record %v: payload of %d bytes is not a 64-bit integer of 8", r.ID(), len(r.msg.Payload))
	}
	return int64(binary.BigEndian.Uint64(r.msg.Payload)), nil
}

// Base64 returns the body in standard base64 with padding, for systems that take
// text only.
func (r *SinkRecord) Base64() string { return base64.StdEncoding.EncodeToString(r.msg.Payload) }

// Attributes returns the producer's attributes, nil when there are none. The map
// is shared: do not change it.
func (r *SinkRecord) Attributes() map[string]string { return r.msg.Attributes }

// Attribute returns one attribute and whether it is there.
func (r *SinkRecord) Attribute(key string) (string, bool) {
	v, ok := r.msg.Attributes[key]
	return v, ok
}

// HasAttribute reports whether the attribute is there, possibly empty.
func (r *SinkRecord) HasAttribute(key string) bool {
	_, ok := r.msg.Attributes[key]
	return ok
}

// Key returns the routing key, empty when the producer gave none.
func (r *SinkRecord) Key() string { return r.msg.Key }

// PublishTime returns when the producer sent the message, by the producer's
// clock, to the millisecond.
func (r *SinkRecord) PublishTime() time.Time { return r.msg.PublishTime }

// ProducerName returns the name of the producer.
func (r *SinkRecord) ProducerName() string { return r.msg.ProducerName }

// Subscription returns the subscription that the record came through.
func (r *SinkRecord) Subscription() string { return r.msg.Subscription }

// BrokerAddr returns the broker that took the message, as its producer saw it.
func (r *SinkRecord) BrokerAddr() string { return r.msg.BrokerAddr }

// Schema returns the schema that the body was written with and whether the
// message names one.
func (r *SinkRecord) Schema() (danube.SchemaID, bool) {
	if r.msg.Schema == nil {
		return danube.SchemaID{}, false
	}
	return *r.msg.Schema, true
}

// String returns the identity, without the body.
func (r *SinkRecord) String() string { return r.ID().String() }

// LogValue makes a record loggable: where it is and how large, never its body, key
// or attributes.
func (r *SinkRecord) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("topic", r.msg.Topic)}
	if r.msg.Partition >= 0 {
		attrs = append(attrs, slog.Int("partition", int(r.msg.Partition)))
	}
	attrs = append(attrs, slog.Uint64("offset", r.msg.Offset))
	if r.index > 0 {
		attrs = append(attrs, slog.Uint64("index", uint64(r.index)))
	}
	return slog.GroupValue(append(attrs,
		slog.String("producer", r.msg.ProducerName),
		slog.Time("published", r.msg.PublishTime),
		slog.Int("size", len(r.msg.Payload)))...)
}
