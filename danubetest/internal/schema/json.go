package schema

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// parseJSON reads a JSON Schema and returns it with its canonical text.
func parseJSON(definition []byte) (any, string, error) {
	v, err := decode(definition)
	if err != nil {
		return nil, "", textf("Invalid JSON in schema: %v", err)
	}
	if err := (jsonRoot{v}).compile(v); err != nil {
		return nil, "", textf("Invalid JSON Schema: %v", err)
	}
	return v, canonical(v), nil
}

// jsonRoot is a whole JSON Schema, in which references are looked up.
type jsonRoot struct{ v any }

var jsonTypes = []string{"null", "boolean", "object", "array", "number", "string", "integer"}

// The keywords that are understood, by what is behind them.
var (
	jsonOne    = []string{"not", "additionalProperties", "propertyNames", "contains", "if", "then", "else"}
	jsonLists  = []string{"allOf", "anyOf", "oneOf", "prefixItems"}
	jsonMaps   = []string{"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
	jsonCounts = []string{"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
	jsonBounds = []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)

// compile checks that a schema is one, as far as it is understood.
func (root jsonRoot) compile(v any) error {
	m, ok := v.(map[string]any)
	if _, isBool := v.(bool); isBool {
		return nil
	}
	if !ok {
		return textf("%s is not of types \"boolean\", \"object\"", canonical(v))
	}
	if err := root.compileInner(m); err != nil {
		return err
	}
	wrong := func(key, what string) error { return textf("%s is not of type %q", canonical(m[key]), what) }
	for _, key := range jsonCounts {
		n, isNumber := m[key].(json.Number)
		if i, err := n.Int64(); m[key] != nil && (!isNumber || err != nil) {
			return wrong(key, "integer")
		} else if i < 0 {
			return textf("%s is less than the minimum of 0", n)
		}
	}
	for _, key := range jsonBounds {
		if _, isNumber := m[key].(json.Number); m[key] != nil && !isNumber {
			return wrong(key, "number")
		}
	}
	if _, ok := m["enum"].([]any); m["enum"] != nil && !ok {
		return wrong("enum", "array")
	}
	if _, ok := m["uniqueItems"].(bool); m["uniqueItems"] != nil && !ok {
		return wrong("uniqueItems", "boolean")
	}
	if list, ok := m["required"].([]any); m["required"] != nil && !ok {
		return wrong("required", "array")
	} else if i := slices.IndexFunc(list, func(e any) bool { _, ok := e.(string); return !ok }); i >= 0 {
		return textf("%s is not of type \"string\"", canonical(list[i]))
	}
	if p, ok := m["pattern"].(string); m["pattern"] != nil && !ok {
		return wrong("pattern", "string")
	} else if _, err := regexp.Compile(p); err != nil {
		return textf("%q is not a \"regex\"", p)
	}
	return root.compileType(m["type"])
}

// compileInner checks the schemas inside a schema.
func (root jsonRoot) compileInner(m map[string]any) error {
	var inner []any
	for _, key := range jsonOne {
		if m[key] != nil {
			inner = append(inner, m[key])
		}
	}
	if list, ok := m["items"].([]any); ok {
		inner = append(inner, list...) // as in older drafts
	} else if m["items"] != nil {
		inner = append(inner, m["items"])
	}
	for _, key := range jsonLists {
		list, ok := m[key].([]any)
		switch {
		case m[key] != nil && !ok:
			return textf("%s is not of type \"array\"", canonical(m[key]))
		case ok && len(list) == 0:
			return text("[] has less than 1 item")
		}
		inner = append(inner, list...)
	}
	for _, key := range jsonMaps {
		props, ok := m[key].(map[string]any)
		if m[key] != nil && !ok {
			return textf("%s is not of type \"object\"", canonical(m[key]))
		}
		for _, k := range sortedKeys(props) {
			if _, err := regexp.Compile(k); err != nil && key == "patternProperties" {
				return textf("%q is not a \"regex\"", k)
			}
			inner = append(inner, props[k])
		}
	}
	for _, v := range inner {
		if err := root.compile(v); err != nil {
			return err
		}
	}
	if ref, ok := m["$ref"].(string); ok && strings.HasPrefix(ref, "#") {
		if _, ok := root.find(ref); !ok {
			return textf("Pointer '%s' does not exist", strings.TrimPrefix(ref, "#"))
		}
	}
	return nil
}

func (root jsonRoot) compileType(v any) error {
	list, isList := v.([]any)
	if !isList && v != nil {
		list = []any{v}
	}
	for _, e := range list {
		if s, ok := e.(string); !ok || !slices.Contains(jsonTypes, s) {
			return textf("%s is not valid under any of the schemas listed in the 'anyOf' keyword", canonical(v))
		}
	}
	return nil
}

// find follows a reference into the schema itself.
func (root jsonRoot) find(ref string) (any, bool) {
	path, err := url.PathUnescape(strings.TrimPrefix(ref, "#"))
	if err != nil {
		return nil, false
	}
	v := root.v
	if path == "" {
		return v, true
	}
	if path[0] != '/' {
		return nil, false
	}
	for _, step := range strings.Split(path[1:], "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch in := v.(type) {
		case map[string]any:
			e, ok := in[step]
			if !ok {
				return nil, false
			}
			v = e
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(in) {
				return nil, false
			}
			v = in[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// checkJSON checks a payload.
func checkJSON(schema any, payload []byte) error {
	v, err := decode(payload)
	if err != nil {
		return textf("Invalid JSON data: %v", err)
	}
	c := jsonCheck{root: jsonRoot{schema}}
	c.check(schema, v)
	if len(c.problems) > 0 {
		return textf("JSON Schema validation failed: %s", strings.Join(c.problems, ", "))
	}
	return nil
}

func jsonType(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case json.Number:
		if f := float(v); f == float64(int64(f)) || f < -1<<63 || f >= 1<<63 {
			return "integer"
		}
		return "number"
	}
	return "string"
}

// float is a number of a schema or a payload; one that is too large is infinite.
func float(v any) float64 {
	f, _ := strconv.ParseFloat(fmt.Sprint(v), 64)
	return f
}

// equalJSON reports whether two values are the same, 1 and 1.0 included.
func equalJSON(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		n, ok := b.(json.Number)
		return ok && float(a) == float(n)
	case []any:
		list, ok := b.([]any)
		return ok && slices.EqualFunc(a, list, equalJSON)
	case map[string]any:
		m, ok := b.(map[string]any)
		ok = ok && len(a) == len(m)
		for k, v := range a {
			o, has := m[k]
			ok = ok && has && equalJSON(v, o)
		}
		return ok
	}
	switch b.(type) {
	case json.Number, []any, map[string]any:
		return false
	}
	return a == b
}
