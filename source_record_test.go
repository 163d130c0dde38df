package connect

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"
)

type celsius float64

func (celsius) MarshalJSON() ([]byte, error) { return []byte(`"warm"`), nil }

func TestSourceRecordConstructors(t *testing.T) {
	must := func(r *SourceRecord, err error) *SourceRecord {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	const topic = "/default/t"
	for want, r := range map[string]*SourceRecord{
		"\x00\xff":                         NewRecord(topic, []byte{0, 255}),
		"text, no quotes":                  FromString(topic, "text, no quotes"),
		`{"a":"<&>","b":[1,null]}`:         must(FromJSON(topic, map[string]any{"b": []any{1, nil}, "a": "<&>"})),
		"42":                               must(FromNumber(topic, 42)),
		"18446744073709551615":             must(FromNumber(topic, uint64(math.MaxUint64))),
		"-9223372036854775808":             must(FromNumber(topic, int64(math.MinInt64))),
		"0.1":                              must(FromNumber(topic, float32(0.1))),
		"0.5":                              must(FromNumber(topic, celsius(0.5))),
		"1e+21":                            must(FromNumber(topic, 1e21)),
		"\xff\xff\xff\xff\xff\xff\xff\xfe": FromInt64(topic, -2),
	} {
		if r.Topic != topic || string(r.Payload) != want || r.Size() != len(want) {
			t.Errorf("got %q for %s, want %q", r.Payload, r.Topic, want)
		}
		if r.IsProgress() || !r.Offset.IsZero() {
			t.Errorf("%v: a record that only advances", r)
		}
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if r, err := FromNumber(topic, f); r != nil || !IsInvalidData(err) {
			t.Errorf("%v: got %v, %v", f, r, err)
		}
	}
	if r, err := FromJSON(topic, make(chan int)); r != nil || !IsInvalidData(err) {
		t.Errorf("got %v, %v", r, err)
	}
}

func TestInt64RoundTrip(t *testing.T) {
	for _, n := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		got, err := NewTestRecord("/default/t", FromInt64("/default/t", n).Payload).Int64()
		if got != n || err != nil {
			t.Errorf("%d came back as %d, %v", n, got, err)
		}
	}
}

func TestSourceRecordBuilder(t *testing.T) {
	theirs := map[string]string{"b": "2", "a": "over"}
	at := time.Unix(1, 0)
	r := FromString("/default/t", "x").
		WithAttribute("a", "1").
		WithAttributes(theirs).
		WithAttributes(nil).
		WithKey("k").
		WithOffset(OffsetInt("p", 3)).
		WithPublishTime(at)
	if r.Attributes["a"] != "over" || r.Attributes["b"] != "2" || len(r.Attributes) != 2 ||
		r.Key != "k" || r.Offset != (Offset{"p", "3"}) || r.PublishTime != at {
		t.Errorf("got %+v", *r)
	}
	r.WithAttribute("c", "3")
	if len(theirs) != 2 {
		t.Error("the caller's map was changed")
	}
	if r := NewRecord("", nil).WithAttributes(nil); r.Attributes != nil {
		t.Error("a map for no attributes")
	}
}

func TestSourceRecordText(t *testing.T) {
	if s, err := FromString("t", "é").PayloadString(); s != "é" || err != nil {
		t.Errorf("got %q, %v", s, err)
	}
	if _, err := NewRecord("/default/t", []byte("\xff")).PayloadString(); !IsInvalidData(err) || !strings.Contains(err.Error(), "/default/t") {
		t.Errorf("got %v", err)
	}
	r := FromString("/default/t", "hunter2").WithKey("customer").WithAttribute("a", "hunter2").WithOffset(OffsetInt("file", 9))
	p := Progress(OffsetInt("file", 9))
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "r", r, "p", p)
	fmt.Fprintf(&b, "%v|%+v|%s|%v|%v", r, r, r, p, FromValue("", 7))
	if got := b.String(); strings.Contains(got, "hunter2") || strings.Contains(got, "customer") {
		t.Errorf("the content is in %s", got)
	}
	for _, want := range []string{"r.topic=/default/t r.offset=file@9 r.size=7", "p.offset=file@9 p.progress=true",
		"record for /default/t, offset file@9, 7 bytes", "progress to file@9", "record for the configured topic, offset none, a int"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in %s", want, b.String())
		}
	}
}

func TestProgress(t *testing.T) {
	r := Progress(OffsetInt("p", 1))
	if !r.IsProgress() || r.Offset != OffsetInt("p", 1) || r.Size() != 0 {
		t.Errorf("got %+v", *r)
	}
}
