package utils

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// SerializationError is the error of all conversions in this package. Returned
// from a connector, it counts as invalid data: the record is at fault, no retry
// helps.
type SerializationError struct {
	// Op is the conversion, as in "encode JSON" or "decode UTF-8".
	Op string
	// Err is the cause.
	Err error
}

// Error returns the conversion and the cause.
func (e *SerializationError) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause, such as a [*json.SyntaxError].
func (e *SerializationError) Unwrap() error { return e.Err }

// JSONBytes returns v as JSON on one line, with the rules of [json.Marshal] except
// that <, > and & stay as they are.
func JSONBytes(v any) ([]byte, error) { return encode(v, "") }

// JSONBytesPretty is [JSONBytes] on several lines, indented by two spaces.
func JSONBytesPretty(v any) ([]byte, error) { return encode(v, "  ") }

// JSONString is [JSONBytes] as a string.
func JSONString(v any) (string, error) {
	b, err := encode(v, "")
	return string(b), err
}

// JSONFromBytes reads b, which must be one JSON text and nothing after it, as a T.
func JSONFromBytes[T any](b []byte) (T, error) {
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		var zero T
		return zero, &SerializationError{"decode JSON", err}
	}
	return v, nil
}

// JSONFromString is [JSONFromBytes] of a string.
func JSONFromString[T any](s string) (T, error) { return JSONFromBytes[T]([]byte(s)) }

// StringFromBytes returns b as a string. It must be UTF-8; the error tells where
// it stops being so.
func StringFromBytes(b []byte) (string, error) {
	if utf8.Valid(b) {
		return string(b), nil
	}
	at := 0
	for {
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n == 1 { // U+FFFD itself has three bytes
			break
		}
		at += n
	}
	return "", &SerializationError{"decode UTF-8", fmt.Errorf("invalid byte 0x%02x at %d", b[at], at)}
}

func encode(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return nil, &SerializationError{"encode JSON", err}
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
