package conf

import (
	"errors"
	"fmt"
	"reflect"
)

// Result is what [Fill] did.
type Result struct {
	// Problems is what went wrong, in the file's order, then the environment's.
	Problems []Problem
	// Unknown are the nodes that no field of the struct takes.
	Unknown []*Node
	// Set tells where each field that was set got its value, by path.
	Set map[string]string
}

// Fill fills the struct that dst points to: envDefault tags, then nodes, then the
// environment. Paths start with prefix.
func Fill(dst any, prefix string, nodes []*Node, lookup Lookup) Result {
	v, err := target(dst)
	if err != nil {
		return Result{Problems: []Problem{{Key: prefix, Problem: err.Error()}}}
	}
	d := decoder{set: make(map[string]string)}
	d.problems = setDefaults(dst)
	unknown := d.table(nodes, v, prefix)
	d.environment(dst, v, prefix, lookup)
	return Result{Problems: d.problems, Unknown: unknown, Set: d.set}
}

// FillNode fills what dst points to, of any type, from one node. Structs take the
// environment as well; n may then be nil.
func FillNode(dst any, path string, n *Node, lookup Lookup) []Problem {
	if _, err := target(dst); err == nil {
		var nodes []*Node
		if n != nil {
			var ok bool
			if nodes, ok = n.Table(); !ok {
				return []Problem{NotATable(n)}
			}
		}
		r := Fill(dst, path, nodes, lookup)
		return append(r.Problems, UnknownKeys(r.Unknown, Names(dst))...)
	}
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return []Problem{{Key: path, Problem: fmt.Sprintf("settings need a pointer to decode into, not %T", dst)}}
	}
	if n == nil {
		return nil
	}
	d := decoder{set: make(map[string]string)}
	d.value(n, v.Elem(), path)
	return d.problems
}

// environment sets what the environment has, and finds what nothing has set.
func (d *decoder) environment(dst any, v reflect.Value, prefix string, lookup Lookup) {
	vars, err := variables(v, "", prefix, true)
	if err != nil {
		d.problems = append(d.problems, Problem{Key: prefix, Source: "struct tag", Problem: err.Error()})
		return
	}
	done := make(map[string]bool) // several fields may read one variable
	failed := make(map[string]bool)
	for _, x := range vars {
		value, ok := lookup.get(x.name)
		if !ok {
			continue
		}
		if !done[x.name] {
			done[x.name] = true
			problems := setVariable(dst, x, value)
			failed[x.name] = len(problems) > 0
			d.problems = append(d.problems, problems...)
		}
		if x.path != "" && !failed[x.name] {
			d.set[x.path] = EnvSource(x.name)
		}
	}
	for _, x := range vars {
		if _, inFile := d.set[x.path]; x.required && !inFile && !done[x.name] && !x.hasDefault && x.value.IsZero() && !d.complainedOf(x.path) {
			problem := "required: set the environment variable " + x.name
			if x.path != "" {
				problem = "required: set it in the file or as the environment variable " + x.name
			}
			d.problems = append(d.problems, Problem{Key: x.path, Problem: problem})
		}
	}
}

func (d *decoder) complainedOf(path string) bool {
	for _, p := range d.problems {
		if path != "" && p.Key == path {
			return true
		}
	}
	return false
}

// Names returns the keys that the file may have for the struct that dst points to.
func Names(dst any) []string {
	v, err := target(dst)
	if err != nil {
		return nil
	}
	return tomlFields(v).names()
}

// UnknownKeys makes nodes that nobody knows problems, with hints at those known.
func UnknownKeys(nodes []*Node, known []string) []Problem {
	problems := make([]Problem, len(nodes))
	for i, n := range nodes {
		problems[i] = Problem{Key: n.Path, Source: n.Source(), Problem: "unknown key", Hint: Suggest(n.Name, known)}
	}
	return problems
}

// NotATable says that n is not the table that it should be.
func NotATable(n *Node) Problem {
	return Problem{
		Key: n.Path, Value: n.Text(), Source: n.Source(),
		Problem: fmt.Sprintf("expected a table [%s], got %s", n.Path, n.given()),
	}
}

// target returns the struct that dst points to.
func target(dst any) (reflect.Value, error) {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return reflect.Value{}, errors.New("settings must be a pointer to a struct")
	}
	return v.Elem(), nil
}
