package schema

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"strings"
	"testing"
)

// file makes an Avro object container file of one block.
func file(schema, codec string, count int64, block string) string {
	long := func(n int64) string { return string(binary.AppendVarint(nil, n)) }
	text := func(s string) string { return long(int64(len(s))) + s }
	if codec == "deflate" {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, -1)
		w.Write([]byte(block))
		w.Close()
		block = b.String()
	}
	sync := strings.Repeat("s", 16)
	return avroMagic + long(2) + text("avro.schema") + text(schema) + text("avro.codec") + text(codec) + long(0) + sync +
		long(count) + text(block) + sync
}

func TestAvroFiles(t *testing.T) {
	const (
		user = `{"type":"record","name":"User","fields":[{"name":"id","type":"int"},{"name":"mail","type":["null","string"],"default":null}]}`
		old  = `{"type":"record","name":"User","fields":[{"name":"id","type":"int"}]}`
		all  = `{"type":"record","name":"R","fields":[{"name":"a","type":"boolean"},{"name":"b","type":"float"},{"name":"c","type":"double"},
			{"name":"d","type":{"type":"fixed","name":"F","size":2}},{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},
			{"name":"f","type":{"type":"array","items":"long"}},{"name":"g","type":{"type":"map","values":"F"}},
			{"name":"h","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}},{"name":"i","type":["null","R"]}]}`
		value = "\x01" + "1234" + "12345678" + "xy" + "\x02" + "\x04\x02\x04\x00" + "\x01\x08\x02kxy\x00" + "\x02z" + "\x00"
		nulls = `{"type":"array","items":"null"}`
	)
	for _, tt := range []struct{ topic, data, want string }{
		{user, file(user, "null", 1, "\x02\x02\x02a"), ""},
		{user, file(user, "deflate", 1, "\x02\x02\x02a"), ""},
		{user, file(old, "null", 1, "\x02"), ""},
		{`"long"`, file(`"int"`, "", 1, "\x02"), ""},
		{all, file(all, "null", 1, value), ""},
		{nulls, file(nulls, "null", 1, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"), ""},
		{old, "\x02", "wrong magic in header"}, // a bare datum is refused
		{old, "", "wrong magic in header"},
		{old, avroMagic, "the header is cut off"},
		{old, file("nonsense", "null", 1, "\x02"), "no schema in the header"},
		{old, file(`"string"`, "null", 1, "\x02a"), "cannot be read as"},
		{user, file(user, "null", 0, ""), "no data found"},
		{user, file(user, "snappy", 1, "\x02"), "is not known"},
		{user, file(user, "null", 1, "\x02\x04"), "no such member"},
		{user, file(user, "null", 1, "\x02\x02\x40a"), "cut off"},
		{all, file(all, "null", 1, "\x02"), "not a boolean"},
		{`"string"`, file(`"string"`, "null", 1, "\x02\xff"), "not UTF-8"},
		{user, file(user, "null", 1, "\x02\x00")[:80], "cut off"},
		{`{"type":"record","name":"R","fields":[{"name":"a","type":"R"},{"name":"b","type":"R"}]}`,
			file(`{"type":"record","name":"R","fields":[{"name":"a","type":"R"},{"name":"b","type":"R"}]}`, "null", 1, ""), "too deep"},
	} {
		err := parse(t, "avro", tt.topic).Check([]byte(tt.data))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60q on %.60s: got %v, want %q", tt.data, tt.topic, err, tt.want)
		}
	}
}

// Whatever a client registers or sends, the answer is an error at worst.
func FuzzSchemas(f *testing.F) {
	f.Add("avro", `{"type":"record","name":"R","fields":[{"name":"a","type":["null","R"]}]}`, file(`["null","int"]`, "null", 1, "\x02\x02"))
	f.Add("json", `{"$ref":"#/x","x":{"type":["string"],"pattern":"a","items":[{}]}}`, `{"a":[1,2]}`)
	f.Fuzz(func(t *testing.T, kind, text, payload string) {
		d, err := Parse(kind, []byte(text))
		if err != nil {
			return
		}
		d.Check([]byte(payload))
		d.Wrapped()
		for m := Backward; m <= None; m++ {
			if p := Problems(d, d, m); len(p) > 0 && d.Kind != JSON {
				t.Errorf("not compatible with itself: %q", p)
			}
		}
	})
}
