package pb_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// Another Danube client in the same program registers the same names; ours must
// stay out of the global registry, or that program panics at start.
func TestNothingIsRegisteredGlobally(t *testing.T) {
	for _, m := range []proto.Message{&danubepb.StreamMessage{}, &schemapb.GetSchemaRequest{}, &adminpb.TopicRequest{}} {
		name := m.ProtoReflect().Descriptor().FullName()
		if _, err := protoregistry.GlobalFiles.FindDescriptorByName(name); err == nil {
			t.Errorf("%s is in the global file registry", name)
		}
		if _, err := protoregistry.GlobalTypes.FindMessageByName(name); err == nil {
			t.Errorf("%s is in the global type registry", name)
		}
	}
}

// Field numbers that are easy to get wrong because the wire skips some.
func TestFieldNumbers(t *testing.T) {
	for _, c := range []struct {
		m     proto.Message
		field protoreflect.Name
		want  protoreflect.FieldNumber
	}{
		{&danubepb.MsgID{}, "topic_offset", 5},
		{&danubepb.TopicLookupResponse{}, "request_id", 3},
		{&danubepb.TopicLookupResponse{}, "connect_url", 5},
		{&danubepb.StreamMessage{}, "routing_key", 10},
		{&danubepb.ConsumerRequest{}, "key_filters", 6},
		{&danubepb.ProducerRequest{}, "dispatch_strategy", 6},
		{&schemapb.GetSchemaResponse{}, "compatibility_mode", 11},
		{&adminpb.SubscriptionFailurePolicy{}, "poison_policy", 7},
	} {
		d := c.m.ProtoReflect().Descriptor()
		f := d.Fields().ByName(c.field)
		if f == nil || f.Number() != c.want {
			t.Errorf("%s.%s: got %v, want number %d", d.FullName(), c.field, f, c.want)
		}
	}
}
