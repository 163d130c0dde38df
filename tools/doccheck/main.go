// Command doccheck reports exported identifiers that pkg.go.dev would show
// without a word of explanation. Give it directories; it walks them, modules
// inside them included:
//
//	go -C tools run ./doccheck ..
//
// It skips internal packages, tests and testdata: nobody outside reads those. It
// prints file:line and exits with 1 when it found something.
package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("doccheck: ")
	if len(os.Args) < 2 {
		log.Fatal("usage: doccheck DIR...")
	}
	var all []problem
	for _, root := range os.Args[1:] {
		found, err := checkTree(root)
		if err != nil {
			log.Fatal(err)
		}
		all = append(all, found...)
	}
	for _, p := range all {
		fmt.Printf("%s:%d: %s\n", p.pos.Filename, p.pos.Line, p.text)
	}
	if len(all) > 0 {
		log.Fatalf("%d without documentation", len(all))
	}
}

// problem is one identifier without a useful comment.
type problem struct {
	pos  token.Position
	text string
}

// checkTree checks every package below root.
func checkTree(root string) ([]problem, error) {
	var all []problem
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if path != root && skipped(d.Name()) {
			return filepath.SkipDir
		}
		found, err := checkDir(path)
		all = append(all, found...)
		return err
	})
	sort.SliceStable(all, func(i, j int) bool {
		a, b := all[i].pos, all[j].pos
		if a.Filename != b.Filename {
			return a.Filename < b.Filename
		}
		return a.Line < b.Line
	})
	return all, err
}

// skipped says which directories hold nothing that a user reads. Names with a dot
// or an underscore in front are skipped by the go command, too.
func skipped(name string) bool {
	return name == "internal" || name == "testdata" || name == "vendor" ||
		strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// checkDir checks one package. It only parses, so that code for other systems, and
// code that does not compile yet, is checked as well.
func checkDir(dir string) ([]problem, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	c := newChecker()
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(c.fset, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		c.add(f)
	}
	return c.check(), nil
}
