package schema

import (
	"fmt"
	"strings"
)

// Mode is what a new version has to keep to.
type Mode int

// The modes. The zero value is what a new subject has.
const (
	Backward Mode = iota // the new version reads what the old one wrote
	Forward              // the old one reads what the new one writes
	Full                 // both
	None                 // anything goes
)

// String returns the name that the registry answers with.
func (m Mode) String() string { return [...]string{"backward", "forward", "full", "none"}[m] }

// Title is the name in the registry's texts.
func (m Mode) Title() string { return strings.ToUpper(m.String()[:1]) + m.String()[1:] }

// ModeOf reads the name of a mode, in upper or lower case.
func ModeOf(name string) (Mode, bool) {
	for m := Backward; m <= None; m++ {
		if strings.EqualFold(name, m.String()) {
			return m, true
		}
	}
	return 0, false
}

// Problems says why a new version does not keep to the mode; nothing when it does. Like
// the broker it looks at little: at the names, the defaults and the presence of the
// outermost fields of Avro records, and at the outermost properties of JSON Schema.
// Every version of the other kinds is compatible.
func Problems(old, next *Definition, m Mode) []string {
	switch {
	case m == None:
		return nil
	case old.Kind != next.Kind:
		return []string{"Schema types must match (cannot change from Avro to JSON, etc.)"}
	case m != Forward:
		if p := backward(old, next); len(p) > 0 || m == Backward {
			return p
		}
	}
	return forward(old, next)
}

func backward(old, next *Definition) (problems []string) {
	switch old.Kind {
	case Avro:
		if !next.avro.reads(old.avro) {
			problems = append(problems, "Reader schema cannot read data written with writer schema")
		}
	case JSON:
		o, n := shapeOf(old.json), shapeOf(next.json)
		for _, f := range o.required {
			if _, ok := n.properties[f]; !ok {
				problems = append(problems, fmt.Sprintf("Backward incompatible: removed required field '%s'", f))
			}
		}
		for _, f := range n.required {
			if _, ok := o.properties[f]; ok && !contains(o.required, f) {
				problems = append(problems, fmt.Sprintf("Backward incompatible: made optional field '%s' required", f))
			}
		}
		problems = append(problems, changedTypes("Backward", o, n)...)
	}
	return problems
}

func forward(old, next *Definition) (problems []string) {
	switch old.Kind {
	case Avro:
		if !old.avro.reads(next.avro) {
			problems = append(problems, "Old schema cannot read data written with new schema")
		}
	case JSON:
		o, n := shapeOf(old.json), shapeOf(next.json)
		for _, f := range n.required {
			if _, ok := o.properties[f]; !ok {
				problems = append(problems, fmt.Sprintf("Forward incompatible: added new required field '%s'", f))
			}
		}
		problems = append(problems, changedTypes("Forward", o, n)...)
	}
	return problems
}

// shape is what the broker compares of a JSON Schema.
type shape struct {
	properties map[string]any
	required   []string
}

func shapeOf(v any) (s shape) {
	m, _ := v.(map[string]any)
	s.properties, _ = m["properties"].(map[string]any)
	list, _ := m["required"].([]any)
	for _, e := range list {
		if f, ok := e.(string); ok {
			s.required = append(s.required, f)
		}
	}
	return s
}

// changedTypes compares what both versions say of a property's type, word by word.
func changedTypes(direction string, o, n shape) (problems []string) {
	for _, f := range sortedKeys(o.properties) {
		was, _ := o.properties[f].(map[string]any)
		is, _ := n.properties[f].(map[string]any)
		if was["type"] != nil && is["type"] != nil && canonical(was["type"]) != canonical(is["type"]) {
			problems = append(problems, fmt.Sprintf("%s incompatible: changed type of field '%s'", direction, f))
		}
	}
	return problems
}
