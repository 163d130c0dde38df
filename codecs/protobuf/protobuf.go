// Package protobuf has the codec of sources for Protobuf schemas:
//
//	connect.WithCodec(danube.SchemaProtobuf, protobuf.New)
package protobuf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Codec writes and checks payloads of one message type. It is safe for concurrent use.
type Codec struct {
	message protoreflect.MessageDescriptor
}

// New returns the codec of a definition, which is the text of a .proto file, for its
// first message. It may import the well-known types of Protobuf and nothing else.
func New(definition string) (*Codec, error) { return create(definition, "") }

// Message returns what New is, for one of several messages of a definition: its name,
// without the package.
func Message(name string) func(definition string) (*Codec, error) {
	return func(definition string) (*Codec, error) { return create(definition, name) }
}

func create(definition, name string) (*Codec, error) {
	const file = "schema.proto"
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(map[string]string{file: definition}),
	})}
	files, err := c.Compile(context.Background(), file)
	if err != nil {
		return nil, err
	}
	messages := files[0].Messages()
	if messages.Len() == 0 {
		return nil, errors.New("the definition has no message")
	}
	if name == "" {
		return &Codec{messages.Get(0)}, nil
	}
	m := messages.ByName(protoreflect.Name(name))
	if m == nil {
		return nil, fmt.Errorf("the definition has no message %s", name)
	}
	return &Codec{m}, nil
}

// Encode writes a value: a message of the type's full name, or anything else as the
// JSON form of Protobuf, such as a map with the fields' names.
func (c *Codec) Encode(v any) ([]byte, error) {
	if m, ok := v.(proto.Message); ok {
		if got, want := m.ProtoReflect().Descriptor().FullName(), c.message.FullName(); got != want {
			return nil, fmt.Errorf("a message %s, the schema is for %s", got, want)
		}
		return proto.MarshalOptions{Deterministic: true}.Marshal(m)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	m := dynamicpb.NewMessage(c.message)
	if err := protojson.Unmarshal(text, m); err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// Validate reads a payload as the message, and wants no field that the schema lacks.
func (c *Codec) Validate(payload []byte) error {
	m := dynamicpb.NewMessage(c.message)
	if err := proto.Unmarshal(payload, m); err != nil {
		return err
	}
	return known(m)
}

// known finds fields without a name, in a message and in those inside.
func known(m protoreflect.Message) (err error) {
	if len(m.GetUnknown()) > 0 {
		return fmt.Errorf("the payload has fields that %s lacks", m.Descriptor().FullName())
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
			if f.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool {
					err = known(e.Message())
					return err == nil
				})
			}
		case f.Message() == nil:
		case f.IsList():
			for i := 0; err == nil && i < v.List().Len(); i++ {
				err = known(v.List().Get(i).Message())
			}
		default:
			err = known(v.Message())
		}
		return err == nil
	})
	return err
}
