package schema

import (
	"slices"
	"strings"
)

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
