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

// begin reads what record, enum and fixed have in common, and what is printed of it.
func (p *avroParser) begin(m map[string]any, ns, kind string, own ...string) (full, space string, out map[string]any, err error) {
	name, ok := m["name"].(string)
	if !ok {
		return "", "", nil, text("No `name` field")
	}
	if !avroName.MatchString(name) {
		return "", "", nil, ErrPanics
	}
	space = ns
	if s, ok := m["namespace"].(string); ok {
		space = s
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		space, name = name[:i], name[i+1:]
	}
	full = name
	if space != "" {
		full = space + "." + name
	}
	out = attributes(m, append(own, "name", "namespace", "doc", "aliases")...)
	out["type"], out["name"] = kind, name
	if space != "" {
		out["namespace"] = space
	}
	if doc, ok := m["doc"].(string); ok && kind != "enum" {
		out["doc"] = doc
	}
	if list, ok := m["aliases"].([]any); ok {
		aliases := []any{}
		for _, a := range list {
			if s, ok := a.(string); ok {
				if space != "" && !strings.Contains(s, ".") {
					s = space + "." + s
				}
				aliases = append(aliases, s)
			}
		}
		out["aliases"] = aliases
	}
	return full, space, out, nil
}

// attributes are the keys of a schema that mean nothing to Avro, and are printed.
func attributes(m map[string]any, own ...string) map[string]any {
	out := make(map[string]any)
	for k, v := range m {
		if k != "type" && !slices.Contains(own, k) {
			out[k] = v
		}
	}
	return out
}

func (p *avroParser) record(m map[string]any, ns string) (*avroType, error) {
	full, space, out, err := p.begin(m, ns, "record", "fields")
	if err != nil {
		return nil, err
	}
	list, ok := m["fields"].([]any)
	if !ok {
		return nil, text("No `fields` in record")
	}
	t := p.add(avroType{kind: "record", name: full})
	p.names[full] = t // it may have itself
	fields := []any{}
	for _, e := range list {
		fm, ok := e.(map[string]any)
		if !ok {
			continue
		}
		f, printed, err := p.field(fm, space, full)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(t.fields, func(o avroField) bool { return o.name == f.name }) {
			return nil, textf("Duplicate field name %s", f.name)
		}
		t.fields = append(t.fields, f)
		fields = append(fields, printed)
	}
	out["fields"] = fields
	t.json = out
	return t, nil
}

func (p *avroParser) field(m map[string]any, ns, record string) (f avroField, printed any, err error) {
	name, ok := m["name"].(string)
	if !ok {
		return f, nil, text("No `name` in record field")
	}
	if !avroShort.MatchString(name) {
		return f, nil, textf("Invalid field name %s", name)
	}
	f.name = name
	if f.typ, err = p.object(m, ns, true); err != nil {
		return f, nil, err
	}
	own := []string{"name", "doc", "default", "order", "position", "aliases", "logicalType"}
	if key := map[string]string{"enum": "symbols", "fixed": "size", "array": "items", "map": "values"}[f.typ.kind]; key != "" {
		own = append(own, key)
	}
	out := attributes(m, own...)
	out["name"], out["type"] = name, f.typ.json
	var def any
	if def, f.hasDefault = m["default"]; f.hasDefault {
		if !f.typ.holds(def) {
			return f, nil, textf("`default`'s value type of field %q in %q must be %q", name, record, canonical(f.typ.json))
		}
		out["default"] = def
	}
	if a, ok := m["aliases"].([]any); ok {
		out["aliases"] = a
	}
	return f, out, nil
}

func (p *avroParser) enum(m map[string]any, ns string) (*avroType, error) {
	full, _, out, err := p.begin(m, ns, "enum", "symbols")
	if err != nil {
		return nil, err
	}
	list, ok := m["symbols"].([]any)
	if !ok {
		return nil, text("No `symbols` field in enum")
	}
	t := p.add(avroType{kind: "enum", name: full})
	for _, e := range list {
		s, ok := e.(string)
		switch {
		case !ok:
			return nil, text("Unable to parse `symbols` in enum")
		case !avroShort.MatchString(s):
			return nil, textf("Invalid enum symbol name %s", s)
		case slices.Contains(t.symbols, s):
			return nil, textf("Duplicate enum symbol %s", s)
		}
		t.symbols = append(t.symbols, s)
	}
	if def, ok := m["default"]; ok && !t.holds(def) {
		return nil, textf("Invalid default of enum %s", full)
	}
	out["symbols"] = list
	t.json = out
	p.names[full] = t
	return t, nil
}

func (p *avroParser) fixed(m map[string]any, ns string) (*avroType, error) {
	size, ok := integer(m["size"])
	if !ok || size < 0 {
		return nil, text("Fixed schema has no `size`")
	}
	full, _, out, err := p.begin(m, ns, "fixed", "size")
	if err != nil {
		return nil, err
	}
	out["size"] = m["size"]
	t := p.add(avroType{kind: "fixed", name: full, size: size, json: out})
	p.names[full] = t
	return t, nil
}

func (p *avroParser) collection(m map[string]any, ns, key, missing string) (*avroType, error) {
	if m[key] == nil {
		return nil, text(missing)
	}
	of, err := p.parse(m[key], ns)
	if err != nil {
		return nil, err
	}
	kind := m["type"].(string)
	out := attributes(m, key, "name", "namespace", "doc", "aliases")
	out["type"], out[key] = kind, of.json
	return p.add(avroType{kind: kind, of: of, json: out}), nil
}
