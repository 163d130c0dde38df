package doctest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	quoted = regexp.MustCompile("`([^`\n]+)`")
	// An exported name, on its own or with a package or a type before it, and perhaps
	// with arguments behind it.
	goName = regexp.MustCompile(`^(?:\w+\.)?([A-Z][a-z]\w*)(?:\(.*)?$`)
)

// TestNames looks for the Go names in the text among what the packages export.
func TestNames(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, dir := range []string{".", "danube", "danubetest", "utils", "codecs/avro", "codecs/jsonschema", "codecs/protobuf"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			declared(f, names)
		}
	}
	found := 0
	for _, d := range docs(t) {
		for _, m := range quoted.FindAllStringSubmatch(d.Text, -1) {
			name := goName.FindStringSubmatch(m[1])
			if name == nil || strings.HasPrefix(name[1], "Test") { // contract_test.go looks for tests
				continue
			}
			found++
			if !names[name[1]] {
				t.Errorf("%s: %s: nothing is called %s", d.Name, m[1], name[1])
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d names were found", found)
	}
}

// declared adds what a file declares: functions, methods, types, their fields,
// variables.
func declared(f *ast.File, names map[string]bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			names[n.Name.Name] = true
			return false
		case *ast.TypeSpec:
			names[n.Name.Name] = true
		case *ast.Field:
			for _, id := range n.Names {
				names[id.Name] = true
			}
		case *ast.ValueSpec:
			for _, id := range n.Names {
				names[id.Name] = true
			}
		}
		return true
	})
}
