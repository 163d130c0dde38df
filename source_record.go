package connect

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"time"
	"unicode/utf8"
)

// SourceRecord is one record on its way to Danube. From the moment it is returned
// from Poll or given to an Emitter it belongs to the runtime: change neither it
// nor what it points to.
type SourceRecord struct {
	// Topic is where the record goes, "/namespace/name". Empty is the connector's
	// configured topic.
	Topic string
	// Payload is the body. It goes on the wire byte for byte.
	Payload []byte
	// Value is turned into the body when the record is published, where Payload is nil:
	// by the codec of the topic's schema, else as JSON. What cannot be turned into one
	// goes by on_error, and no other record with it.
	Value any
	// Attributes travel beside the body; names that start with "x-connect-" are
	// the runtime's.
	Attributes map[string]string
	// Key is the routing key. Records of one key go to one partition and stay in
	// order; without a key, partitions take turns, but for those that have no room.
	Key string
	// Offset is where the external system continues after this record, for Commit
	// and Resume. Records that are made of one row may share it, when they come from
	// one Poll. The zero Offset is none: the record belongs to the next that has one.
	Offset Offset
	// PublishTime goes with the message, to the millisecond. Zero is the time of
	// sending.
	PublishTime time.Time

	progress bool
}

// NewRecord returns a record of any bytes.
func NewRecord(topic string, payload []byte) *SourceRecord {
	return &SourceRecord{Topic: topic, Payload: payload}
}

// FromString returns a record of a text: its bytes, without quotes.
func FromString(topic, text string) *SourceRecord {
	return NewRecord(topic, []byte(text))
}

// FromJSON returns a record of v as JSON text, with the rules of [json.Marshal]
// except that <, > and & stay as they are. An error is [KindInvalidData].
func FromJSON(topic string, v any) (*SourceRecord, error) {
	payload, err := jsonPayload(v)
	if err != nil {
		return nil, InvalidDataf("record for %s: %w", topic, err)
	}
	return NewRecord(topic, payload), nil
}

func jsonPayload(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("payload as JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// FromValue returns a record of a value that the runtime makes a body of, see
// [SourceRecord.Value].
func FromValue(topic string, v any) *SourceRecord {
	return &SourceRecord{Topic: topic, Value: v}
}

// FromNumber returns a record of a JSON number, which is decimal text: "42",
// "0.5", "1e+21". NaN and the infinities are no JSON: [KindInvalidData].
func FromNumber[T ~int | ~int8 | ~int16 | ~int32 | ~int64 |
	~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64](topic string, n T) (*SourceRecord, error) {
	// By kind, so that a MarshalJSON of T does not make it something else.
	switch v := reflect.ValueOf(n); v.Kind() {
	case reflect.Float32:
		return FromJSON(topic, float32(v.Float()))
	case reflect.Float64:
		return FromJSON(topic, v.Float())
	default:
		if v.CanUint() {
			return FromJSON(topic, v.Uint())
		}
		return FromJSON(topic, v.Int())
	}
}

// FromInt64 returns a record of 8 bytes, big-endian, which [SinkRecord.Int64]
// reads.
func FromInt64(topic string, n int64) *SourceRecord {
	return NewRecord(topic, binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// Progress returns a record that publishes nothing and advances Commit to o, in
// its turn: for rows that a source reads and filters out, so that they are not
// read again after a restart.
func Progress(o Offset) *SourceRecord {
	return &SourceRecord{Offset: o, progress: true}
}

// IsProgress reports whether r comes from [Progress].
func (r *SourceRecord) IsProgress() bool { return r.progress }

// WithAttribute sets one attribute and returns r.
func (r *SourceRecord) WithAttribute(key, value string) *SourceRecord {
	if r.Attributes == nil {
		r.Attributes = make(map[string]string)
	}
	r.Attributes[key] = value
	return r
}

// WithAttributes adds the attributes, over those of the same name, and returns r.
// It copies: the map stays the caller's.
func (r *SourceRecord) WithAttributes(attributes map[string]string) *SourceRecord {
	if r.Attributes == nil && len(attributes) > 0 {
		r.Attributes = make(map[string]string, len(attributes))
	}
	maps.Copy(r.Attributes, attributes)
	return r
}

// WithKey sets the routing key and returns r.
func (r *SourceRecord) WithKey(key string) *SourceRecord {
	r.Key = key
	return r
}

// WithOffset sets the offset and returns r.
func (r *SourceRecord) WithOffset(o Offset) *SourceRecord {
	r.Offset = o
	return r
}

// WithPublishTime sets the publish time and returns r.
func (r *SourceRecord) WithPublishTime(t time.Time) *SourceRecord {
	r.PublishTime = t
	return r
}

// Size returns the number of bytes in the body.
func (r *SourceRecord) Size() int { return len(r.Payload) }

// PayloadString returns the body as text. An error is [KindInvalidData]: the body
// is not UTF-8.
func (r *SourceRecord) PayloadString() (string, error) {
	if !utf8.Valid(r.Payload) {
		return "", InvalidDataf("record for %s: payload is not UTF-8", r.Topic)
	}
	return string(r.Payload), nil
}

// String returns where the record comes from and goes to, without the body.
func (r *SourceRecord) String() string {
	if r.progress {
		return "progress to " + r.Offset.String()
	}
	topic := or(r.Topic, "the configured topic")
	if r.Payload == nil && r.Value != nil {
		return fmt.Sprintf("record for %s, offset %v, a %T", topic, r.Offset, r.Value)
	}
	return fmt.Sprintf("record for %s, offset %v, %d bytes", topic, r.Offset, len(r.Payload))
}

// LogValue makes a record loggable: where it goes, where it comes from and how
// large it is, never its body, key or attributes.
func (r *SourceRecord) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, 3)
	if r.Topic != "" {
		attrs = append(attrs, slog.String("topic", r.Topic))
	}
	if !r.Offset.IsZero() {
		attrs = append(attrs, slog.String("offset", r.Offset.String()))
	}
	if r.progress {
		return slog.GroupValue(append(attrs, slog.Bool("progress", true))...)
	}
	if r.Payload == nil && r.Value != nil {
		return slog.GroupValue(append(attrs, slog.String("value", fmt.Sprintf("%T", r.Value)))...)
	}
	return slog.GroupValue(append(attrs, slog.Int("size", len(r.Payload)))...)
}
