package utils

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
)

type order struct {
	ID   int64  `json:"id"`
	Note string `json:"note,omitempty"`
}

func TestJSON(t *testing.T) {
	o := order{9007199254740993, "<&>é"}
	const compact = `{"id":9007199254740993,"note":"<&>é"}`
	b, err := JSONBytes(o)
	if string(b) != compact || err != nil {
		t.Errorf("got %s, %v", b, err)
	}
	s, err := JSONString(o)
	if s != compact || err != nil {
		t.Errorf("got %s, %v", s, err)
	}
	p, err := JSONBytesPretty(o)
	if string(p) != "{\n  \"id\": 9007199254740993,\n  \"note\": \"<&>é\"\n}" || err != nil {
		t.Errorf("got %s, %v", p, err)
	}
	for _, text := range []string{compact, string(p), " " + compact + "\n"} {
		if got, err := JSONFromString[order](text); got != o || err != nil {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := JSONFromBytes[*order]([]byte(text)); got == nil || *got != o || err != nil {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func TestJSONErrors(t *testing.T) {
	for _, text := range []string{"", "{", `{"id":"x"}`, `{"id":1} 2`} {
		got, err := JSONFromString[order](text)
		e, ok := errors.AsType[*SerializationError](err)
		if !ok || e.Op != "decode JSON" || got != (order{}) {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
	if _, err := JSONFromString[order]("{"); err.Error() != "decode JSON: unexpected end of JSON input" {
		t.Errorf("got %v", err)
	}
	_, err := JSONFromString[order](`{"id":"x"}`)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); !ok {
		t.Errorf("the cause is lost: %v", err)
	}
	for _, v := range []any{math.NaN(), make(chan int), func() {}} {
		b, err := JSONBytes(v)
		if e, ok := errors.AsType[*SerializationError](err); !ok || e.Op != "encode JSON" || b != nil {
			t.Errorf("%T: got %s, %v", v, b, err)
		}
		if s, err := JSONString(v); s != "" || err == nil {
			t.Errorf("%T: got %s, %v", v, s, err)
		}
	}
}

func TestStringFromBytes(t *testing.T) {
	for _, want := range []string{"", "text", "é\x00\uFFFD"} {
		if got, err := StringFromBytes([]byte(want)); got != want || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	for text, want := range map[string]string{
		"\xff":           "decode UTF-8: invalid byte 0xff at 0",
		"é\uFFFDx\xc3":   "decode UTF-8: invalid byte 0xc3 at 6",
		"ab\xed\xa0\x80": "decode UTF-8: invalid byte 0xed at 2",
	} {
		got, err := StringFromBytes([]byte(text))
		if _, ok := errors.AsType[*SerializationError](err); !ok || got != "" || err.Error() != want {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}
