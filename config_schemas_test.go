package connect

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/danube-messaging/danube-connect-go/danube"
)

func TestSchemasOfTheFile(t *testing.T) {
	text := `connector_name = "c"
destination_topic = "/default/orders"

[[schemas]]
topic = "/default/orders"
subject = "orders-value"
schema_type = "JSON"
schema_file = "schemas/order.json"

[[schemas]]
topic = "/default/a"
subject = "a"
schema_type = "avro"
schema_file = "/etc/a.avsc"
auto_register = false
version_strategy = "latest"

[[schemas]]
topic = "/default/b"
subject = "b"
version_strategy = { pinned = 2 }

[[schemas]]
topic = "/default/c"
subject = "c"
schema_type = "number"
auto_register = true

[[schemas]]
topic = "/default/d"
subject = "d"
version_strategy = { minimum = 3 }
`
	load := func(text string) Config {
		t.Helper()
		c, err := LoadConfig(LoadOptions{File: "conf/a.toml", ReadFile: func(string) ([]byte, error) { return []byte(text), nil }, LookupEnv: variables(), Role: RoleSource})
		must(t, err)
		return c
	}
	c := load(text)
	want := []SchemaConfig{
		{Topic: "/default/orders", Subject: "orders-value", Type: danube.SchemaJSON, File: "conf/schemas/order.json"},
		{Topic: "/default/a", Subject: "a", Type: danube.SchemaAvro, File: "/etc/a.avsc", NoRegister: true},
		{Topic: "/default/b", Subject: "b", Version: 2},
		{Topic: "/default/c", Subject: "c", Type: danube.SchemaNumber},
		{Topic: "/default/d", Subject: "d", MinVersion: 3},
	}
	if !reflect.DeepEqual(c.Schemas, want) {
		t.Errorf("got  %+v\nwant %+v", c.Schemas, want)
	}
	for i, registers := range []bool{true, false, false, true, false} {
		same(t, fmt.Sprint("registers ", i), c.Schemas[i].registers(), registers)
	}
	// What is printed can be loaded again; the one relative name is relative to the file.
	if again := load(strings.Replace(c.String(), "conf/schemas", "schemas", 1)); !reflect.DeepEqual(again.Schemas, want) {
		t.Errorf("printed and loaded again: %+v", again.Schemas)
	}
	if logged := fmt.Sprint(c.LogValue()); !strings.Contains(logged, "orders-value") {
		t.Errorf("the log has %s", logged)
	}
}

func TestSchemasThatAreWrong(t *testing.T) {
	const good = "topic = \"/default/a\"\nsubject = \"a\"\n"
	for name, tc := range map[string]struct {
		text string
		role Role
		want string
	}{
		"no list":         {"schemas = 3", RoleSource, `schemas = "3" (a.toml:1): expected a list, got a whole number`},
		"unknown key":     {"[[schemas]]\n" + good + "subjekt = \"x\"", RoleSource, `schemas[0].subjekt (a.toml): unknown key; did you mean "subject"?`},
		"no topic":        {"[[schemas]]\nsubject = \"a\"", RoleSource, `schemas[0].topic: required: the topic that is written with the schema`},
		"bad topic":       {"[[schemas]]\ntopic = \"a\"\nsubject = \"a\"", RoleSource, `schemas[0].topic = "a": expected /namespace/name, each of letters, digits, _ and -`},
		"no subject":      {"[[schemas]]\ntopic = \"/default/a\"", RoleSource, `schemas[0].subject: required: the schema's name in the registry`},
		"bad subject":     {"[[schemas]]\ntopic = \"/default/a\"\nsubject = \"a/b\"", RoleSource, `schemas[0].subject = "a/b": expected a name without "/" and white space`},
		"twice":           {"[[schemas]]\n" + good + "[[schemas]]\n" + good, RoleSource, `schemas[1].topic = "/default/a": schemas[0] is for the same topic; keep one`},
		"unknown type":    {"[[schemas]]\n" + good + "schema_type = \"xml\"", RoleSource, `schemas[0].schema_type = "xml": expected bytes, string, number, avro, json_schema or protobuf`},
		"file, no type":   {"[[schemas]]\n" + good + "schema_file = \"x\"", RoleSource, `schemas[0].schema_type: required: what the definition is written in; expected bytes, string, number, avro, json_schema or protobuf`},
		"file for bytes":  {"[[schemas]]\n" + good + "schema_type = \"bytes\"\nschema_file = \"/x\"", RoleSource, `schemas[0].schema_file = "/x": expected none: the type bytes has no definition`},
		"strategy":        {"[[schemas]]\n" + good + "version_strategy = \"newest\"", RoleSource, `schemas[0].version_strategy = "newest" (a.toml): expected "latest", { pinned = 2 } or { minimum = 2 }`},
		"strategy of 0":   {"[[schemas]]\n" + good + "version_strategy = { pinned = 0 }", RoleSource, `schemas[0].version_strategy (a.toml): expected "latest", { pinned = 2 } or { minimum = 2 }`},
		"two strategies":  {"[[schemas]]\n" + good + "version_strategy = { pinned = 1, minimum = 1 }", RoleSource, `schemas[0].version_strategy (a.toml): expected "latest", { pinned = 2 } or { minimum = 2 }`},
		"nothing to do":   {"[[schemas]]\n" + good + "auto_register = true", RoleSource, `schemas[0].auto_register = "true" (a.toml:1): expected false, or a schema_file and version_strategy = "latest": there is nothing to register`},
		"pin to register": {"[[schemas]]\n" + good + "schema_type = \"avro\"\nschema_file = \"x\"\nauto_register = true\nversion_strategy = { pinned = 1 }", RoleSource, `schemas[0].auto_register = "true" (a.toml:1): expected false, or a schema_file and version_strategy = "latest": there is nothing to register`},
		"for a sink":      {"[[schemas]]\n" + good, RoleSink, `schemas: expected none for a sink: schemas are what a source publishes with`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := LoadConfig(LoadOptions{File: "a.toml", ReadFile: files(tc.text), Role: tc.role, OwnTopics: true, LookupEnv: variables("CONNECTOR_NAME=c")})
			problems, ok := errors.AsType[ConfigErrors](err)
			if !ok || len(problems) != 1 {
				t.Fatalf("got %v, want one problem", err)
			}
			same(t, "problem", strings.TrimPrefix(problems[0].Error(), "configuration: "), tc.want)
		})
	}
	in := SchemaConfig{Subject: "a", File: "f", Definition: "{}", Type: danube.SchemaJSON, Version: 1, MinVersion: 1}
	var found []string
	in.check(func(key, value, problem string) { found = append(found, key) })
	same(t, "found in code", found, "[schema_file]")
	in.File = ""
	found = nil
	in.check(func(key, value, problem string) { found = append(found, key) })
	same(t, "found in code", found, "[version_strategy]")
}
