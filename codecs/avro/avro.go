// Package avro has the codecs of sources for Avro schemas:
//
//	connect.WithCodec(danube.SchemaAvro, avro.New)
package avro

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/ocf"
)

// maxBytes bounds a text or bytes field; a message of Danube has at most 4 MiB.
const maxBytes = 8 << 20

// Codec writes and checks payloads of one Avro schema. It is safe for concurrent use.
type Codec struct {
	schema    avro.Schema
	api       avro.API
	container bool
}

// New returns a codec for bare values, Avro's binary encoding without the schema:
// readers find the schema by the id that the message carries. A broker that checks
// payloads (danube.TopicSchema.ValidatePayload) refuses them; see NewContainer.
func New(definition string) (*Codec, error) { return create(definition, false) }

// NewContainer returns a codec for object container files of one value each, which
// hold the schema: larger, and what a broker that checks payloads wants.
func NewContainer(definition string) (*Codec, error) { return create(definition, true) }

func create(definition string, container bool) (*Codec, error) {
	// A cache of its own: two versions of a schema have the same names.
	schema, err := avro.ParseWithCache(definition, "", &avro.SchemaCache{})
	if err != nil {
		return nil, err
	}
	api := avro.Config{MaxByteSliceSize: maxBytes}.Freeze()
	return &Codec{schema: schema, api: api, container: container}, nil
}

// Encode writes a value: structs by their tags "avro", maps with texts as keys, numbers,
// texts, slices.
func (c *Codec) Encode(v any) ([]byte, error) {
	if !c.container {
		return c.api.Marshal(c.schema, v)
	}
	var b bytes.Buffer
	enc, err := ocf.NewEncoderWithSchema(c.schema, &b, ocf.WithEncodingConfig(c.api))
	if err != nil {
		return nil, err
	}
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Validate reads a payload as a whole, and wants nothing behind it.
func (c *Codec) Validate(payload []byte) error {
	if c.container {
		return c.validateContainer(payload)
	}
	r := avro.NewReader(bytes.NewReader(payload), 512, avro.WithReaderConfig(c.api))
	r.ReadNext(c.schema)
	if r.Error != nil {
		if errors.Is(r.Error, io.EOF) {
			return errors.New("the payload is too short for the schema")
		}
		return r.Error
	}
	if r.Peek(); r.Error == nil {
		return errors.New("there are bytes behind the value")
	}
	return nil
}

func (c *Codec) validateContainer(payload []byte) error {
	dec, err := ocf.NewDecoder(bytes.NewReader(payload), ocf.WithDecoderConfig(c.api), ocf.WithDecoderSchemaCache(&avro.SchemaCache{}))
	if err != nil {
		return err
	}
	defer dec.Close()
	if dec.Schema().Fingerprint() != c.schema.Fingerprint() {
		return fmt.Errorf("the container has the schema %s", dec.Schema())
	}
	n := 0
	for ; dec.HasNext(); n++ {
		var v any
		if err := dec.Decode(&v); err != nil {
			return err
		}
	}
	if n == 0 && dec.Error() == nil {
		return errors.New("the container has no value")
	}
	return dec.Error()
}
