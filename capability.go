package connect

import (
	"fmt"
	"reflect"
	"strings"
)

// unwrapper is a decorator around a connector.
type unwrapper interface{ Unwrap() any }

// capability finds an optional interface on a connector or on what it wraps, as
// errors.As does with errors: a decorator must not hide what it does not know.
func capability[T any](c any) (T, bool) {
	for c != nil {
		if t, ok := c.(T); ok {
			return t, true
		}
		u, ok := c.(unwrapper)
		if !ok {
			break
		}
		c = u.Unwrap()
	}
	var none T
	return none, false
}

// optionals are the interfaces that a connector may implement beside its own, each
// of one method. This is the one list of them.
func optionals(source bool) []reflect.Type {
	if source {
		return []reflect.Type{reflect.TypeFor[Committer](), reflect.TypeFor[Resumer](), reflect.TypeFor[HealthChecker](), reflect.TypeFor[ProducerConfigurer]()}
	}
	return []reflect.Type{reflect.TypeFor[HealthChecker](), reflect.TypeFor[ConsumerConfigurer]()}
}

// checkCapabilities returns the names of the optional methods that the connector
// has, and an error for each method that has an optional's name and another
// signature: the runtime would silently never call it.
func checkCapabilities(c any, source bool) (found []string, problems ConfigErrors) {
	seen := map[string]bool{}
	for c != nil {
		t := reflect.TypeOf(c)
		for _, opt := range optionals(source) {
			want := opt.Method(0)
			m, ok := t.MethodByName(want.Name)
			switch {
			case !ok:
			case t.Implements(opt):
				if !seen[want.Name] {
					seen[want.Name] = true
					found = append(found, want.Name)
				}
			default:
				problems = append(problems, &ConfigError{
					Key:     fmt.Sprintf("%T.%s", c, want.Name),
					Value:   signature(m.Type, 1),
					Source:  "code",
					Problem: "has the name of an optional method and another signature, and would never be called",
					Hint:    "want " + signature(want.Type, 0) + ", or another name",
				})
			}
		}
		u, ok := c.(unwrapper)
		if !ok {
			break
		}
		c = u.Unwrap()
	}
	return found, problems
}

// signature prints a method's type without its receiver.
func signature(t reflect.Type, skip int) string {
	var in, out []string
	for i := skip; i < t.NumIn(); i++ {
		in = append(in, t.In(i).String())
	}
	for i := range t.NumOut() {
		out = append(out, t.Out(i).String())
	}
	s := "func(" + strings.Join(in, ", ") + ")"
	switch len(out) {
	case 0:
		return s
	case 1:
		return s + " " + out[0]
	}
	return s + " (" + strings.Join(out, ", ") + ")"
}
