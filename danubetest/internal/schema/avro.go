package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// avroType is an Avro schema.
type avroType struct {
	kind    string // a primitive or logical type, or one of the complex ones, or "ref"
	base    string // of a logical type: the kind that it is written as
	name    string // of record, enum, fixed and ref, with its namespace
	fields  []avroField
	symbols []string
	size    int64
	of      *avroType   // what an array or map has
	members []*avroType // of a union
	json    any         // to be printed for the fingerprint

	names map[string]*avroType // all that have a name, for refs
}

type avroField struct {
	name       string
	typ        *avroType
	hasDefault bool
}

var avroPrimitives = []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}

// avroLogical is what logical types may be written as.
var avroLogical = map[string][]string{
	"decimal":                {"bytes", "fixed"},
	"big-decimal":            {"bytes"},
	"uuid":                   {"string", "fixed"},
	"date":                   {"int"},
	"time-millis":            {"int"},
	"time-micros":            {"long"},
	"timestamp-millis":       {"long"},
	"timestamp-micros":       {"long"},
	"timestamp-nanos":        {"long"},
	"local-timestamp-millis": {"long"},
	"local-timestamp-micros": {"long"},
	"local-timestamp-nanos":  {"long"},
	"duration":               {"fixed"},
}

const avroWord = `[A-Za-z_][A-Za-z0-9_]*`

var (
	avroName  = regexp.MustCompile(`^(` + avroWord + `\.)*` + avroWord + `$`)
	avroShort = regexp.MustCompile(`^` + avroWord + `$`)
)

// parseAvro reads an Avro schema and returns it with its canonical text.
func parseAvro(definition []byte) (*avroType, string, error) {
	v, err := decode(definition)
	if err != nil {
		return nil, "", text("Invalid Avro schema: Failed to parse schema from JSON")
	}
	p := avroParser{names: make(map[string]*avroType)}
	t, err := p.parse(v, "")
	switch {
	case errors.Is(err, ErrPanics):
		return nil, "", err
	case err != nil:
		return nil, "", textf("Invalid Avro schema: %v", err)
	}
	return t, canonical(t.json), nil
}

type avroParser struct {
	names map[string]*avroType
}

func (p *avroParser) add(t avroType) *avroType {
	t.names = p.names
	return &t
}

// parse reads any schema; ns is the namespace of what is around it.
func (p *avroParser) parse(v any, ns string) (*avroType, error) {
	switch v := v.(type) {
	case string:
		return p.named(v, ns)
	case []any:
		return p.union(v, ns)
	case map[string]any:
		return p.object(v, ns, false)
	}
	return nil, text("Must be a JSON string, object or array")
}

func (p *avroParser) named(s, ns string) (*avroType, error) {
	if slices.Contains(avroPrimitives, s) {
		return p.add(avroType{kind: s, json: s}), nil
	}
	if !avroName.MatchString(s) {
		return nil, textf("Invalid schema name %s. It must match the regex", s)
	}
	full := s
	if ns != "" && !strings.Contains(s, ".") {
		full = ns + "." + s
	}
	if _, ok := p.names[full]; !ok {
		return nil, textf("Unknown primitive type: %s", s)
	}
	return p.add(avroType{kind: "ref", name: full, json: full}), nil
}

func (p *avroParser) union(list []any, ns string) (*avroType, error) {
	t := p.add(avroType{kind: "union"})
	out := []any{}
	var seen []string
	for _, e := range list {
		m, err := p.parse(e, ns)
		if err != nil {
			return nil, err
		}
		if m.kind == "union" {
			return nil, text("Unions may not directly contain a union")
		}
		what := m.name
		if what == "" {
			what = m.kind
		}
		if slices.Contains(seen, what) {
			return nil, text("Unions cannot contain duplicate types")
		}
		seen = append(seen, what)
		t.members = append(t.members, m)
		out = append(out, m.json)
	}
	t.json = out
	return t, nil
}

// object reads a schema that is a JSON object, which may be that of a field.
func (p *avroParser) object(m map[string]any, ns string, field bool) (*avroType, error) {
	if name, ok := m["logicalType"].(string); ok && avroLogical[name] != nil {
		return p.logical(m, name, ns)
	}
	switch t := m["type"].(type) {
	case nil:
		return nil, text("No `type` in complex type")
	case string:
		switch {
		case t == "record" && !field:
			return p.record(m, ns)
		case t == "enum":
			return p.enum(m, ns)
		case t == "fixed":
			return p.fixed(m, ns)
		case t == "array":
			return p.collection(m, ns, "items", "No `items` in array")
		case t == "map":
			return p.collection(m, ns, "values", "No `values` in map")
		}
	}
	return p.parse(m["type"], ns)
}

func (p *avroParser) logical(m map[string]any, name, ns string) (*avroType, error) {
	var under *avroType
	var err error
	switch {
	case m["type"] == nil:
		err = text("No `type` in complex type")
	case m["type"] == "fixed":
		under, err = p.fixed(m, ns)
	default:
		under, err = p.parse(m["type"], ns)
	}
	if err != nil {
		return nil, err
	}
	fits := slices.Contains(avroLogical[name], under.kind)
	switch {
	case name == "uuid" && under.kind == "fixed":
		fits = under.size == 16
	case name == "duration":
		fits = fits && under.size == 12
	}
	precision, ok := integer(m["precision"])
	scale, _ := integer(m["scale"])
	if name == "decimal" && (!ok || precision < 1 || scale < 0 || scale > precision) || !fits {
		return under, nil // is ignored
	}
	t := *under
	t.kind, t.base = name, under.kind
	out := map[string]any{"type": under.kind, "logicalType": name}
	switch name {
	case "decimal":
		if o, ok := under.json.(map[string]any); ok {
			for k, v := range o {
				out[k] = v
			}
		}
		out["precision"], out["scale"] = json.Number(fmt.Sprint(precision)), json.Number(fmt.Sprint(scale))
	case "uuid":
		out["type"] = "string"
	case "duration":
		out["type"] = map[string]any{"type": "fixed", "name": "duration", "size": json.Number("12")}
	}
	t.json = out
	return &t, nil
}

func integer(v any) (int64, bool) {
	n, _ := v.(json.Number)
	i, err := n.Int64()
	return i, err == nil
}
