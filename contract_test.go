package connect_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	sentence = regexp.MustCompile(`(?m)^(\d+)\. `)
	tested   = regexp.MustCompile(`(?m)^\| (\d+) \| (.*) \|$`)
	testName = regexp.MustCompile("`(Test[A-Za-z0-9_]+)`")
)

// Each sentence of the contract has tests, and every test that the page names is there.
func TestContractHasItsTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/delivery.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t, ".")
	names := testName.FindAllStringSubmatch(string(text), -1)
	for _, m := range names {
		if !tests[m[1]] {
			t.Errorf("docs/delivery.md names %s, which no _test.go file has", m[1])
		}
	}
	if len(names) == 0 {
		t.Error("docs/delivery.md names no test")
	}
	sections := 0
	for section := range strings.SplitSeq(string(text), "\n## ") {
		contract, table, ok := strings.Cut(section, "### Tests of these sentences")
		if !ok {
			continue
		}
		sections++
		title, _, _ := strings.Cut(section, "\n")
		contract, _, _ = strings.Cut(contract, "\n### ") // lists further down are no sentences of it
		covered := map[string]bool{}
		for _, row := range tested.FindAllStringSubmatch(table, -1) {
			covered[row[1]] = testName.MatchString(row[2])
		}
		for _, s := range sentence.FindAllStringSubmatch(contract, -1) {
			if !covered[s[1]] {
				t.Errorf("docs/delivery.md, %s: sentence %s has no test", title, s[1])
			}
			delete(covered, s[1])
		}
		for n := range covered {
			t.Errorf("docs/delivery.md, %s: there is no sentence %s", title, n)
		}
	}
	if sections == 0 {
		t.Error("docs/delivery.md has no section with tests")
	}
}

// testNames are the tests of all packages.
func testNames(t *testing.T, root string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				names[fn.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
