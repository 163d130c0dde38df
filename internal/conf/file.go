package conf

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/BurntSushi/toml"
)

// File is a parsed TOML file. It is safe for concurrent use.
type File struct {
	name string
	top  []*Node

	mu sync.Mutex // the metadata keeps the place while it decodes
	md toml.MetaData
}

// Node is a key of a file with its value.
type Node struct {
	Name string // the key's last part
	Path string // the whole key, with dots
	Line int    // 0 where it cannot be told: below [[lists]], and for a table that only its children name

	file   *File
	listed bool // in a list, directly or further down
	raw    any
	prim   toml.Primitive
}

// ParseFile parses the text of the file called name.
func ParseFile(name string, text []byte) (*File, *Problem) {
	f := &File{name: name}
	var top map[string]toml.Primitive
	md, err := toml.Decode(string(text), &top)
	if err != nil {
		p := &Problem{Source: name, Problem: "not TOML: " + err.Error()}
		if pe, ok := errors.AsType[toml.ParseError](err); ok {
			p.Source = fmt.Sprintf("%s:%d", name, pe.Position.Line)
			p.Problem = "not TOML: " + pe.Message
		}
		return nil, p
	}
	f.md = md
	f.top = f.nodes(top, nil)
	return f, nil
}

// Top returns the keys at the file's top, in the file's order. A nil File has none.
func (f *File) Top() []*Node {
	if f == nil {
		return nil
	}
	return f.top
}

// nodes makes the children of a table, or the top of the file.
func (f *File) nodes(prims map[string]toml.Primitive, parent *Node) []*Node {
	nodes := make([]*Node, 0, len(prims))
	for name, prim := range prims {
		path := name
		if parent != nil {
			path = join(parent.Path, name)
		}
		n := &Node{Name: name, Path: path, file: f, prim: prim}
		if parent != nil && parent.listed {
			n.listed, n.Line = true, parent.Line
		}
		nodes = append(nodes, f.look(n))
	}
	slices.SortFunc(nodes, func(a, b *Node) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	return nodes
}

// look finds out the value of n and, outside of lists, its line.
func (f *File) look(n *Node) *Node {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.md.PrimitiveDecode(n.prim, &n.raw) // any value fits
	if n.listed {
		return n // the library knows the line of the last element only
	}
	// It tells lines in errors, and nowhere else.
	if pe, ok := errors.AsType[toml.ParseError](f.md.PrimitiveDecode(n.prim, refuse{})); ok {
		n.Line = pe.Position.Line
	}
	return n
}

// refuse is a destination that no value fits.
type refuse struct{}

var errRefused = errors.New("refused")

func (refuse) UnmarshalTOML(any) error { return errRefused }

// Source returns the place of n, as "connector.toml:12".
func (n *Node) Source() string {
	if n.Line == 0 {
		return n.file.name
	}
	return fmt.Sprintf("%s:%d", n.file.name, n.Line)
}

// IsTable reports whether n is a table or a list of nothing but tables.
func (n *Node) IsTable() bool {
	switch v := n.raw.(type) {
	case map[string]any, []map[string]any:
		return true
	case []any:
		for _, e := range v {
			if _, ok := e.(map[string]any); !ok {
				return false
			}
		}
		return len(v) > 0
	default:
		return false
	}
}

// Table returns the keys of a table and whether n is one.
func (n *Node) Table() ([]*Node, bool) {
	if _, ok := n.raw.(map[string]any); !ok {
		return nil, false
	}
	var prims map[string]toml.Primitive
	if n.decode(&prims) != nil {
		return nil, false
	}
	return n.file.nodes(prims, n), true
}

// list returns the elements of a list and whether n is one.
func (n *Node) list() ([]*Node, bool) {
	var prims []toml.Primitive
	if !n.IsList() || n.decode(&prims) != nil {
		return nil, false
	}
	line := n.Line
	if _, ok := n.raw.([]map[string]any); ok {
		line = 0 // each [[element]] has its own, which the library does not tell
	}
	nodes := make([]*Node, len(prims))
	for i, prim := range prims {
		nodes[i] = n.file.look(&Node{
			Name: n.Name, Path: fmt.Sprintf("%s[%d]", n.Path, i), Line: line,
			file: n.file, listed: true, prim: prim,
		})
	}
	return nodes, true
}

// IsList reports whether n is a list, of tables or of anything else.
func (n *Node) IsList() bool {
	switch n.raw.(type) {
	case []any, []map[string]any:
		return true
	default:
		return false
	}
}

func (n *Node) decode(dst any) error {
	n.file.mu.Lock()
	defer n.file.mu.Unlock()
	return n.file.md.PrimitiveDecode(n.prim, dst)
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}
