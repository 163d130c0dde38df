package connect

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"unicode/utf8"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// The codecs of the types that have no definition, and what stands in where no codec is
// given.

type bytesCodec struct{}

func (bytesCodec) Encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case string:
		return []byte(v), nil
	}
	return nil, fmt.Errorf("the schema's type is bytes, which takes []byte and string, not %T", v)
}

func (bytesCodec) Validate([]byte) error { return nil }

type stringCodec struct{}

func (stringCodec) Encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return []byte(v), nil
	case []byte:
		return v, nil
	}
	return nil, fmt.Errorf("the schema's type is string, which takes string and []byte, not %T", v)
}

func (stringCodec) Validate(payload []byte) error {
	if !utf8.Valid(payload) {
		return errors.New("the text is not UTF-8")
	}
	return nil
}

// numberCodec writes 8 bytes, big-endian, as FromInt64 does, and 4 for 32 bits.
type numberCodec struct{}

func (numberCodec) Encode(v any) ([]byte, error) {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int64:
		return binary.BigEndian.AppendUint64(nil, uint64(r.Int())), nil
	case reflect.Int32:
		return binary.BigEndian.AppendUint32(nil, uint32(r.Int())), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint64:
		if r.Uint() > math.MaxInt64 {
			return nil, fmt.Errorf("%d is more than a number of 64 bits with a sign can be", r.Uint())
		}
		return binary.BigEndian.AppendUint64(nil, r.Uint()), nil
	case reflect.Float64:
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(r.Float())), nil
	case reflect.Float32:
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(r.Float()))), nil
	}
	return nil, fmt.Errorf("the schema's type is number, which takes numbers, not %T", v)
}

func (numberCodec) Validate(payload []byte) error {
	if n := len(payload); n != 4 && n != 8 {
		return fmt.Errorf("a number has 4 or 8 bytes, not %d", n)
	}
	return nil
}

// plainJSON is for a json_schema without a codec: it checks that there is JSON, and
// nothing of the schema.
type plainJSON struct{}

func (plainJSON) Encode(v any) ([]byte, error) { return jsonPayload(v) }

func (plainJSON) Validate(payload []byte) error {
	if !json.Valid(payload) {
		return errors.New("the payload is not JSON")
	}
	return nil
}

// noCodec takes ready payloads only.
type noCodec struct{ t danube.SchemaType }

func (c noCodec) Encode(v any) ([]byte, error) {
	return nil, fmt.Errorf("a value of type %T needs a codec for %s: give the runtime one with WithCodec, or make the payload yourself", v, c.t)
}

func (noCodec) Validate([]byte) error { return nil }
