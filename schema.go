package connect

import (
	"context"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// Codec makes payloads of values, and checks payloads, by one definition of a schema.
// It is used concurrently. Packages with codecs are in the module
// github.com/danube-messaging/danube-connect-go/codecs, so that a connector has the
// dependencies of those only that it imports.
type Codec interface {
	// Encode makes a payload of the value of a [FromValue] record. An error is the
	// record's fault.
	Encode(v any) ([]byte, error)
	// Validate checks a payload before it is published, also one that Encode has made.
	// An error is the record's fault.
	Validate(payload []byte) error
}

// WithCodec gives a source the codec for schemas of a type. create is called for each
// topic that has such a schema, with its definition, when the topic is opened; an error
// ends the runtime.
//
// Without one, bytes, string and number are checked all the same, values become JSON
// under a json_schema and are refused under avro and protobuf, and payloads under these
// three go out unchecked, which is logged at the start.
func WithCodec[C Codec](t danube.SchemaType, create func(definition string) (C, error)) Option {
	return func(o *options) {
		if o.codecs == nil {
			o.codecs = make(map[danube.SchemaType]func(string) (Codec, error))
		}
		o.codecs[t] = func(definition string) (Codec, error) {
			c, err := create(definition)
			if err != nil {
				return nil, err // never a nil pointer in an interface
			}
			return c, nil
		}
	}
}

// SchemaRegistry is what a source with schemas needs of the registry. The methods do
// what those of [danube.Schemas] of the same names do.
type SchemaRegistry interface {
	// Register makes a definition a version of a subject, unless it is one already.
	Register(ctx context.Context, subject string, t danube.SchemaType, definition string, opts danube.RegisterOptions) (info danube.SchemaInfo, isNew bool, err error)
	// Latest returns the latest version of a subject.
	Latest(ctx context.Context, subject string) (danube.SchemaInfo, error)
	// Get returns one version of a schema.
	Get(ctx context.Context, id danube.SchemaID) (danube.SchemaInfo, error)
}

// SchemaClient is a [Client] that reaches the schema registry, which a source with
// schemas needs.
type SchemaClient interface {
	Client
	// Schemas returns the registry, the same one each time.
	Schemas() SchemaRegistry
}

// Schemas makes the client a SchemaClient.
func (d danubeClient) Schemas() SchemaRegistry { return d.c.Schemas() }
