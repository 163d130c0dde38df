package connect

import "testing"

func TestHoldsItself(t *testing.T) {
	type node struct {
		Name string
		Next *node
		In   any
	}
	m := map[string]any{}
	m["deep"] = []any{1, map[string]any{"again": m}}
	s := make([]any, 2)
	s[1] = s
	ring := &node{Name: "a"}
	ring.Next = ring
	inner := &node{}
	inner.In = *inner
	boxed := []any{&m}
	var none *node
	shared := []int{1, 2}
	part := make([]any, 3)
	part[0] = part[:2] // holds itself, by a part
	deep := any(1)
	for range 2000 {
		deep = []any{deep}
	}
	for _, tt := range []struct {
		name  string
		value any
		want  bool
	}{
		{"nil", nil, false},
		{"a number", 7, false},
		{"a nil pointer", none, false},
		{"a map in itself", m, true},
		{"a pointer to it", &m, true},
		{"a slice in itself", s, true},
		{"a slice in a part of itself", part, true},
		{"pointers in a ring, of which fmt prints the address", ring, false},
		{"a pointer to a map in itself, likewise", boxed, false},
		{"a struct with a copy of itself", inner, false},
		{"one thing twice", []any{shared, shared, map[string]any{"a": shared}}, false},
		{"nested without end", deep, true},
		{"a channel and a function", []any{make(chan int), func() {}}, false},
	} {
		if got := holdsItself(tt.value); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
