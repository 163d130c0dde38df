package conf

import (
	"strings"
	"testing"
)

const sample = "\ufeff# first\n" + `
name = "x"
dotted.key = 2
tags = ["a",
  "b"]

[table]
one = 1
inner = { a = 1, b = "two" }

[deep.er]
x = 1

[[routes]]
topic = "a"
[[routes]]
topic = "b"
[routes.sub]
y = 1
`

func mustParse(t *testing.T, text string) *File {
	t.Helper()
	f, p := ParseFile("a.toml", []byte(text))
	if p != nil {
		t.Fatalf("%+v", *p)
	}
	return f
}

func find(t *testing.T, nodes []*Node, name string) *Node {
	t.Helper()
	for _, n := range nodes {
		if n.Name == name {
			return n
		}
	}
	t.Fatalf("no %s", name)
	return nil
}

func TestFilePlaces(t *testing.T) {
	top := mustParse(t, sample).Top()
	sub := func(n *Node) []*Node {
		nodes, ok := n.Table()
		if !ok {
			t.Fatalf("%s is no table", n.Path)
		}
		return nodes
	}
	check := func(n *Node, path, source, text string, table bool) {
		t.Helper()
		if n.Path != path || n.Source() != source || n.Text() != text || n.IsTable() != table {
			t.Errorf("got %s (%s) %q table %v, want %s (%s) %q table %v",
				n.Path, n.Source(), n.Text(), n.IsTable(), path, source, text, table)
		}
	}
	check(find(t, top, "name"), "name", "a.toml:3", "x", false)
	check(find(t, top, "dotted"), "dotted", "a.toml", "", true)
	check(find(t, sub(find(t, top, "dotted")), "key"), "dotted.key", "a.toml:4", "2", false)
	check(find(t, top, "tags"), "tags", "a.toml:5", "", false)
	table := find(t, top, "table")
	check(table, "table", "a.toml:8", "", true)
	check(find(t, sub(table), "one"), "table.one", "a.toml:9", "1", false)
	check(find(t, sub(find(t, sub(table), "inner")), "b"), "table.inner.b", "a.toml:10", "two", false)
	check(find(t, sub(find(t, top, "deep")), "er"), "deep.er", "a.toml:12", "", true)

	tags, ok := find(t, top, "tags").list()
	if !ok || len(tags) != 2 {
		t.Fatalf("tags: %v", tags)
	}
	check(tags[1], "tags[1]", "a.toml:5", "b", false)
	routes := find(t, top, "routes")
	if !routes.IsTable() || !routes.IsList() {
		t.Error("a list of tables is both")
	}
	elements, ok := routes.list()
	if !ok || len(elements) != 2 {
		t.Fatalf("routes: %v", elements)
	}
	// A wrong line would be worse than none.
	check(find(t, sub(elements[0]), "topic"), "routes[0].topic", "a.toml", "a", false)
	check(find(t, sub(find(t, sub(elements[1]), "sub")), "y"), "routes[1].sub.y", "a.toml", "1", false)

	if _, ok := find(t, top, "name").Table(); ok {
		t.Error("a text is a table")
	}
	if _, ok := find(t, top, "name").list(); ok {
		t.Error("a text is a list")
	}
	if !find(t, top, "tags").Equal(find(t, top, "tags")) || find(t, top, "tags").Equal(table) {
		t.Error("Equal")
	}
	if (*File)(nil).Top() != nil {
		t.Error("no file has keys")
	}
}

func TestFileOrder(t *testing.T) {
	var names []string
	for _, n := range mustParse(t, "z = 1\ny = 2\n[x]\n[b.c]\n[a.c]\n").Top() {
		names = append(names, n.Name)
	}
	if got := strings.Join(names, ""); got != "abzyx" { // those that only children name come first
		t.Errorf("got %s", got)
	}
}

func TestFileSyntax(t *testing.T) {
	for text, want := range map[string]string{
		"a = 1\na = 2": "a.toml:2: not TOML: Key 'a' has already been defined.",
		"a =":          "a.toml:1: not TOML: unexpected EOF; expected value",
		"a = \xff":     "a.toml:1: not TOML: invalid UTF-8 byte: 0xff",
		"key: value":   "a.toml:1: not TOML: ",
	} {
		f, p := ParseFile("a.toml", []byte(text))
		if f != nil || p == nil || !strings.HasPrefix(p.Source+": "+p.Problem, want) {
			t.Errorf("%q: got %+v, want %s", text, p, want)
		}
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"batch_size", "batch_bytes", "log_level", "on_error"}
	for name, want := range map[string]string{
		"batch_sise": `did you mean "batch_size"?`,
		"batch-size": `did you mean "batch_size"?`,
		"BATCH_SIZE": `did you mean "batch_size"?`,
		"loglevel":   `did you mean "log_level"?`,
		"zzz":        "known here: batch_bytes, batch_size, log_level, on_error",
		"":           "known here: batch_bytes, batch_size, log_level, on_error",
	} {
		if got := Suggest(name, known); got != want {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if got := Suggest("zzz", strings.Split("abcdefghi", "")); got != "" {
		t.Errorf("too many to list: %s", got)
	}
	if got := Suggest("a", nil); got != "" {
		t.Errorf("got %s", got)
	}
}

func TestShorten(t *testing.T) {
	long := strings.Repeat("é", 100)
	if got := shorten(long); got != strings.Repeat("é", 32)+"…" {
		t.Errorf("got %q", got)
	}
	if got := shorten("x" + long); got != "x"+strings.Repeat("é", 31)+"…" {
		t.Errorf("got %q", got)
	}
}
