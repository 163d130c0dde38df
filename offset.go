package connect

import (
	"encoding/base64"
	"fmt"
	"strconv"
)

// Offset is a position in the system that a source reads. The runtime gives it to
// Commit once the record that carries it is safe in Danube, saves it, and gives it
// back to Resume at the next start. It never compares values: within a partition,
// order is the order in which the records were emitted.
//
// Offset is comparable. The zero Offset is no offset.
type Offset struct {
	// Partition names what is read on its own: a file, a table, a shard. It may be
	// empty in a source that reads only one. There is one position for each, which a
	// checkpoint keeps for good, so it must not be another one for each record.
	Partition string
	// Value is the position, in the source's own form. It must be valid UTF-8;
	// [OffsetBytes] is for the rest.
	Value string
}

// OffsetInt returns an Offset of a number, in decimal.
func OffsetInt(partition string, v int64) Offset {
	return Offset{Partition: partition, Value: strconv.FormatInt(v, 10)}
}

// OffsetBytes returns an Offset of any bytes, in base64. No bytes in the partition
// "" are no offset.
func OffsetBytes(partition string, b []byte) Offset {
	return Offset{Partition: partition, Value: base64.RawStdEncoding.EncodeToString(b)}
}

// Int returns the number of an [OffsetInt].
func (o Offset) Int() (int64, error) {
	v, err := strconv.ParseInt(o.Value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("offset %v: the value is not a whole number", o)
	}
	return v, nil
}

// Bytes returns the bytes of an [OffsetBytes].
func (o Offset) Bytes() ([]byte, error) {
	b, err := base64.RawStdEncoding.DecodeString(o.Value)
	if err != nil {
		return nil, fmt.Errorf("offset %v: the value is not base64: %w", o, err)
	}
	return b, nil
}

// IsZero reports whether o is no offset.
func (o Offset) IsZero() bool { return o == Offset{} }

// String returns "partition@value", or "none" for the zero Offset.
func (o Offset) String() string {
	if o.IsZero() {
		return "none"
	}
	return o.Partition + "@" + o.Value
}
