package connect

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/conf"
)

// SchemaConfig is the schema that a source writes a topic with: a table of [[schemas]]
// in the file, or [ProducerConfig.Schema] in code. It is looked up when the topic is
// opened, and stays the same until the connector is started again.
//
// With a definition the schema is registered as a version of its subject, unless it is
// one already. With NoRegister, Version or MinVersion nothing is registered: the version
// must be there, and a definition is compared with it. Without a definition the
// registry's counts. What the registry does not have, or has otherwise, is an error at
// the start.
type SchemaConfig struct {
	// Topic is the topic. topic; in code that of the ProducerConfig.
	Topic string
	// Subject is the schema's name in the registry: no "/", no white space. subject.
	// Required.
	Subject string
	// Type is what the definition is written in: bytes, string, number, avro,
	// json_schema or protobuf; the first three have no definition. schema_type. Required
	// for what is to be registered.
	Type danube.SchemaType
	// File holds the definition; relative to the configuration file. schema_file.
	File string
	// Definition is the definition itself, in code.
	Definition string
	// NoRegister takes the schema as the registry has it. auto_register = false.
	NoRegister bool
	// Version is the version to write with; 0 is the latest.
	// version_strategy = { pinned = 2 }.
	Version uint32
	// MinVersion is what the latest version must be at least.
	// version_strategy = { minimum = 2 }.
	MinVersion uint32
}

// schemaTypes are the names that the file may have for a type.
var schemaTypes = map[string]danube.SchemaType{
	"bytes": danube.SchemaBytes, "string": danube.SchemaString, "number": danube.SchemaNumber, "avro": danube.SchemaAvro,
	"json_schema": danube.SchemaJSON, "json": danube.SchemaJSON, "protobuf": danube.SchemaProtobuf,
}

const expectedSchemaTypes = "expected bytes, string, number, avro, json_schema or protobuf"

// hasDefinition reports whether schemas of a type have a text.
func hasDefinition(t danube.SchemaType) bool {
	return t == danube.SchemaAvro || t == danube.SchemaJSON || t == danube.SchemaProtobuf
}

// registers reports whether the schema is registered where the registry lacks it.
func (s SchemaConfig) registers() bool {
	return !s.NoRegister && s.Version == 0 && s.MinVersion == 0 && (s.File != "" || s.Definition != "" || s.Type != "" && !hasDefinition(s.Type))
}

// check finds what is wrong with a schema, by the file's keys.
func (s SchemaConfig) check(report func(key, value, problem string)) {
	switch {
	case s.Subject == "":
		report("subject", "", "required: the schema's name in the registry")
	case strings.ContainsFunc(s.Subject, func(r rune) bool { return r <= ' ' || r == '/' }):
		report("subject", s.Subject, `expected a name without "/" and white space`)
	}
	given, text := s.File, "schema_file"
	if given == "" {
		given, text = s.Definition, "definition"
	}
	_, known := schemaTypes[string(s.Type)]
	switch {
	case s.Type == "" && given != "":
		report("schema_type", "", "required: what the definition is written in; "+expectedSchemaTypes)
	case s.Type != "" && (!known || s.Type == "json"):
		report("schema_type", string(s.Type), expectedSchemaTypes)
	case known && !hasDefinition(s.Type) && given != "":
		report(text, shortText(given), fmt.Sprintf("expected none: the type %s has no definition", s.Type))
	}
	switch {
	case s.File != "" && s.Definition != "":
		report("schema_file", s.File, "expected one of a file and a definition in code")
	case s.Version > 0 && s.MinVersion > 0:
		report("version_strategy", fmt.Sprint(s.MinVersion), "expected one of pinned and minimum")
	}
}

func shortText(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// schemaKeys is a table of [[schemas]].
type schemaKeys struct {
	Topic           string          `toml:"topic"`
	Subject         string          `toml:"subject"`
	Type            string          `toml:"schema_type"`
	File            string          `toml:"schema_file"`
	AutoRegister    *bool           `toml:"auto_register"`
	VersionStrategy versionStrategy `toml:"version_strategy"`
}

// versionStrategy is "latest", { pinned = N } or { minimum = N }.
type versionStrategy struct{ pinned, minimum uint32 }

var errVersionStrategy = errors.New(`expected "latest", { pinned = 2 } or { minimum = 2 }`)

// UnmarshalTOML is for the configuration's decoder.
func (v *versionStrategy) UnmarshalTOML(raw any) error {
	if raw == "latest" {
		*v = versionStrategy{}
		return nil
	}
	table, ok := raw.(map[string]any)
	if !ok || len(table) != 1 {
		return errVersionStrategy
	}
	for name, value := range table {
		n, ok := value.(int64)
		switch {
		case !ok || n < 1 || n > 1<<32-1:
			return errVersionStrategy
		case name == "pinned":
			v.pinned = uint32(n)
		case name == "minimum":
			v.minimum = uint32(n)
		default:
			return errVersionStrategy
		}
	}
	return nil
}

// schemas reads [[schemas]].
func (l *loader) schemas(n *conf.Node) (list []SchemaConfig) {
	var keys []schemaKeys
	if problems := conf.FillNode(&keys, schemasTable, n, nil); len(problems) > 0 {
		l.complaint[schemasTable] = true
		l.add(problems...)
		return nil
	}
	for i, k := range keys {
		s := SchemaConfig{Topic: k.Topic, Subject: k.Subject, Type: danube.SchemaType(k.Type), File: k.File, Version: k.VersionStrategy.pinned, MinVersion: k.VersionStrategy.minimum}
		if t, ok := schemaTypes[strings.ToLower(k.Type)]; ok {
			s.Type = t
		}
		if s.File != "" && !filepath.IsAbs(s.File) {
			s.File = filepath.Join(filepath.Dir(l.fileName), s.File)
		}
		if k.AutoRegister != nil {
			s.NoRegister = !*k.AutoRegister
			if *k.AutoRegister && !s.registers() {
				l.complaint[schemasTable] = true
				l.add(conf.Problem{Key: fmt.Sprintf("%s[%d].auto_register", schemasTable, i), Value: "true", Source: n.Source(),
					Problem: `expected false, or a schema_file and version_strategy = "latest": there is nothing to register`})
			}
		}
		list = append(list, s)
	}
	return list
}

// schemas checks the schemas of a configuration.
func (v *validator) schemas(role Role) {
	if role == RoleSink && len(v.c.Schemas) > 0 {
		v.add(schemasTable, "", "expected none for a sink: schemas are what a source publishes with")
		return
	}
	seen := make(map[string]int)
	for i, s := range v.c.Schemas {
		prefix := fmt.Sprintf("%s[%d].", schemasTable, i)
		if v.required(prefix+"topic", s.Topic, "", false) {
			v.topic(prefix+"topic", s.Topic)
		} else {
			v.add(prefix+"topic", "", "required: the topic that is written with the schema")
		}
		if first, again := seen[s.Topic]; again {
			v.add(prefix+"topic", s.Topic, fmt.Sprintf("%s[%d] is for the same topic; keep one", schemasTable, first))
		}
		seen[s.Topic] = i
		s.check(func(key, value, problem string) { v.add(prefix+key, value, problem) })
	}
}

// schemasText returns the schemas as TOML.
func (c Config) schemasText() string {
	var b strings.Builder
	for _, s := range c.Schemas {
		fmt.Fprintf(&b, "[[%s]]\ntopic = %s\nsubject = %s\n", schemasTable, tomlString(s.Topic), tomlString(s.Subject))
		if s.Type != "" {
			fmt.Fprintf(&b, "schema_type = %s\n", tomlString(string(s.Type)))
		}
		switch {
		case s.File != "":
			fmt.Fprintf(&b, "schema_file = %s\n", tomlString(s.File))
		case s.Definition != "":
			b.WriteString("# the definition is given in code\n")
		}
		if s.NoRegister {
			b.WriteString("auto_register = false\n")
		}
		switch {
		case s.Version > 0:
			fmt.Fprintf(&b, "version_strategy = { pinned = %d }\n", s.Version)
		case s.MinVersion > 0:
			fmt.Fprintf(&b, "version_strategy = { minimum = %d }\n", s.MinVersion)
		}
	}
	return b.String()
}
