package connect

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

func orderRecord() *SinkRecord {
	return NewTestRecord("/default/orders", []byte(`{"id":9007199254740993}`), func(m *danube.Message) {
		m.Partition, m.Offset, m.ProducerID, m.RequestID = 3, 42, 17, 5
		m.Key, m.BrokerAddr = "customer-1", "http://broker:6650"
		m.Attributes = map[string]string{"secret": "hunter2", "empty": ""}
		m.Schema = &danube.SchemaID{ID: 7, Version: 2}
	})
}

func TestSinkRecordAccessors(t *testing.T) {
	r := orderRecord()
	check := func(name string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	check("Topic", r.Topic(), "/default/orders")
	check("Partition", r.Partition(), int32(3))
	check("Offset", r.Offset(), uint64(42))
	check("MessageID", r.MessageID(), "topic:/default/orders-part-3/producer:17/offset:42")
	check("Payload", string(r.Payload()), `{"id":9007199254740993}`)
	check("PayloadSize", r.PayloadSize(), 23)
	check("Base64", r.Base64(), "eyJpZCI6OTAwNzE5OTI1NDc0MDk5M30=")
	check("Key", r.Key(), "customer-1")
	check("PublishTime", r.PublishTime(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	check("ProducerName", r.ProducerName(), "test")
	check("Subscription", r.Subscription(), "test")
	check("BrokerAddr", r.BrokerAddr(), "http://broker:6650")
	check("Attributes", len(r.Attributes()), 2)
	check("String", r.String(), "/default/orders[3]@42")
	check("HasAttribute", r.HasAttribute("empty"), true)
	check("HasAttribute absent", r.HasAttribute("absent"), false)
	v, ok := r.Attribute("secret")
	check("Attribute", v, "hunter2")
	check("Attribute ok", ok, true)
	_, ok = r.Attribute("absent")
	check("Attribute absent", ok, false)
	s, ok := r.Schema()
	check("Schema", s, danube.SchemaID{ID: 7, Version: 2})
	check("Schema ok", ok, true)
	check("ID", r.ID(), RecordID{
		Topic: "/default/orders", Partition: 3, Offset: 42, Producer: "test",
		PublishedMs: 1767225600000, RequestID: 5,
	})
}

func TestSinkRecordWithoutAnything(t *testing.T) {
	for _, r := range []*SinkRecord{NewSinkRecord(nil), NewTestRecord("/default/t", nil)} {
		if r.Payload() != nil || r.Attributes() != nil || r.Key() != "" || r.Partition() != danube.NoPartition {
			t.Errorf("%v is not empty", r)
		}
		if _, ok := r.Attribute("x"); ok {
			t.Error("an attribute out of nothing")
		}
		if _, ok := r.Schema(); ok {
			t.Error("a schema out of nothing")
		}
		if s, err := r.PayloadString(); s != "" || err != nil {
			t.Errorf("got %q, %v", s, err)
		}
		if err := r.Decode(new(int)); !IsInvalidData(err) {
			t.Errorf("no payload as JSON: %v", err)
		}
	}
	if got := NewSinkRecord(nil).ID().PublishedMs; got != 0 {
		t.Errorf("no publish time became %d", got)
	}
}

func TestSinkRecordPayloadForms(t *testing.T) {
	rec := func(b string) *SinkRecord {
		return NewTestRecord("/default/t", []byte(b), func(m *danube.Message) { m.Offset = 8 })
	}
	if _, err := rec("\xff").PayloadString(); !IsInvalidData(err) || !strings.Contains(err.Error(), "/default/t@8") {
		t.Errorf("bad UTF-8: %v", err)
	}
	if n, err := rec("\xff\xff\xff\xff\xff\xff\xff\xfe").Int64(); n != -2 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	for _, s := range []string{"", "1234567", "123456789"} {
		if _, err := rec(s).Int64(); !IsInvalidData(err) || !strings.Contains(err.Error(), "/default/t@8") {
			t.Errorf("%d bytes as integer: %v", len(s), err)
		}
	}
}

func TestSinkRecordJSON(t *testing.T) {
	type order struct {
		ID int64 `json:"id"`
	}
	o, err := JSON[order](orderRecord())
	if err != nil || o.ID != 9007199254740993 {
		t.Errorf("got %+v, %v: a large number must stay exact", o, err)
	}
	raw, err := JSON[json.RawMessage](orderRecord())
	if err != nil || string(raw) != string(orderRecord().Payload()) {
		t.Errorf("got %s, %v", raw, err)
	}
	for _, payload := range []string{"", "{", `{"id":"text"}`, `{"id":1} {"id":2}`} {
		_, err := JSON[order](NewTestRecord("/default/t", []byte(payload)))
		if !IsInvalidData(err) || !strings.Contains(err.Error(), "/default/t@0") {
			t.Errorf("%q: %v", payload, err)
		}
	}
	if err := orderRecord().Decode(order{}); !IsFatal(err) {
		t.Errorf("decoding into no pointer: %v", err)
	}
}

// Logs must not carry what a record holds: personal data, credentials.
func TestSinkRecordLogsNoContent(t *testing.T) {
	r := orderRecord()
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("got", "record", r)
	fmt.Fprintf(&b, "%v %+v %s", r, r, r)
	for _, secret := range []string{"hunter2", "9007199254740993", "customer-1"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("%q is in %s", secret, b.String())
		}
	}
	for _, want := range []string{`"topic":"/default/orders"`, `"partition":3`, `"offset":42`, `"size":23`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is not in %s", want, b.String())
		}
	}
	var packed SinkRecord
	packed.init(&danube.Message{Topic: "/default/t", Partition: danube.NoPartition}, 9)
	if got := packed.LogValue().String(); !strings.Contains(got, "index=9") || strings.Contains(got, "partition") {
		t.Errorf("got %s", got)
	}
}

func TestSinkRecordTakesNoMemory(t *testing.T) {
	m := orderRecord().msg
	var held struct{ r SinkRecord }
	if n := testing.AllocsPerRun(100, func() {
		held.r.init(m, 0)
		_ = held.r.ID()
	}); n != 0 {
		t.Errorf("%v allocations a record", n)
	}
}

func TestRecordID(t *testing.T) {
	id := orderRecord().ID()
	const key = "/default/orders[3]@42#0/1767225600000/5/test"
	if got := id.IdempotencyKey(); got != key {
		t.Errorf("got %s", got)
	}
	// Stored in external systems: the derivation must never change.
	if got, want := id.UUID(), "dc574f89-fe82-891e-95b0-0ceea6f6a2c6"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	seen := map[string]RecordID{key: id}
	for _, change := range []func(*RecordID){
		func(id *RecordID) { id.Topic = "/default/x" },
		func(id *RecordID) { id.Partition = -1 },
		func(id *RecordID) { id.Offset++ },
		func(id *RecordID) { id.Producer = "5/test" },
		func(id *RecordID) { id.PublishedMs++ },
		func(id *RecordID) { id.RequestID++ },
		func(id *RecordID) { id.Index++ },
	} {
		other := id
		change(&other)
		if same, ok := seen[other.IdempotencyKey()]; ok || other == id {
			t.Errorf("%+v and %+v are the same", other, same)
		}
		seen[other.IdempotencyKey()] = other
	}
	for want, id := range map[string]RecordID{
		"/default/t@0":      {Topic: "/default/t", Partition: -1},
		"/default/t[0]@1":   {Topic: "/default/t", Offset: 1},
		"/default/t[2]@1#7": {Topic: "/default/t", Partition: 2, Offset: 1, Index: 7},
	} {
		if got := id.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
