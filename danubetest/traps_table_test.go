package danubetest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// testNames returns the tests of this directory.
func testNames(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	must(t, err)
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		must(t, err)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}

func TestTrapTable(t *testing.T) {
	text, err := os.ReadFile("TRAPS.md")
	must(t, err)
	tests := testNames(t)
	numbers, seen := map[string]bool{}, map[danubetest.Trap]bool{}
	yes := func(p danubetest.Profile, tr danubetest.Trap) string {
		if slices.Contains(p.Traps(), tr) {
			return "yes"
		}
		return "no"
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 6 || cells[0] == "No." || strings.HasPrefix(cells[0], "-") {
			continue
		}
		no, name, test := cells[0], cells[1], cells[5]
		numbers[no] = true
		if !slices.Contains(tests, test) {
			t.Errorf("%s: there is no test %q", no, test)
		}
		if name == "client" {
			continue
		}
		tr, err := danubetest.ParseTrap(name)
		if err != nil {
			t.Errorf("%s: %v", no, err)
			continue
		}
		seen[tr] = true
		want(t, name+": profiles", cells[2:4], []string{yes(danubetest.Sound, tr), yes(danubetest.Real, tr)})
	}
	for i := range 36 {
		if no := fmt.Sprintf("T%d", i+1); !numbers[no] {
			t.Errorf("the table has no %s", no)
		}
	}
	for _, tr := range danubetest.Traps() {
		if !seen[tr] {
			t.Errorf("the table has no trap %s", tr)
		}
	}
}

func TestParseTrap(t *testing.T) {
	for _, tr := range danubetest.Traps() {
		got, err := danubetest.ParseTrap(strings.ToUpper(tr.String()))
		must(t, err)
		want(t, "trap", got, tr)
	}
	if _, err := danubetest.ParseTrap("Nonsense"); err == nil || !strings.Contains(err.Error(), "Unflushed, Latest") {
		t.Errorf("error %v", err)
	}
}
