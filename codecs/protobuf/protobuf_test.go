package protobuf

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

const definition = `syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Order {
  int64 id = 1;
  repeated Line lines = 2;
  map<string, Line> by_sku = 3;
  google.protobuf.Timestamp at = 4;
  Line first = 5;
}
message Line { string sku = 1; }
`

func codec(t testing.TB, create func(string) (*Codec, error)) *Codec {
	c, err := create(definition)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestValuesBecomePayloadsThatFit(t *testing.T) {
	c := codec(t, New)
	payload, err := c.Encode(map[string]any{"id": 7, "lines": []any{map[string]any{"sku": "a"}}, "at": "2026-01-02T03:04:05Z"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "\x08\x07\x12\x03\x0a\x01a\x22\x06\x08"; !strings.HasPrefix(string(payload), want) {
		t.Errorf("got %q, want it to begin with %q", payload, want)
	}
	if err := c.Validate(payload); err != nil {
		t.Error(err)
	}
	line := codec(t, Message("Line"))
	if payload, err := line.Encode(struct {
		SKU string `json:"sku"`
	}{"b"}); err != nil || string(payload) != "\x0a\x01b" {
		t.Errorf("got %q, %v", payload, err)
	}
}

func TestMessagesOfGeneratedCode(t *testing.T) {
	if _, err := codec(t, New).Encode(timestamppb.New(time.Unix(1, 0))); err == nil || !strings.Contains(err.Error(), "google.protobuf.Timestamp") {
		t.Errorf("got %v, want that it is another message", err)
	}
	c, err := New("syntax = \"proto3\";\npackage google.protobuf;\nmessage Timestamp { int64 seconds = 1; int32 nanos = 2; }")
	if err != nil {
		t.Fatal(err)
	}
	payload, err := c.Encode(timestamppb.New(time.Unix(1, 0)))
	if err != nil || string(payload) != "\x08\x01" {
		t.Errorf("got %q, %v", payload, err)
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	c := codec(t, New)
	for _, v := range []any{7, "x", map[string]any{"nope": 1}, map[string]any{"id": "seven"}, make(chan int)} {
		if payload, err := c.Encode(v); err == nil {
			t.Errorf("%T became %q", v, payload)
		}
	}
	for what, payload := range map[string]string{
		"text":                         "not protobuf",
		"half a field":                 "\x08",
		"an unknown field":             "\x78\x01",
		"one in a list":                "\x12\x02\x78\x01",
		"one in a map":                 "\x1a\x07\x0a\x01a\x12\x02\x78\x01",
		"one in a message":             "\x2a\x02\x78\x01",
		"another type under the field": "\x0a\x01a",
	} {
		if c.Validate([]byte(payload)) == nil {
			t.Errorf("%s passes", what)
		}
	}
	if err := c.Validate(nil); err != nil {
		t.Errorf("a message without any field: %v", err)
	}
}

func TestADefinitionThatIsNone(t *testing.T) {
	for text, want := range map[string]string{
		"":          "no message",
		"message {": "syntax error",
		`syntax = "proto3"; import "other.proto"; message A {}`: "other.proto",
	} {
		if _, err := New(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := Message("None")(definition); err == nil || !strings.Contains(err.Error(), "no message None") {
		t.Errorf("got %v", err)
	}
}

func FuzzValidate(f *testing.F) {
	f.Add([]byte("\x08\x07"))
	c := codec(f, New)
	f.Fuzz(func(t *testing.T, payload []byte) {
		_ = c.Validate(payload) // an error or none, never a panic
	})
}
