package avro

import (
	"bytes"
	"strings"
	"testing"
)

const definition = `{"type":"record","name":"Order","fields":[{"name":"id","type":"long"},{"name":"note","type":["null","string"],"default":null}]}`

type order struct {
	ID   int64   `avro:"id"`
	Note *string `avro:"note"`
}

func codecs(t *testing.T) map[string]*Codec {
	bare, err := New(definition)
	if err != nil {
		t.Fatal(err)
	}
	container, err := NewContainer(definition)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*Codec{"bare": bare, "container": container}
}

func TestValuesBecomePayloadsThatFit(t *testing.T) {
	note := "größe"
	for name, c := range codecs(t) {
		for _, v := range []any{order{ID: 7}, &order{ID: -1, Note: &note}, map[string]any{"id": int64(7), "note": nil}} {
			payload, err := c.Encode(v)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := c.Validate(payload); err != nil {
				t.Errorf("%s: %v of %q", name, err, payload)
			}
			if bytes.HasPrefix(payload, []byte("Obj\x01")) != (name == "container") {
				t.Errorf("%s: %q", name, payload)
			}
		}
	}
	payload, err := codecs(t)["bare"].Encode(order{ID: 7})
	if err != nil || string(payload) != "\x0e\x00" {
		t.Errorf("got %q, %v: an id of 7 is the byte 14, no note is 0", payload, err)
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	for name, c := range codecs(t) {
		for _, v := range []any{nil, 7, "x", map[string]any{"id": "seven"}, struct{ X int }{1}, make(chan int)} {
			if payload, err := c.Encode(v); err == nil {
				t.Errorf("%s: %T became %q", name, v, payload)
			}
		}
		good, err := c.Encode(order{ID: 7})
		if err != nil {
			t.Fatal(err)
		}
		for what, payload := range map[string][]byte{
			"nothing": nil, "text": []byte("not avro"), "a part": good[:len(good)-1], "more": append(bytes.Clone(good), 1),
		} {
			if c.Validate(payload) == nil {
				t.Errorf("%s: %s passes", name, what)
			}
		}
	}
}

func TestAContainerOfAnotherSchemaIsRefused(t *testing.T) {
	other, err := NewContainer(`"long"`)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := other.Encode(int64(7))
	if err != nil {
		t.Fatal(err)
	}
	if err := codecs(t)["container"].Validate(payload); err == nil || !strings.Contains(err.Error(), "has the schema") {
		t.Errorf("got %v", err)
	}
}

func TestTwoVersionsOfOneName(t *testing.T) {
	if _, err := New(strings.Replace(definition, "note", "memo", 1)); err != nil {
		t.Error(err)
	}
	if c := codecs(t)["bare"]; c.schema.String() == "" || !strings.Contains(c.schema.String(), "note") {
		t.Errorf("got the schema %s", c.schema)
	}
}

func TestADefinitionThatIsNone(t *testing.T) {
	for _, text := range []string{"", "{", `{"type":"record"}`} {
		if _, err := New(text); err == nil {
			t.Errorf("%q passes", text)
		}
	}
}

func FuzzValidate(f *testing.F) {
	f.Add([]byte("\x0e\x00"))
	f.Add([]byte("Obj\x01"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, c := range codecs(t) {
			_ = c.Validate(payload) // an error or none, never a panic
		}
	})
}
