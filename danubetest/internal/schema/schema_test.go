package schema

import (
	"errors"
	"strings"
	"testing"
)

func parse(t *testing.T, kind, text string) *Definition {
	t.Helper()
	d, err := Parse(kind, []byte(text))
	if err != nil {
		t.Fatalf("%s %s: %v", kind, text, err)
	}
	return d
}

// The fingerprints were given by a broker 0.15.1.
func TestFingerprints(t *testing.T) {
	const wide = `{"type":"record","name":"U","namespace":"a.b","doc":"d","aliases":["V"],"x":1,"fields":[
		{"name":"id","type":"int","doc":"z","default":3,"order":"descending","y":2},
		{"name":"l","type":{"type":"array","items":"string","k":1}},
		{"name":"t","type":{"type":"long","logicalType":"timestamp-millis"}},
		{"name":"e","type":{"type":"enum","name":"E","symbols":["A"],"default":"A"}},
		{"name":"e2","type":"E"},{"name":"f","type":{"type":"fixed","name":"F","size":3}},
		{"name":"self","type":["null","U"],"default":null}]}`
	for _, tt := range []struct{ kind, text, want string }{
		{"avro", wide, "sha256:9af5352d68763ea08c535ebab69719fda6ccf4289391401d6a19e71b06a54b8a"},
		{"avro", `"string"`, "sha256:e9e5c1c9e4f6277339d1bcde0733a59bd42f8731f449da6dc13010a916930d48"},
		{"avro", ` {"type":"string", "q":1}`, "sha256:e9e5c1c9e4f6277339d1bcde0733a59bd42f8731f449da6dc13010a916930d48"},
		{"avro", `{"type":"record","name":"A","fields":[{"name":"x","type":"array","items":"int"}]}`, "sha256:3e34b3a28ce1f188ae00f1a485efc80985f84e9c6d96ed70300a180af48f1be3"},
		{"avro", `{"type":"record","name":"A","fields":[{"name":"x","type":"int"}]}`, "sha256:f24db19bee072aad005c798abc3d89d9e3d283d40a106bfaed2680fdcaacedef"},
		{"avro", "[]", "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"},
		{"json", `{"type":"object", "title":"Größe <&> \u2028", "minimum": 1.0, "multipleOf": 1e2}`, "sha256:dd550a2b31f7a605fa0f9f538c34f3d564b2523351290e6958435062d789ab80"},
		{"JSON_Schema", "true", "sha256:b5bea41b6c623f7c09f1bf24dcae58ebab3c0cdd90ad966bc43a45b44867e12b"},
		{"json", `{"enum":[]}`, "sha256:af9599f05a2f285b28bdbcb3494c43ca32206f235782d10fdd0936d2e7e27dc6"},
		{"json", `{"a":1,"a":2}`, "sha256:7e8059f495589fcd981232cc11d00b00da3802c01d688fa1cf1f6bed6e5bb33c"},
		{"json", "{}", "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
		{"proto", "nonsense", "sha256:999aaa8645bb72ff599e143b1e3d2a94777127f4783a69f067251f7bbebc5ab6"},
		{"int64", "zz", "number"}, {"string", "zz", "string"}, {"BYTES", "zz", "bytes"},
	} {
		if got := parse(t, tt.kind, tt.text).Fingerprint; got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.kind, tt.text, got, tt.want)
		}
	}
}

func TestWrapped(t *testing.T) {
	const sum = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	for _, tt := range []struct{ kind, text, want string }{
		{"json", "{ }", `{"JsonSchema":{"raw_schema":"{ }","fingerprint":"` + sum + `"}}`},
		{"avro", "\t\"string\"", `{"Avro":{"raw_schema":"\t\"string\"","fingerprint":"sha256:e9e5c1c9e4f6277339d1bcde0733a59bd42f8731f449da6dc13010a916930d48"}}`},
		{"proto", "nonsense", `{"Protobuf":{"raw_proto":"nonsense","message_name":"DefaultMessage","fingerprint":"sha256:999aaa8645bb72ff599e143b1e3d2a94777127f4783a69f067251f7bbebc5ab6"}}`},
		{"bytes", "x", `"Bytes"`}, {"string", "", `"String"`}, {"float", "", `"Number"`},
	} {
		if got := string(parse(t, tt.kind, tt.text).Wrapped()); got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.kind, tt.text, got, tt.want)
		}
	}
}

// The texts are a broker's, as far as they go.
func TestUnreadable(t *testing.T) {
	for _, tt := range []struct{ kind, text, want string }{
		{"xml", "a", "Unknown schema type: xml"},
		{"avro", "\xff", "Invalid UTF-8 in Avro schema"},
		{"avro", "{", "Invalid Avro schema: Failed to parse schema from JSON"},
		{"avro", `"int" 7`, "Failed to parse schema from JSON"},
		{"avro", "{}", "No `type` in complex type"},
		{"avro", `{"type":"nope"}`, "Unknown primitive type: nope"},
		{"avro", `{"type":"record","name":"a"}`, "No `fields` in record"},
		{"avro", `{"type":"record","name":"a b","fields":[]}`, ErrPanics.Error()},
		{"avro", `{"type":"record","name":"A","fields":[{"name":"x"}]}`, "No `type` in complex type"},
		{"avro", `{"type":"record","name":"A","fields":[{"name":"x","type":"nope"}]}`, "Unknown primitive type: nope"},
		{"avro", `{"type":"record","name":"A","fields":[{"name":"x","type":"int"},{"name":"x","type":"int"}]}`, "Duplicate field name x"},
		{"avro", `["null",["int"]]`, "Unions may not directly contain a union"},
		{"avro", `["int","int"]`, "Unions cannot contain duplicate types"},
		{"avro", "7", "Must be a JSON string, object or array"},
		{"avro", `{"type":"record","name":"A","fields":[{"name":"x","type":"int","default":"s"}]}`, "`default`'s value type of field \"x\" in \"A\" must be \"\\\"int\\\"\""},
		{"avro", `{"type":"enum","name":"E","symbols":["A","A"]}`, "Duplicate enum symbol A"},
		{"avro", `{"type":"fixed","name":"F"}`, "Fixed schema has no `size`"},
		{"avro", `""`, "Invalid schema name"},
		{"json", "{", "Invalid JSON in schema: "},
		{"json", "", "Invalid JSON in schema: "},
		{"json", "7", `Invalid JSON Schema: 7 is not of types "boolean", "object"`},
		{"json", `{"type":"nope"}`, `"nope" is not valid under any of the schemas listed in the 'anyOf' keyword`},
		{"json", `{"properties":[]}`, `[] is not of type "object"`},
		{"json", `{"properties":{"a":{"required":"a"}}}`, `"a" is not of type "array"`},
		{"json", `{"minimum":"a"}`, `"a" is not of type "number"`},
		{"json", `{"pattern":"("}`, `"(" is not a "regex"`},
		{"json", `{"enum":7}`, `7 is not of type "array"`},
		{"json", `{"items":7}`, `7 is not of types "boolean", "object"`},
		{"json", `{"$ref":"#/nope"}`, `Pointer '/nope' does not exist`},
		{"json", `{"minLength":-1}`, "-1 is less than the minimum of 0"},
		{"json", `{"allOf":[]}`, "[] has less than 1 item"},
		{"json", `{"uniqueItems":"x"}`, `"x" is not of type "boolean"`},
	} {
		if d, err := Parse(tt.kind, []byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: got %v, %v, want %s", tt.kind, tt.text, d, err, tt.want)
		}
	}
}

func TestProblems(t *testing.T) {
	rec := func(name, fields string) string {
		return `{"type":"record","name":"` + name + `","fields":[` + fields + `]}`
	}
	const (
		reader  = "Reader schema cannot read data written with writer schema"
		writer  = "Old schema cannot read data written with new schema"
		x       = `{"name":"x","type":"int"}`
		removed = "Backward incompatible: removed required field 'a'"
	)
	for _, tt := range []struct {
		kind, old, next   string
		backward, forward string
	}{
		{"avro", rec("A", x), rec("B", ""), reader, writer},
		{"avro", rec("A", x), rec("A", ""), "", writer},
		{"avro", rec("A", x), rec("A", `{"name":"y","type":"int"}`), "", ""}, // its types are equal
		{"avro", rec("A", x), rec("A", `{"name":"y","type":"string"}`), reader, writer},
		{"avro", rec("A", x), rec("A", `{"name":"x","type":"string"}`), "", ""}, // nobody looks
		{"avro", rec("A", x), rec("A", x+`,{"name":"y","type":"int","default":0}`), "", ""},
		{"avro", rec("A", x), rec("A", x+`,{"name":"y","type":["null","int"]}`), "", ""},
		{"avro", rec("A", x), rec("A", x+`,{"name":"y","type":["int","string"]}`), reader, ""},
		{"avro", `"int"`, `"long"`, "", writer},
		{"avro", `"int"`, `"float"`, reader, writer},
		{"avro", `"string"`, `["null","int"]`, "", ""},
		{"avro", `{"type":"map","values":"int"}`, `{"type":"map","values":"double"}`, "", writer},
		{"avro", `"int"`, rec("A", x), reader, writer},
		{"json", `{"properties":{"a":{"type":"string"}},"required":["a"]}`, `{"properties":{}}`, removed, ""},
		{"json", `{"properties":{"a":{}}}`, `{"properties":{"a":{}},"required":["a"]}`, "Backward incompatible: made optional field 'a' required", ""},
		{"json", `{}`, `{"required":["a"]}`, "", "Forward incompatible: added new required field 'a'"},
		{"json", `{"properties":{"a":{"type":"string"}}}`, `{"properties":{"a":{"type":"integer"}}}`, "Backward incompatible: changed type of field 'a'", "Forward incompatible: changed type of field 'a'"},
		{"json", `{"properties":{"a":{"type":"string"}}}`, `{"properties":{"a":{}}}`, "", ""},
		{"proto", "a", "b", "", ""},
	} {
		old, next := parse(t, tt.kind, tt.old), parse(t, tt.kind, tt.next)
		full := tt.backward
		if full == "" {
			full = tt.forward
		}
		for m, want := range map[Mode]string{Backward: tt.backward, Forward: tt.forward, Full: full, None: ""} {
			if got := strings.Join(Problems(old, next, m), "; "); got != want {
				t.Errorf("%s, from %s to %s: got %q, want %q", m, tt.old, tt.next, got, want)
			}
		}
	}
	if p := Problems(parse(t, "string", ""), parse(t, "bytes", ""), Forward); len(p) != 1 || !strings.Contains(p[0], "types must match") {
		t.Errorf("another kind: %q", p)
	}
}

func TestPayloads(t *testing.T) {
	const order = `{"type":"object","properties":{"a":{"type":"integer"},"b":{"$ref":"#/$defs/b"}},"required":["a"],"$defs":{"b":{"enum":[1,"x"]}},"additionalProperties":false}`
	for _, tt := range []struct {
		kind, text, payload, want string // want is empty for a payload that passes
	}{
		{"bytes", "", "\xff", ""},
		{"string", "", "ö", ""}, {"string", "", "\xff", "Invalid UTF-8 string"},
		{"number", "", "1234", ""}, {"number", "", "12345678", ""}, {"number", "", "abc", "Invalid number: expected 4 or 8 bytes, got 3"},
		{"json", order, `{"a":1}`, ""}, {"json", order, `{"a":1.0,"b":1.0}`, ""}, {"json", order, `{"a":1,"b":"x"}`, ""},
		{"json", order, "{", "Invalid JSON data"}, {"json", order, "7", "JSON Schema validation failed: 7 is not of type"},
		{"json", order, `{"a":1} x`, "Invalid JSON data"},
		{"json", order, `{}`, `"a" is a required property`}, {"json", order, `{"a":"x"}`, "is not of type"},
		{"json", order, `{"a":1.5}`, "is not of type"}, {"json", order, `{"a":1,"b":2}`, "is not one of"},
		{"json", order, `{"a":1,"c":2}`, "'c' was unexpected"},
		{"json", "false", "1", "False schema"}, {"json", "true", "1", ""},
		{"json", `{"const":null}`, "null", ""}, {"json", `{"const":null}`, "1", "null was expected"},
		{"json", `{"not":{"type":"string"}}`, `"a"`, "is not allowed for"},
		{"json", `{"anyOf":[{"type":"string"},{"minimum":3}]}`, "2", "anyOf"}, {"json", `{"anyOf":[{"type":"string"},{"minimum":3}]}`, "3", ""},
		{"json", `{"oneOf":[{"multipleOf":3},{"multipleOf":5}]}`, "15", "oneOf"}, {"json", `{"oneOf":[{"multipleOf":3},{"multipleOf":5}]}`, "10", ""},
		{"json", `{"allOf":[{"exclusiveMinimum":1},{"maximum":2}]}`, "1", "exclusiveMinimum"}, {"json", `{"exclusiveMaximum":2}`, "2", "exclusiveMaximum"},
		{"json", `{"if":{"type":"string"},"then":{"minLength":2},"else":{"maximum":1}}`, `"ö"`, "less than"},
		{"json", `{"if":{"type":"string"},"then":{"minLength":2},"else":{"maximum":1}}`, `7`, "maximum"},
		{"json", `{"pattern":"^a+$"}`, `"aab"`, "does not match"}, {"json", `{"maxLength":1}`, `"aab"`, "more than"},
		{"json", `{"items":{"type":"string"},"uniqueItems":true}`, `["a","a"]`, "non-unique"}, {"json", `{"prefixItems":[{"type":"string"}],"items":false}`, `["a",1]`, "False schema"},
		{"json", `{"contains":{"type":"string"},"minItems":1}`, `[1]`, "None of"}, {"json", `{"contains":{"type":"string"}}`, `[1,"a"]`, ""},
		{"json", `{"patternProperties":{"^x":{"type":"null"}},"propertyNames":{"maxLength":2},"maxProperties":1}`, `{"xa":null}`, ""},
		{"json", `{"patternProperties":{"^x":{"type":"null"}}}`, `{"xa":1}`, "is not of type"},
		{"json", `{"propertyNames":{"maxLength":2}}`, `{"xab":1}`, "more than"},
		{"json", `{"$ref":"#"}`, "1", "round in circles"},
		{"json", `{"$ref":"#/x","x":{"pattern":"(","required":[1]}}`, `{}`, ""}, // what nobody has compiled does no harm
		{"proto", "x", "x", ErrPanics.Error()},
	} {
		err := parse(t, tt.kind, tt.text).Check([]byte(tt.payload))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s, payload %q: got %v, want %q", tt.kind, tt.text, tt.payload, err, tt.want)
		}
	}
	if err := parse(t, "proto", "x").Check(nil); !errors.Is(err, ErrPanics) {
		t.Errorf("got %v", err)
	}
}
