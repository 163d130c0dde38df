package jsonschema

import (
	"strings"
	"testing"
)

const definition = `{"type":"object","properties":{"id":{"type":"integer"},"lines":{"type":"array","items":{"type":"object","required":["sku"]}}},"required":["id"]}`

func codec(t testing.TB) *Codec {
	c, err := New(definition)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEncode(t *testing.T) {
	payload, err := codec(t).Encode(map[string]any{"id": 7, "note": "a<b"})
	if err != nil || string(payload) != `{"id":7,"note":"a<b"}` {
		t.Errorf("got %s, %v", payload, err)
	}
	if _, err := codec(t).Encode(make(chan int)); err == nil {
		t.Error("a channel passes")
	}
}

func TestValidate(t *testing.T) {
	for payload, want := range map[string]string{
		`{"id":7}`:                           "",
		`{"id":12345678901234567890}`:        "", // a number larger than any of Go's
		`{"id":"x"}`:                         "at '/id': got string, want integer",
		`{}`:                                 "missing property 'id'",
		`{"id":1,"lines":[{},{"sku":1},{}]}`: "at '/lines/0': missing property 'sku'; at '/lines/2': missing property 'sku'",
		`{`:                                  "not JSON",
		`{"id":1} x`:                         "not JSON",
		``:                                   "not JSON",
	} {
		err := codec(t).Validate([]byte(payload))
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", payload, err, want)
		case err != nil && strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: %q has several lines", payload, err)
		}
	}
}

func TestADefinitionThatIsNone(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "not JSON",
		`{"type":7}`:                           "",
		`{"$ref":"file:///etc/hostname"}`:      "not followed",
		`{"$ref":"http://localhost:1/schema"}`: "not followed",
	} {
		if _, err := New(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzValidate(f *testing.F) {
	f.Add([]byte(`{"id":7}`))
	c := codec(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		_ = c.Validate(payload) // an error or none, never a panic
	})
}
