// Command sleepcheck reports tests that sleep in real time: they are slow on a good
// day and wrong on a bad one. Sleeping in a bubble of testing/synctest is fine, so a
// file passes that enters one, by itself or through a helper of its package. What
// must sleep in real time says why, with a comment "// sleep: because ..." on the line
// or the one above, or once for a whole file, above its first declaration.
//
//	go -C tools run ./sleepcheck ..
//
// It prints file:line and exits with 1 when it found something.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("sleepcheck: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: sleepcheck DIR")
	}
	found, err := checkTree(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for _, pos := range found {
		fmt.Printf("%s:%d: sleeps in real time\n", pos.Filename, pos.Line)
	}
	if len(found) > 0 {
		log.Fatalf("%d sleeps: wait for the event, use testing/synctest, or say why with %q", len(found), allow)
	}
}

const allow = "// sleep: "

// checkTree checks the tests of every directory below root.
func checkTree(root string) ([]token.Position, error) {
	var found []token.Position
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); path != root && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
			return filepath.SkipDir
		}
		tests, err := filepath.Glob(filepath.Join(path, "*_test.go"))
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range tests {
			f, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			files = append(files, f)
		}
		found = append(found, check(fset, files)...)
		return nil
	})
	return found, err
}

// check looks at the test files of one directory.
func check(fset *token.FileSet, files []*ast.File) []token.Position {
	bubbles := bubbleFuncs(files)
	var found []token.Position
	for _, f := range files {
		if entersBubble(f, bubbles) {
			continue
		}
		excused, all := excuses(fset, f)
		if all {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && isSelector(call.Fun, "time", "Sleep") {
				if pos := fset.Position(call.Pos()); !excused[pos.Line] {
					found = append(found, pos)
				}
			}
			return true
		})
	}
	return found
}

// excuses finds the lines, or says that it is the whole file, for which a comment
// says why they sleep.
func excuses(fset *token.FileSet, f *ast.File) (lines map[int]bool, all bool) {
	lines = make(map[int]bool)
	for _, group := range f.Comments {
		for _, c := range group.List {
			if !strings.HasPrefix(c.Text, allow) {
				continue
			}
			all = all || len(f.Decls) > 0 && c.Pos() < f.Decls[0].Pos()
			line := fset.Position(c.Pos()).Line
			lines[line] = true
			lines[fset.Position(group.End()).Line+1] = true
		}
	}
	return lines, all
}

// bubbleFuncs names the functions that enter a bubble, directly or by calling one
// that does.
func bubbleFuncs(files []*ast.File) map[string]bool {
	bubbles := make(map[string]bool)
	for grown := true; grown; {
		grown = false
		for _, f := range files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if ok && fn.Recv == nil && !bubbles[fn.Name.Name] && entersBubble(fn, bubbles) {
					bubbles[fn.Name.Name] = true
					grown = true
				}
			}
		}
	}
	return bubbles
}

// entersBubble says whether a node enters a bubble, or is in one, or calls one of the
// functions that do.
func entersBubble(n ast.Node, bubbles map[string]bool) bool {
	enters := false
	ast.Inspect(n, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			id, plain := call.Fun.(*ast.Ident)
			enters = enters || isSelector(call.Fun, "synctest", "Test") || isSelector(call.Fun, "synctest", "Wait") || plain && bubbles[id.Name]
		}
		return !enters
	})
	return enters
}

func isSelector(e ast.Expr, pkg, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	id, ok := s.X.(*ast.Ident)
	return ok && id.Name == pkg
}
