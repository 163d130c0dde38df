// Package schema reads the schemas that the registry of a Danube broker keeps, compares
// their versions and checks payloads against them.
//
// It is as strict, and as lax, as a broker 0.15.1, whose texts it uses. What it leaves
// out is in UNSUPPORTED.md of package danubetest.
package schema

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Kind is what a schema is written in.
type Kind int

// The kinds.
const (
	Bytes Kind = iota
	String
	Number
	Avro
	JSON
	Protobuf
)

// String returns the name that the registry answers with.
func (k Kind) String() string {
	return [...]string{"bytes", "string", "number", "avro", "json_schema", "protobuf"}[k]
}

// kindOf reads the name of a kind, or another that the broker knows it by.
func kindOf(name string) (Kind, bool) {
	switch strings.ToLower(name) {
	case "bytes":
		return Bytes, true
	case "string":
		return String, true
	case "number", "int64", "int", "float", "double":
		return Number, true
	case "avro":
		return Avro, true
	case "json_schema", "json":
		return JSON, true
	case "protobuf", "proto":
		return Protobuf, true
	}
	return 0, false
}

// ErrPanics is where the broker's handler panics, and its client sees a stream reset.
var ErrPanics = errors.New("the broker panics")

// text is an error in the broker's own words, which begin with a capital.
type text string

func (t text) Error() string { return string(t) }

func textf(format string, args ...any) error { return text(fmt.Sprintf(format, args...)) }

// Definition is one version of a schema.
type Definition struct {
	Kind Kind
	// Text is what was registered, empty for kinds that need no text.
	Text string
	// Fingerprint is equal for texts that say the same.
	Fingerprint string

	avro *avroType
	json any // of JSON: the text, decoded
}

// Parse reads a definition. Errors are the broker's texts, or ErrPanics.
func Parse(kind string, definition []byte) (*Definition, error) {
	k, ok := kindOf(kind)
	if !ok {
		return nil, textf("Unknown schema type: %s", kind)
	}
	d := &Definition{Kind: k, Text: string(definition)}
	if k >= Avro && !utf8.Valid(definition) {
		names := map[Kind]string{Avro: "Avro", JSON: "JSON", Protobuf: "Protobuf"}
		return nil, textf("Invalid UTF-8 in %s schema", names[k])
	}
	var err error
	switch k {
	case Avro:
		var canonical string
		if d.avro, canonical, err = parseAvro(definition); err != nil {
			return nil, err
		}
		d.Fingerprint = fingerprint(canonical)
	case JSON:
		var canonical string
		if d.json, canonical, err = parseJSON(definition); err != nil {
			return nil, err
		}
		d.Fingerprint = fingerprint(canonical)
	case Protobuf:
		d.Fingerprint = fingerprint(d.Text)
	default:
		d.Text, d.Fingerprint = "", k.String()
	}
	return d, nil
}

func fingerprint(canonical string) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(canonical)))
}

// Wrapped is the definition as the registry answers with it: JSON that says what it
// is around the text.
func (d *Definition) Wrapped() []byte {
	def, sum := quote(d.Text), quote(d.Fingerprint)
	switch d.Kind {
	case Avro:
		return []byte(`{"Avro":{"raw_schema":` + def + `,"fingerprint":` + sum + `}}`)
	case JSON:
		return []byte(`{"JsonSchema":{"raw_schema":` + def + `,"fingerprint":` + sum + `}}`)
	case Protobuf:
		return []byte(`{"Protobuf":{"raw_proto":` + def + `,"message_name":"DefaultMessage","fingerprint":` + sum + `}}`)
	}
	return []byte([...]string{`"Bytes"`, `"String"`, `"Number"`}[d.Kind])
}

// Check checks a payload. Errors are the broker's texts, or ErrPanics.
func (d *Definition) Check(payload []byte) error {
	switch d.Kind {
	case String:
		if !utf8.Valid(payload) {
			return text("Invalid UTF-8 string")
		}
	case Number:
		if len(payload) != 4 && len(payload) != 8 {
			return textf("Invalid number: expected 4 or 8 bytes, got %d", len(payload))
		}
	case Avro:
		if err := d.avro.checkFile(payload); err != nil {
			return textf("Avro validation failed: %v", err)
		}
	case JSON:
		return checkJSON(d.json, payload)
	case Protobuf:
		return ErrPanics
	}
	return nil
}
