package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	const helper = "package p\n\nfunc onFake(t *testing.T, f func()) { synctest.Test(t, func(*testing.T) { f() }) }\n\nfunc onBoth(t *testing.T, f func()) { onFake(t, f) }\n"
	const sleeps = "func TestX(t *testing.T) {\n\t%stime.Sleep(time.Second)%s\n}\n"
	for _, tc := range []struct {
		name  string
		files []string
		want  int
	}{
		{"in real time", []string{"package p\n" + fmt.Sprintf(sleeps, "", "")}, 1},
		{"with a reason", []string{"package p\n" + fmt.Sprintf(sleeps, "", " // sleep: the kernel's own timer")}, 0},
		{"with a reason above", []string{"package p\n" + fmt.Sprintf(sleeps, "// sleep: the kernel's\n\t// own timer\n\t", "")}, 0},
		{"with a reason two lines above", []string{"package p\n" + fmt.Sprintf(sleeps, "// sleep: x\n\n\t", "")}, 1},
		{"with a reason for the file", []string{"package p\n\n// sleep: on a real broker too\n\nimport \"time\"\n" + fmt.Sprintf(sleeps, "", "")}, 0},
		{"with another comment", []string{"package p\n" + fmt.Sprintf(sleeps, "", " // sleep well")}, 1},
		{"in a bubble", []string{"package p\n" + fmt.Sprintf(sleeps, "synctest.Test(t, f);", "")}, 0},
		{"in somebody's bubble", []string{"package p\n" + fmt.Sprintf(sleeps, "synctest.Wait();", "")}, 0},
		{"in a helper's bubble", []string{helper, "package p\n" + fmt.Sprintf(sleeps, "onFake(t, f);", "")}, 0},
		{"in the bubble of a helper's helper", []string{"package p\n" + fmt.Sprintf(sleeps, "onBoth(t, f);", ""), helper}, 0},
		{"beside a helper that is not called", []string{helper, "package p\n" + fmt.Sprintf(sleeps, "", "")}, 1},
		{"a method of that name", []string{helper, "package p\n" + fmt.Sprintf(sleeps, "x.onFake(t);", "")}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fset := token.NewFileSet()
			var files []*ast.File
			for i, src := range tc.files {
				f, err := parser.ParseFile(fset, fmt.Sprintf("%d_test.go", i), src, parser.ParseComments|parser.SkipObjectResolution)
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, f)
			}
			if found := check(fset, files); len(found) != tc.want {
				t.Errorf("found %v in\n%s\nwant %d", found, strings.Join(tc.files, "\n"), tc.want)
			}
		})
	}
}
