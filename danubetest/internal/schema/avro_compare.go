package schema

import (
	"encoding/json"
	"slices"
	"strings"
)

// holds reports whether a JSON value can be a default of the type.
func (t *avroType) holds(v any) bool {
	kind := t.kind
	if t.base != "" {
		kind = t.base
	}
	n, isNumber := v.(json.Number)
	s, isText := v.(string)
	switch kind {
	case "null":
		return v == nil
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "int", "long":
		return isNumber && !strings.ContainsAny(string(n), ".eE")
	case "float", "double":
		return isNumber
	case "bytes", "string", "fixed":
		return isText
	case "enum":
		return isText && slices.Contains(t.symbols, s)
	case "array":
		list, ok := v.([]any)
		return ok && !slices.ContainsFunc(list, func(e any) bool { return !t.of.holds(e) })
	case "map":
		m, ok := v.(map[string]any)
		for _, e := range m {
			ok = ok && t.of.holds(e)
		}
		return ok
	case "union":
		return slices.ContainsFunc(t.members, func(m *avroType) bool { return m.holds(v) })
	case "ref":
		return t.names[t.name].holds(v)
	}
	m, ok := v.(map[string]any) // a record
	for _, f := range t.fields {
		e, has := m[f.name]
		ok = ok && (f.hasDefault && !has || has && f.typ.holds(e))
	}
	return ok
}

// equal is how the broker's library compares: names of fields do not matter to it.
func (t *avroType) equal(o *avroType) bool {
	if t.name != o.name || t.kind != o.kind || t.size != o.size || !slices.Equal(t.symbols, o.symbols) ||
		len(t.fields) != len(o.fields) || len(t.members) != len(o.members) {
		return false
	}
	if t.kind == "decimal" {
		return canonical(t.json) == canonical(o.json)
	}
	for i := range t.fields {
		if !t.fields[i].typ.equal(o.fields[i].typ) {
			return false
		}
	}
	for i := range t.members {
		if !t.members[i].equal(o.members[i]) {
			return false
		}
	}
	return t.of == nil || t.of.equal(o.of)
}

// avroWidens are the changes of type that the broker allows a reader.
var avroWidens = map[string][]string{
	"long": {"int"}, "double": {"float", "long", "int"}, "string": {"bytes"}, "bytes": {"string"},
}

// reads is how the broker decides whether what was written with w can be read. It does
// not look at the types of a record's fields, and takes every union for readable.
func (t *avroType) reads(w *avroType) bool {
	switch {
	case t.equal(w) || t.kind == "union" || w.kind == "union" || slices.Contains(avroWidens[t.kind], w.kind):
		return true
	case t.kind != w.kind:
		return false
	case t.kind == "array" || t.kind == "map":
		return t.of.reads(w.of)
	case t.kind != "record" || t.name != w.name:
		return false
	}
	for _, f := range t.fields {
		written := slices.ContainsFunc(w.fields, func(o avroField) bool { return o.name == f.name })
		filled := f.hasDefault
		if f.typ.kind == "union" {
			filled = slices.ContainsFunc(f.typ.members, func(m *avroType) bool { return m.kind == "null" })
		}
		if !written && !filled {
			return false
		}
	}
	return true
}
