package conf

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/BurntSushi/toml"
)

// decoder fills structs from nodes.
type decoder struct {
	problems []Problem
	// set holds the source of every field that the file has set, by path.
	set map[string]string
}

// table fills the struct v from nodes and returns the nodes without a field.
func (d *decoder) table(nodes []*Node, v reflect.Value, prefix string) (unknown []*Node) {
	fields := tomlFields(v)
	for _, n := range nodes {
		f, ok := fields.find(n.Name)
		if !ok {
			unknown = append(unknown, n)
			continue
		}
		d.value(n, f, join(prefix, n.Name))
	}
	return unknown
}

// value fills v, which is of any type, from n.
func (d *decoder) value(n *Node, v reflect.Value, path string) {
	t := v.Type()
	switch {
	case isLeaf(t):
		d.leaf(n, v, path)
	case t.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(t.Elem()))
		}
		d.value(n, v.Elem(), path)
	case t.Kind() == reflect.Struct:
		children, ok := n.Table()
		if !ok {
			d.mismatch(n, t)
			return
		}
		d.set[path] = n.Source()
		for _, u := range d.table(children, v, path) {
			d.problems = append(d.problems, Problem{
				Key: u.Path, Source: u.Source(), Problem: "unknown key",
				Hint: Suggest(u.Name, tomlFields(v).names()),
			})
		}
	case t.Kind() == reflect.Slice:
		elements, ok := n.list()
		if !ok {
			d.mismatch(n, t)
			return
		}
		d.set[path] = n.Source()
		list := reflect.MakeSlice(t, len(elements), len(elements))
		for i, e := range elements {
			d.value(e, list.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
		v.Set(list)
	default: // a map with texts as keys
		children, ok := n.Table()
		if !ok {
			d.mismatch(n, t)
			return
		}
		d.set[path] = n.Source()
		m := reflect.MakeMapWithSize(t, len(children))
		for _, c := range children {
			e := reflect.New(t.Elem()).Elem()
			d.value(c, e, join(path, c.Name))
			m.SetMapIndex(reflect.ValueOf(c.Name).Convert(t.Key()), e)
		}
		v.Set(m)
	}
}

// leaf gives n to the library.
func (d *decoder) leaf(n *Node, v reflect.Value, path string) {
	t := v.Type()
	if misleads(n.raw, t) {
		d.mismatch(n, t)
		return
	}
	fresh := reflect.New(t).Elem() // nothing is half set, nothing shared with the defaults
	err := n.decode(fresh.Addr().Interface())
	if err == nil {
		v.Set(fresh)
		d.set[path] = n.Source()
		return
	}
	pe, ok := errors.AsType[toml.ParseError](err)
	if !ok {
		d.mismatch(n, t)
		return
	}
	p := Problem{Key: n.Path, Value: n.Text(), Source: n.Source(), Problem: pe.Message}
	if isSecret(t) {
		p.Value = "***"
	}
	d.problems = append(d.problems, p)
}

// misleads reports whether the library would take a value for what it is not: a
// number for a secret's text, after formatting it its own way; a bare number for
// nanoseconds; a negative number for a huge one.
func misleads(raw any, t reflect.Type) bool {
	t = deref(t)
	_, isText := raw.(string)
	n, isInt := raw.(int64)
	return (isSecret(t) || t == durationType) && !isText ||
		isInt && n < 0 && t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64 && !custom(t)
}

func (d *decoder) mismatch(n *Node, t reflect.Type) {
	p := Problem{
		Key: n.Path, Value: n.Text(), Source: n.Source(),
		Problem: fmt.Sprintf("expected %s, got %s", expected(t), n.given()),
	}
	switch {
	case expected(t) == n.given(): // a list or a table, of something else
		p.Problem = fmt.Sprintf("%s, but what is in it does not fit %s", n.given(), t)
	case isSecret(t):
		p.Value = "***"
	}
	d.problems = append(d.problems, p)
}

// isLeaf reports whether the library decodes t as a whole. Structs, lists and maps
// are walked here, so that each value has its own problem.
func isLeaf(t reflect.Type) bool {
	if t == timeType || custom(t) {
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Slice:
		return false
	case reflect.Pointer:
		return isLeaf(t.Elem())
	case reflect.Map:
		return t.Key().Kind() != reflect.String
	default:
		return true
	}
}

// custom reports whether t reads texts or TOML values by itself.
func custom(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(textType) || p.Implements(tomlType)
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// fieldSet is the fields of a struct by their names in the file.
type fieldSet []namedField

type namedField struct {
	name   string
	tagged bool
	value  reflect.Value
}

// tomlFields lists the fields of the struct v with those of embedded structs.
func tomlFields(v reflect.Value) fieldSet {
	var set fieldSet
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		switch {
		case name == "-" || !v.Field(i).CanSet():
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct && !isLeaf(f.Type):
			set = append(set, tomlFields(v.Field(i))...)
		case name != "":
			set = append(set, namedField{name, true, v.Field(i)})
		default:
			set = append(set, namedField{f.Name, false, v.Field(i)})
		}
	}
	return set
}

// find returns the field called name. Only the name of a field without a tag may
// differ in case, since Go demands the capital.
func (s fieldSet) find(name string) (reflect.Value, bool) {
	for _, f := range s {
		if f.name == name || !f.tagged && strings.EqualFold(f.name, name) {
			return f.value, true
		}
	}
	return reflect.Value{}, false
}

func (s fieldSet) names() []string {
	names := make([]string, len(s))
	for i, f := range s {
		names[i] = f.name
	}
	return names
}
