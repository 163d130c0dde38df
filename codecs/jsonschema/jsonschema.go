// Package jsonschema has the codec of sources for JSON Schema:
//
//	connect.WithCodec(danube.SchemaJSON, jsonschema.New)
package jsonschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Codec writes and checks JSON of one schema. It is safe for concurrent use.
type Codec struct {
	schema *jsonschema.Schema
}

// New returns the codec of a definition, by default of the draft 2020-12. References to
// other documents are refused, and formats are not checked, as brokers do.
func New(definition string) (*Codec, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(definition))
	if err != nil {
		return nil, fmt.Errorf("the definition is not JSON: %w", err)
	}
	const name = "danube:///schema"
	c := jsonschema.NewCompiler()
	c.UseLoader(nothing{})
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	schema, err := c.Compile(name)
	if err != nil {
		return nil, err
	}
	return &Codec{schema}, nil
}

// nothing loads nothing: a definition must not read files or reach into a network.
type nothing struct{}

func (nothing) Load(string) (any, error) {
	return nil, errors.New("references to other documents are not followed")
}

// Encode writes a value as [json.Marshal] does, except that <, > and & stay as they are.
func (*Codec) Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Validate checks a payload. Its error is one line that names each place.
func (c *Codec) Validate(payload []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("the payload is not JSON: %w", err)
	}
	err = c.schema.Validate(v)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return errors.New(strings.Join(places(invalid), "; "))
	}
	return err
}

// places lists what is wrong where, the innermost causes.
func places(e *jsonschema.ValidationError) (list []string) {
	if len(e.Causes) == 0 {
		// The first line only repeats the schema's name.
		lines := strings.Split(e.Error(), "\n")
		return []string{strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "- ")}
	}
	for _, c := range e.Causes {
		list = append(list, places(c)...)
	}
	return list
}
