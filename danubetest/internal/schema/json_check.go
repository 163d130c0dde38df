package schema

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"unicode/utf8"
)

// jsonCheck checks one value. Keywords that it does not know, such as format, let
// everything pass, and so does a reference to another document.
type jsonCheck struct {
	root     jsonRoot
	problems []string
	depth    int
}

// maxJSONDepth bounds how deep references and values may be.
const maxJSONDepth = 200

func (c *jsonCheck) fail(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// fits reports whether a value passes a schema, and says nothing about why.
func (c *jsonCheck) fits(schema, v any) bool {
	inner := jsonCheck{root: c.root, depth: c.depth}
	inner.check(schema, v)
	return len(inner.problems) == 0
}

func (c *jsonCheck) check(schema, v any) {
	m, ok := schema.(map[string]any)
	if schema == false {
		c.fail("False schema does not allow %s", canonical(v))
	}
	if !ok {
		return
	}
	if c.depth++; c.depth > maxJSONDepth {
		c.fail("the schema goes round in circles")
		return
	}
	defer func() { c.depth-- }()
	if ref, ok := m["$ref"].(string); ok {
		if s, ok := c.root.find(ref); ok {
			c.check(s, v)
		}
	}
	if t := m["type"]; t != nil {
		list, ok := t.([]any)
		if !ok {
			list = []any{t}
		}
		is := jsonType(v)
		if !slices.Contains(list, any(is)) && (is != "integer" || !slices.Contains(list, any("number"))) {
			c.fail("%s is not of type %s", canonical(v), canonical(t))
		}
	}
	if list, ok := m["enum"].([]any); ok && !slices.ContainsFunc(list, func(e any) bool { return equalJSON(e, v) }) {
		c.fail("%s is not one of %s", canonical(v), canonical(list))
	}
	if want, ok := m["const"]; ok && !equalJSON(want, v) {
		c.fail("%s was expected", canonical(want))
	}
	c.combine(m, v)
	switch v := v.(type) {
	case string:
		c.text(m, v)
	case []any:
		c.array(m, v)
	case map[string]any:
		c.object(m, v)
	default:
		if t := jsonType(v); t == "integer" || t == "number" {
			c.number(m, v)
		}
	}
}

func (c *jsonCheck) combine(m map[string]any, v any) {
	all, _ := m["allOf"].([]any)
	for _, s := range all {
		c.check(s, v)
	}
	passing := func(key string) (n int, ok bool) {
		list, ok := m[key].([]any)
		for _, s := range list {
			if c.fits(s, v) {
				n++
			}
		}
		return n, ok
	}
	if n, ok := passing("anyOf"); ok && n == 0 {
		c.fail("%s is not valid under any of the schemas listed in the 'anyOf' keyword", canonical(v))
	}
	if n, ok := passing("oneOf"); ok && n != 1 {
		c.fail("%s is valid under %d of the schemas listed in the 'oneOf' keyword, not 1", canonical(v), n)
	}
	if not, ok := m["not"]; ok && c.fits(not, v) {
		c.fail("%s is not allowed for %s", canonical(not), canonical(v))
	}
	if cond, ok := m["if"]; ok {
		branch := "else"
		if c.fits(cond, v) {
			branch = "then"
		}
		c.check(m[branch], v)
	}
}

// bound compares a size with two keywords.
func (c *jsonCheck) bound(m map[string]any, min, max string, n int, v any) {
	if low, ok := m[min]; ok && float64(n) < float(low) {
		c.fail("%s has less than %v in %s", canonical(v), low, min)
	}
	if high, ok := m[max]; ok && float64(n) > float(high) {
		c.fail("%s has more than %v in %s", canonical(v), high, max)
	}
}

func (c *jsonCheck) text(m map[string]any, s string) {
	c.bound(m, "minLength", "maxLength", utf8.RuneCountInString(s), s)
	if p, ok := m["pattern"].(string); ok && !matches(p, s) {
		c.fail("%s does not match %q", canonical(s), p)
	}
}

// matches reports whether a pattern is found in a text. One that a reference has led
// to may be no pattern, and is passed by.
func matches(pattern, s string) bool {
	p, err := regexp.Compile(pattern)
	return err != nil || p.MatchString(s)
}

func (c *jsonCheck) number(m map[string]any, v any) {
	n := float(v)
	for key, bad := range map[string]func(limit float64) bool{
		"minimum":          func(l float64) bool { return n < l },
		"maximum":          func(l float64) bool { return n > l },
		"exclusiveMinimum": func(l float64) bool { return n <= l },
		"exclusiveMaximum": func(l float64) bool { return n >= l },
		"multipleOf":       func(l float64) bool { return l != 0 && math.Abs(n/l-math.Round(n/l)) > 1e-9 },
	} {
		if limit, ok := m[key]; ok && bad(float(limit)) {
			c.fail("%s breaks %s %v", canonical(v), key, limit)
		}
	}
}

func (c *jsonCheck) array(m map[string]any, list []any) {
	c.bound(m, "minItems", "maxItems", len(list), list)
	first, _ := m["prefixItems"].([]any)
	rest := m["items"]
	if old, ok := rest.([]any); ok {
		first, rest = old, m["additionalItems"]
	}
	for i, e := range list {
		if i < len(first) {
			c.check(first[i], e)
		} else {
			c.check(rest, e)
		}
	}
	if s, ok := m["contains"]; ok && !slices.ContainsFunc(list, func(e any) bool { return c.fits(s, e) }) {
		c.fail("None of %s are valid under the given schema", canonical(list))
	}
	if m["uniqueItems"] == true {
		for i := range list {
			if slices.ContainsFunc(list[:i], func(e any) bool { return equalJSON(e, list[i]) }) {
				c.fail("%s has non-unique elements", canonical(list))
				break
			}
		}
	}
}

func (c *jsonCheck) object(m, v map[string]any) {
	c.bound(m, "minProperties", "maxProperties", len(v), v)
	required, _ := m["required"].([]any)
	for _, k := range required {
		if s, isText := k.(string); isText {
			if _, ok := v[s]; !ok {
				c.fail("%q is a required property", s)
			}
		}
	}
	props, _ := m["properties"].(map[string]any)
	patterns, _ := m["patternProperties"].(map[string]any)
	for _, k := range sortedKeys(v) {
		schema, known := props[k]
		c.check(schema, v[k])
		for _, p := range sortedKeys(patterns) {
			if matches(p, k) {
				known = true
				c.check(patterns[p], v[k])
			}
		}
		if extra, ok := m["additionalProperties"]; ok && !known {
			if extra == false {
				c.fail("Additional properties are not allowed ('%s' was unexpected)", k)
			} else {
				c.check(extra, v[k])
			}
		}
		if names, ok := m["propertyNames"]; ok {
			c.check(names, k)
		}
	}
}
