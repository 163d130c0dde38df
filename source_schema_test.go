package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

const (
	orderV1 = `{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}`
	orderV2 = `{"type":"object","properties":{"id":{"type":"integer"},"note":{"type":"string"}},"required":["id"]}`
)

// subject makes a subject's name of this lab's own.
func (l *lab) subject(s string) string { return s + l.suffix }

// register puts versions of a subject into the registry, and returns the last one.
func (l *lab) register(subject string, t danube.SchemaType, definitions ...string) (info danube.SchemaInfo) {
	l.t.Helper()
	for _, d := range definitions {
		var err error
		info, _, err = l.client.Schemas().Register(l.t.Context(), subject, t, d, danube.RegisterOptions{})
		l.must(err)
	}
	return info
}

// orders is a codec that knows one rule of a schema: what is required.
type orders struct {
	Required []string
	seen     string
}

func newOrders(definition string) (*orders, error) {
	o := &orders{seen: definition}
	return o, json.Unmarshal([]byte(definition), o)
}

func (o *orders) Encode(v any) ([]byte, error) { return jsonPayload(v) }

func (o *orders) Validate(payload []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(payload, &fields); err != nil {
		return err
	}
	for _, name := range o.Required {
		if _, ok := fields[name]; !ok {
			return fmt.Errorf("%s is required", name)
		}
	}
	if fields["panic"] == true {
		panic("the codec has a bug")
	}
	return nil
}

type order struct {
	ID    *int `json:"id,omitempty"`
	Panic bool `json:"panic,omitempty"`
}

func schemas(s ...SchemaConfig) func(*Config) { return func(c *Config) { c.Schemas = s } }

// Values are encoded and payloads checked before anything is sent, and messages carry
// the id of the schema.
func TestSourceSchemaEncodesAndValidates(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		file := filepath.Join(t.TempDir(), "order.json")
		must(t, os.WriteFile(file, []byte(orderV1), 0o600))
		letters := filepath.Join(t.TempDir(), "dead.jsonl")
		id := 7
		source := between(
			FromValue("", order{}),                     // no id
			FromString("", `{"note":"x"}`),             // neither, made by the author
			FromValue("", map[string]any{"id": 1i}),    // not serialisable
			FromValue("", order{ID: &id, Panic: true}), // the codec panics
			FromString("", `{"id":8}`),
		)
		poll := source.poll
		source.poll = func(ctx context.Context, n int) ([]*SourceRecord, error) {
			list, err := poll(ctx, n)
			for i, r := range list { // the good ones are orders, too
				if string(r.Payload) == fmt.Sprint("p", r.Offset.Value) {
					r.Payload, r.Value = nil, order{ID: &i}
				}
			}
			return list, err
		}
		check := &testSink{}
		sink := l.sink(check)
		subject := l.subject("orders")
		rt := l.newSource(source, l.config(schemas(SchemaConfig{Topic: topic, Subject: subject, Type: danube.SchemaJSON, File: file}),
			func(c *Config) { c.DeadLetterFile = letters }), WithCodec(danube.SchemaJSON, newOrders))
		r := l.start(rt.core, rt.Run)
		l.must(r.wait())
		same(t, "committed", source.last("p"), "p@4")
		same(t, "dead letters", r.metric("messages_dead_lettered_total"), 4)
		same(t, "in flight", r.metric("inflight_messages"), 0)
		l.until("all arrived", func() bool { return len(check.seen()) == 5 })
		sink.stopped()
		same(t, "arrived", check.payloads(), `[{"id":0} {"id":1} {"id":8} {"id":7} {"id":8}]`)
		latest, err := l.client.Schemas().Latest(t.Context(), subject)
		l.must(err)
		same(t, "definition", latest.Definition, orderV1)
		for _, p := range check.seen() {
			if id, ok := p.rec.Schema(); !ok || id != latest.ID {
				t.Errorf("%s carries the schema %v, want %v", p.payload, id, latest.ID)
			}
		}
		var reasons []string
		for _, f := range filed(t, letters) {
			same(t, "stage", f.Headers["x-connect-stage"], "schema")
			reasons = append(reasons, f.Payload+" "+f.Headers["x-failure-reason"])
		}
		for i, want := range []string{"id is required", "id is required", "map[id:(0+1i)]", "the codec has a bug"} {
			if !strings.Contains(reasons[i], want) {
				t.Errorf("letter %d: %s, want %s", i, reasons[i], want)
			}
		}
	})
}

func TestSourceSchemaVersions(t *testing.T) {
	for name, tc := range map[string]struct {
		schema SchemaConfig
		want   uint32 // 0 for an error
		err    string
		latest uint32 // afterwards
	}{
		"latest":                          {SchemaConfig{}, 2, "", 2},
		"pinned":                          {SchemaConfig{Version: 1}, 1, "", 2},
		"pinned to what is not there":     {SchemaConfig{Version: 3}, 0, "version 3 is wanted, the latest is 2", 2},
		"at least":                        {SchemaConfig{MinVersion: 2}, 2, "", 2},
		"at least what is not there":      {SchemaConfig{MinVersion: 3}, 0, "version 3 is wanted, the latest is 2", 2},
		"an old definition":               {SchemaConfig{Definition: orderV1, Type: danube.SchemaJSON}, 1, "", 2},
		"a new one":                       {SchemaConfig{Definition: strings.Replace(orderV2, "note", "memo", 1), Type: danube.SchemaJSON}, 3, "", 3},
		"a new one, not to be registered": {SchemaConfig{Definition: orderV1, Type: danube.SchemaJSON, NoRegister: true}, 0, "the definition is not that of version 2", 2},
		"the same in another layout":      {SchemaConfig{Definition: " " + strings.ReplaceAll(orderV2, ",", ", "), Type: danube.SchemaJSON, NoRegister: true}, 2, "", 2},
		"another definition than pinned":  {SchemaConfig{Definition: orderV2, Type: danube.SchemaJSON, Version: 1}, 0, "the definition is not that of version 1", 2},
		"another type":                    {SchemaConfig{Type: danube.SchemaAvro, NoRegister: true}, 0, "schema_type is avro, and version 2 of the registry is json_schema", 2},
		"another type, to be registered":  {SchemaConfig{Type: danube.SchemaString}, 0, "ncompatible", 2},
		"not a schema":                    {SchemaConfig{Type: danube.SchemaJSON, Definition: "{"}, 0, "schema of", 2},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, l *lab) {
				topic, subject := l.topic("t", 0), l.subject("orders")
				l.register(subject, danube.SchemaJSON, orderV1, orderV2)
				tc.schema.Topic, tc.schema.Subject = topic, subject
				sinkRun, check := (*run)(nil), &testSink{}
				if tc.want > 0 {
					sinkRun = l.sink(check)
				}
				source := &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
					return texts("", `{"id":1}`), io.EOF
				}}
				rt := l.newSource(source, l.config(schemas(tc.schema)), WithCodec(danube.SchemaJSON, newOrders))
				err := l.start(rt.core, rt.Run).wait()
				latest, lerr := l.client.Schemas().Versions(t.Context(), subject)
				l.must(lerr)
				same(t, "versions afterwards", len(latest), tc.latest)
				if tc.want == 0 {
					if same(t, "exit code", ExitCode(err), 2); err == nil || !strings.Contains(err.Error(), tc.err) {
						t.Errorf("got %v, want %s", err, tc.err)
					}
					same(t, "polls", len(source.polled()), 0)
					return
				}
				l.must(err)
				l.until("arrived", func() bool { return len(check.seen()) == 1 })
				sinkRun.stopped()
				if id, _ := check.seen()[0].rec.Schema(); id.Version != tc.want {
					t.Errorf("the message carries %v, want version %d", id, tc.want)
				}
			})
		})
	}
}

// A topic that only a record names gets its schema when it is opened, and a schema that
// is wrong is not the record's fault.
func TestSourceSchemaOfATopicMadeOnFirstUse(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		other := l.name("other")
		number := SchemaConfig{Topic: other, Subject: l.subject("counts"), Type: danube.SchemaNumber}
		source := &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			return []*SourceRecord{FromValue(other, 42), FromString(other, "no number"), FromInt64(other, 43)}, io.EOF
		}}
		r := l.source(source, schemas(number), func(c *Config) { c.OnError = OnErrorSkip })
		l.must(r.wait())
		same(t, "processed", r.metric("messages_processed_total", "topic="+other), 2)
		same(t, "skipped", r.metric("messages_skipped_total", "topic="+other), 1)

		number.Type, number.Subject = "", l.subject("missing")
		err := l.source(source, schemas(number), func(c *Config) { c.OnError = OnErrorSkip }).wait()
		same(t, "exit code", ExitCode(err), 2)
		if !errors.Is(err, danube.ErrNotFound) {
			t.Errorf("got %v, want that the subject is not found", err)
		}
	})
}

// The broker has the last word: what it refuses for the schema goes by on_error.
func TestSourceRecordThatTheBrokerRefusesForItsSchema(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic, subject := l.topic("t", 0), l.subject("orders")
		l.register(subject, danube.SchemaJSON, orderV1)
		l.must(l.client.Schemas().ConfigureTopic(t.Context(), topic, danube.TopicSchema{Subject: subject, Policy: danube.ValidateEnforce, ValidatePayload: true}))
		letters := filepath.Join(t.TempDir(), "dead.jsonl")
		source := &committing{testSource: &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			return []*SourceRecord{
				FromString("", `{"id":1}`).WithOffset(OffsetInt("p", 1)),
				FromString("", `{"id":"x"}`).WithOffset(OffsetInt("p", 2)), // JSON, which is all that is checked here
				FromString("", `{"id":3}`).WithOffset(OffsetInt("p", 3)),
			}, io.EOF
		}}}
		r := l.source(source, schemas(SchemaConfig{Topic: topic, Subject: subject}), func(c *Config) { c.DeadLetterFile = letters })
		l.must(r.wait())
		same(t, "processed", r.metric("messages_processed_total"), 2)
		same(t, "committed", source.all(), "[p@1 p@2 p@3]")
		list := filed(t, letters)
		same(t, "letters", len(list), 1)
		same(t, "payload", list[0].Payload, `{"id":"x"}`)
		same(t, "stage", list[0].Headers["x-connect-stage"], "publish")
		if n := l.log.count("published unchecked"); n != 1 {
			t.Errorf("%d warnings that there is no codec", n)
		}
	})
}

func TestSourceSchemaIsDeclaredWithItsTopic(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		text := &SchemaConfig{Subject: l.subject("texts"), Type: danube.SchemaString}
		configs := func(context.Context) ([]ProducerConfig, error) {
			return []ProducerConfig{{Topic: topic, Schema: text}}, nil
		}
		source := declaring{between(NewRecord("", []byte{0xff})), configs}
		r := l.source(source, func(c *Config) { c.OnError = OnErrorSkip })
		l.must(r.wait())
		same(t, "processed", r.metric("messages_processed_total"), 4)
		same(t, "skipped", r.metric("messages_skipped_total"), 1)

		for what, tc := range map[string]struct {
			change func(*Config)
			schema SchemaConfig
			err    string
		}{
			"twice":             {schemas(SchemaConfig{Topic: topic, Subject: "x"}), *text, "keep one"},
			"for another topic": {func(*Config) {}, SchemaConfig{Topic: "/default/x", Subject: "x"}, "says that it is for /default/x"},
			"without a subject": {func(*Config) {}, SchemaConfig{Type: danube.SchemaString}, "required: the schema's name"},
			"undeclared":        {schemas(SchemaConfig{Topic: "/default/x", Subject: "x"}), *text, `schemas[0].topic = "/default/x": the source does not publish to this topic`},
		} {
			source := declaring{between(), func(context.Context) ([]ProducerConfig, error) {
				return []ProducerConfig{{Topic: topic, Schema: &tc.schema}}, nil
			}}
			err := l.source(source, tc.change).wait()
			if same(t, what+": exit code", ExitCode(err), 2); !strings.Contains(fmt.Sprint(err), tc.err) {
				t.Errorf("%s: got %v, want %s", what, err, tc.err)
			}
		}
	})
}

// A registry that does not answer keeps the source from starting, shows, and ends with
// a stop.
func TestSourceSchemaWaitsForTheRegistry(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		l.b.Stop()
		source := &testSource{}
		r := l.source(source, schemas(SchemaConfig{Topic: topic, Subject: "orders"}))
		l.pause(time.Minute)
		if reason := fmt.Sprint(r.board.NotReady()); !strings.Contains(reason, "looking up orders") {
			t.Errorf("not ready because of %s", reason)
		}
		if err, took := r.stop(); err != nil || took > time.Second {
			t.Errorf("got %v after %v, want a clean stop", err, took)
		}
		same(t, "the connector's life", source.lifetime(), "initialize shutdown")
	})
}

func TestSourceSchemaNeedsARegistry(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		cfg := l.config(schemas(SchemaConfig{Topic: topic, Subject: "orders"}))
		rt, err := NewSourceRuntime(&testSource{}, append(l.options(cfg), WithClient(struct{ Client }{DanubeClient(l.client)}))...)
		l.must(err)
		err = l.start(rt.core, rt.Run).wait()
		if same(t, "exit code", ExitCode(err), 2); !strings.Contains(fmt.Sprint(err), "SchemaClient") {
			t.Errorf("got %v", err)
		}
	})
}

func TestPlainCodecs(t *testing.T) {
	for _, tc := range []struct {
		codec Codec
		value any
		want  string // the payload, or an error's text
		bad   bool
	}{
		{bytesCodec{}, []byte{1, 0xff}, "\x01\xff", false},
		{bytesCodec{}, "text", "text", false},
		{bytesCodec{}, 1, "not int", true},
		{stringCodec{}, "größe", "größe", false},
		{stringCodec{}, []byte("a"), "a", false},
		{stringCodec{}, "\xff", "not UTF-8", true},
		{stringCodec{}, nil, "not <nil>", true},
		{numberCodec{}, 258, "\x00\x00\x00\x00\x00\x00\x01\x02", false},
		{numberCodec{}, int32(-1), "\xff\xff\xff\xff", false},
		{numberCodec{}, uint8(7), "\x00\x00\x00\x00\x00\x00\x00\x07", false},
		{numberCodec{}, uint64(math.MaxUint64), "64 bits", true},
		{numberCodec{}, 1.0, "\x3f\xf0\x00\x00\x00\x00\x00\x00", false},
		{numberCodec{}, float32(1), "\x3f\x80\x00\x00", false},
		{numberCodec{}, "1", "not string", true},
		{plainJSON{}, map[string]int{"a": 1}, `{"a":1}`, false},
		{plainJSON{}, make(chan int), "unsupported type", true},
		{noCodec{danube.SchemaAvro}, 1, "needs a codec for avro", true},
	} {
		payload, err := tc.codec.Encode(tc.value)
		if err == nil {
			err = tc.codec.Validate(payload)
		}
		if tc.bad && (err == nil || !strings.Contains(err.Error(), tc.want)) || !tc.bad && (err != nil || string(payload) != tc.want) {
			t.Errorf("%T of %v: %q, %v, want %q", tc.codec, tc.value, payload, err, tc.want)
		}
	}
	if (numberCodec{}).Validate(make([]byte, 5)) == nil || (plainJSON{}).Validate([]byte("{")) == nil {
		t.Error("a bad payload passes")
	}
}
