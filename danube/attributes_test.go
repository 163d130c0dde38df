package danube

import (
	"maps"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// What is sent as unknown fields must be read as attributes.
func TestAttributesOnTheWire(t *testing.T) {
	for _, want := range []map[string]string{
		nil,
		{"a": "1"},
		{"": ""},
		{"a": "", "": "1", "ключ": "значение"},
		{"long": strings.Repeat("x", 1<<20), strings.Repeat("k", 300): "v"},
	} {
		var out danubepb.StreamMessage
		out.Payload = []byte("p")
		var wire []byte
		for k, v := range want {
			wire = appendAttribute(wire, k, v)
		}
		out.ProtoReflect().SetUnknown(wire)
		data, err := proto.Marshal(&out)
		if err != nil {
			t.Fatal(err)
		}
		var in danubepb.StreamMessage
		if err := proto.Unmarshal(data, &in); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(in.GetAttributes(), want) || string(in.GetPayload()) != "p" || len(in.ProtoReflect().GetUnknown()) > 0 {
			t.Errorf("%.50v came back as %.50v", want, in.GetAttributes())
		}
		if n := proto.Size(&out); n != len(data) {
			t.Errorf("size %d, want %d", n, len(data))
		}
	}
}

func TestAttributesField(t *testing.T) {
	d := (&danubepb.StreamMessage{}).ProtoReflect().Descriptor().Fields().ByName("attributes")
	if d.Number() != attributesField {
		t.Errorf("attributes is field %d, want %d", d.Number(), attributesField)
	}
}
