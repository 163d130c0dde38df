package danube

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestDefinition(t *testing.T) {
	for stored, want := range map[string]string{
		`{"Avro":{"raw_schema":"{\"type\": \"int\"}","fingerprint":"sha256:0"}}`:                `{"type": "int"}`,
		`{"JsonSchema":{"raw_schema":"{ }\n","fingerprint":"sha256:0"}}`:                        "{ }\n",
		`{"Protobuf":{"raw_proto":"message A {}","message_name":"A","fingerprint":"sha256:0"}}`: "message A {}",
		`{"Protobuf":{"raw_proto":"","message_name":"A","fingerprint":"sha256:0"}}`:             "",
		`"Bytes"`:  "",
		`"String"`: "",
		`"Number"`: "",
		// Not the wrapper, but definitions themselves.
		`"string"`:                          `"string"`,
		`{"type":"record","fields":[]}`:     `{"type":"record","fields":[]}`,
		`{"Avro":{"type":"object"}}`:        `{"Avro":{"type":"object"}}`,
		`{"Protobuf":{"raw_schema":"x"}}`:   `{"Protobuf":{"raw_schema":"x"}}`,
		`{"Thrift":{"raw_schema":"x"}}`:     `{"Thrift":{"raw_schema":"x"}}`,
		`{"Avro":5}`:                        `{"Avro":5}`,
		`null`:                              `null`,
		``:                                  ``,
		`syntax = "proto3";`:                `syntax = "proto3";`,
		`{"Avro":{"raw_schema":null}}`:      `{"Avro":{"raw_schema":null}}`,
		`{"Avro":{"raw_schema":"x"},"b":1}`: `{"Avro":{"raw_schema":"x"},"b":1}`,
	} {
		if got := definition([]byte(stored)); got != want {
			t.Errorf("%s: got %q, want %q", stored, got, want)
		}
	}
}

// Whatever was registered, the wrapper gives it back.
func FuzzDefinition(f *testing.F) {
	f.Add(`{"type":"int"}`)
	f.Add("\"\\\n\x00é")
	f.Add(`{"Avro":{"raw_schema":"x"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		_ = definition([]byte(text))
		if text != strings.ToValidUTF8(text, "") {
			return // the broker takes UTF-8 only
		}
		for kind, field := range map[string]string{"Avro": "raw_schema", "JsonSchema": "raw_schema", "Protobuf": "raw_proto"} {
			stored, err := json.Marshal(map[string]map[string]string{kind: {field: text, "fingerprint": "sha256:0"}})
			if err != nil {
				t.Fatal(err)
			}
			if got := definition(stored); got != text {
				t.Errorf("%s: got %q, want %q", stored, got, text)
			}
		}
	})
}

// The texts are those of a broker of 0.15.1.
func TestJudgeSchema(t *testing.T) {
	for _, tt := range []struct {
		code   codes.Code
		text   string
		class  class
		reason error
	}{
		{codes.NotFound, "Schema not found for ID: 1", classFatal, ErrNotFound},
		{codes.NotFound, "Schema not found for subject: x", classFatal, ErrNotFound},
		{codes.NotFound, "Subject not found: x", classFatal, ErrNotFound},
		{codes.NotFound, "Schema subject 'x' not found in registry: Schema metadata not found for subject: x", classFatal, ErrNotFound},
		{codes.NotFound, "Topic '/default/x' not found on this broker", classSession, nil},
		{codes.Internal, "Failed to register schema: Invalid Avro schema: Failed to parse schema from JSON", classFatal, ErrInvalid},
		{codes.Internal, "Failed to register schema: Invalid JSON in schema: EOF while parsing an object at line 1 column 1", classFatal, ErrInvalid},
		{codes.Internal, "Failed to register schema: Invalid UTF-8 in Protobuf schema: invalid utf-8 sequence", classFatal, ErrInvalid},
		{codes.Internal, "Failed to register schema: Unknown schema type: x", classFatal, ErrInvalid},
		{codes.Internal, "Failed to register schema: Schema is not compatible with subject 'x' (mode: Backward): Schema types must match", classFatal, ErrIncompatible},
		{codes.Internal, "Failed to check compatibility: Schema metadata not found for subject: x", classFatal, ErrNotFound},
		{codes.Internal, "Failed to set compatibility mode: Schema metadata not found for subject: x", classFatal, ErrNotFound},
		{codes.Internal, "Failed to register schema: Timed out waiting for local schema metadata for subject 'x' to reach version 2", classTransient, nil},
		{codes.InvalidArgument, "Invalid compatibility mode: x", classFatal, ErrInvalid},
		{codes.FailedPrecondition, "Topic 'x' has no schema subject configured. Use ConfigureTopicSchema first.", classFatal, ErrConflict},
		{codes.OutOfRange, "Error, decoded message length too large: found 5242924 bytes, the limit is: 4194304 bytes", classFatal, ErrTooLarge},
		{codes.PermissionDenied, "no binding grants ManageSchema", classFatal, ErrPermission},
		{codes.Unauthenticated, "Invalid token", classFatal, ErrAuth},
		{codes.Unavailable, "connection refused", classSession, nil},
	} {
		got := judgeSchema(status.Error(tt.code, tt.text))
		if got.class != tt.class || !errors.Is(got.reason, tt.reason) && got.reason != tt.reason {
			t.Errorf("%v %s: got class %d, %v; want %d, %v", tt.code, tt.text, got.class, got.reason, tt.class, tt.reason)
		}
	}
}

// fill puts n schemas with definitions of a size into a cache.
func fill(c *schemaCache, from, n, size int) {
	for i := range n {
		key := schemaKey{id: SchemaID{ID: uint64(from + i), Version: 1}}
		_, _ = c.do(context.Background(), key, false, func() ([]*schemaEntry, error) {
			return []*schemaEntry{{key: key, info: SchemaInfo{ID: key.id, Subject: "s", Definition: strings.Repeat("x", size)}}}, nil
		})
	}
}

func (c *schemaCache) has(id int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[schemaKey{id: SchemaID{ID: uint64(id), Version: 1}}] != nil
}

func TestSchemaCacheIsBounded(t *testing.T) {
	var c schemaCache
	fill(&c, 0, cachedSchemas, 10)
	fill(&c, 0, 1, 10) // used again
	fill(&c, cachedSchemas, 1, 10)
	if len(c.entries) != cachedSchemas || !c.has(0) || c.has(1) || !c.has(2) || !c.has(cachedSchemas) {
		t.Errorf("%d entries; the one used longest ago should have gone", len(c.entries))
	}
	fill(&c, 10_000, 3, cachedSchemaBytes/3)
	if c.bytes > cachedSchemaBytes || !c.has(10_002) || !c.has(10_001) || c.has(10_000) || c.has(cachedSchemas) {
		t.Errorf("%d bytes in %d entries", c.bytes, len(c.entries))
	}
	fill(&c, 20_000, 1, cachedSchemaBytes)
	if c.has(20_000) || !c.has(10_002) {
		t.Error("a schema as large as the cache has driven out the others")
	}
	c.forget("s", 1)
	if c.bytes != 0 || len(c.entries) != 0 || c.order.Len() != 0 {
		t.Errorf("%d bytes in %d entries, %d in order, after all were forgotten", c.bytes, len(c.entries), c.order.Len())
	}
}

func TestSchemaCacheAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c schemaCache
		var calls atomic.Int32
		key := schemaKey{subject: "s"}
		get := func(ctx context.Context, err error) error {
			_, got := c.do(ctx, key, false, func() ([]*schemaEntry, error) {
				calls.Add(1)
				time.Sleep(time.Second)
				if err != nil {
					return nil, err
				}
				return []*schemaEntry{{key: key, until: time.Now().Add(time.Minute)}}, nil
			})
			return got
		}
		// The one who asks fails; one of those who wait asks again, and serves the rest.
		own := errors.New("its own")
		var all sync.WaitGroup
		all.Go(func() {
			if err := get(t.Context(), own); !errors.Is(err, own) {
				t.Errorf("the first got %v", err)
			}
		})
		synctest.Wait()
		for range 20 {
			all.Go(func() {
				if err := get(t.Context(), nil); err != nil {
					t.Error(err)
				}
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := get(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who does not wait gets %v", err)
		}
		all.Wait()
		if n := calls.Load(); n != 2 {
			t.Errorf("asked %d times, want 2", n)
		}
		if len(c.flights) != 0 {
			t.Errorf("%d flights left", len(c.flights))
		}
		time.Sleep(time.Minute)
		if err := get(t.Context(), nil); err != nil || calls.Load() != 3 {
			t.Errorf("after its time: %v, asked %d times", err, calls.Load())
		}
	})
}

// An answer that was under way when something changed is not kept.
func TestSchemaCacheForgetsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c schemaCache
		key := schemaKey{subject: "s"}
		answer := func(version uint32) (SchemaInfo, error) {
			return c.do(t.Context(), key, false, func() ([]*schemaEntry, error) {
				time.Sleep(time.Second)
				return []*schemaEntry{{key: key, info: SchemaInfo{ID: SchemaID{Version: version}}}}, nil
			})
		}
		go answer(1)
		synctest.Wait()
		c.forget("s", 0)
		time.Sleep(2 * time.Second)
		if got, err := answer(2); err != nil || got.ID.Version != 2 {
			t.Errorf("got version %d, %v", got.ID.Version, err)
		}
	})
}

func TestSchemaRefCheck(t *testing.T) {
	for _, tt := range []struct {
		ref SchemaRef
		say string
	}{
		{SchemaRef{}, ""},
		{SchemaRef{Subject: "s"}, ""},
		{SchemaRef{Subject: "s", Version: 1}, ""},
		{SchemaRef{Subject: "s", MinVersion: 1}, ""},
		{SchemaRef{Version: 1}, "no subject"},
		{SchemaRef{Subject: " "}, "no name"},
		{SchemaRef{Subject: "s", Version: 1, MinVersion: 2}, "one of them"},
	} {
		err := tt.ref.check()
		if (err == nil) != (tt.say == "") || err != nil && !strings.Contains(err.Error(), tt.say) {
			t.Errorf("%+v: got %v, want %q", tt.ref, err, tt.say)
		}
	}
}

func TestSchemaNames(t *testing.T) {
	for _, err := range []error{SchemaType("thrift").check(), SchemaType("").check(), Compatibility("BACKWARD").check(), Compatibility("").check(), ValidationPolicy("strict").check(), checkSubject("")} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v", err)
		}
	}
	c, err := Open(Config{Seeds: []string{"localhost:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	s := c.Schemas()
	for i, err := range []error{
		second(s.Get(t.Context(), SchemaID{ID: 1})),
		second(s.Latest(t.Context(), "")),
		second(s.Versions(t.Context(), "")),
		third(s.Register(t.Context(), "a/b", SchemaString, "", RegisterOptions{})),
		third(s.Register(t.Context(), "a b", SchemaString, "", RegisterOptions{})),
		third(s.Register(t.Context(), "", SchemaString, "", RegisterOptions{})),
		third(s.Register(t.Context(), "a", "xml", "", RegisterOptions{})),
		third(s.Register(t.Context(), "a", SchemaAvro, "", RegisterOptions{})),
		second(s.CheckCompatibility(t.Context(), "a", SchemaAvro, "x", "sideways")),
		s.SetCompatibility(t.Context(), "a", "sideways"),
		s.ConfigureTopic(t.Context(), "nonsense", TopicSchema{Subject: "a", Policy: ValidateWarn}),
		s.ConfigureTopic(t.Context(), "/default/t", TopicSchema{Subject: "a"}),
		s.ConfigureTopic(t.Context(), "/default/t", TopicSchema{Policy: ValidateWarn}),
		s.UpdateTopicPolicy(t.Context(), "/default/t", "", false),
		second(s.TopicConfig(t.Context(), "t")),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("case %d: got %v", i, err)
		}
	}
}

func second[T any](_ T, err error) error        { return err }
func third[T, U any](_ T, _ U, err error) error { return err }
