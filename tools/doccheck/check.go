package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
	"unicode"
)

// checker looks at the files of one package.
type checker struct {
	fset     *token.FileSet
	files    []*ast.File
	problems []problem
}

func newChecker() *checker {
	return &checker{fset: token.NewFileSet()}
}

// add takes one file into the package; generated ones explain themselves elsewhere.
func (c *checker) add(f *ast.File) {
	if !ast.IsGenerated(f) {
		c.files = append(c.files, f)
	}
}

func (c *checker) check() []problem {
	if len(c.files) == 0 {
		return nil
	}
	c.packageComment()
	if c.files[0].Name.Name == "main" {
		return c.problems // nobody can import what a program exports
	}
	for _, f := range c.files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				c.function(d)
			case *ast.GenDecl:
				c.general(d)
			}
		}
	}
	return c.problems
}

func (c *checker) report(pos token.Pos, format string, args ...any) {
	c.problems = append(c.problems, problem{c.fset.Position(pos), fmt.Sprintf(format, args...)})
}

// packageComment wants one file of the package to say what the package is.
func (c *checker) packageComment() {
	first := c.files[0]
	name := first.Name.Name
	for _, f := range c.files {
		text := f.Doc.Text()
		if strings.HasPrefix(text, "Package "+name+" ") ||
			name == "main" && (strings.HasPrefix(text, "Command ") || isSentence(text)) {
			return
		}
	}
	if name == "main" {
		c.report(first.Package, "program: no comment above package main says what it does")
		return
	}
	c.report(first.Package, "package %s: no comment that starts with %q", name, "Package "+name)
}

func (c *checker) function(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	what := "func " + d.Name.Name
	if d.Recv != nil {
		recv := receiver(d.Recv.List[0].Type)
		if !ast.IsExported(recv) || selfEvident(d) {
			return
		}
		what = "method " + recv + "." + d.Name.Name
	}
	c.want(d.Name, what, d.Doc)
}

// selfEvident are methods whose meaning is fixed by the standard library.
func selfEvident(d *ast.FuncDecl) bool {
	if d.Type.Params.NumFields() > 0 {
		return false
	}
	switch d.Name.Name {
	case "Error", "String", "GoString", "Unwrap":
		return true
	}
	return false
}

func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr: // generic with one type parameter
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}

func (c *checker) general(d *ast.GenDecl) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			doc := s.Doc
			if doc == nil && !d.Lparen.IsValid() {
				doc = d.Doc
			}
			if s.Name.IsExported() {
				c.want(s.Name, "type "+s.Name.Name, doc)
				c.members(s, doc)
			}
		case *ast.ValueSpec:
			c.values(d, s)
		}
	}
}

// values checks constants and variables: a comment above the group, above the
// line or behind it does.
func (c *checker) values(d *ast.GenDecl, s *ast.ValueSpec) {
	if s.Doc.Text() != "" || s.Comment.Text() != "" || d.Lparen.IsValid() && isSentence(d.Doc.Text()) {
		return
	}
	for _, n := range s.Names {
		if n.IsExported() {
			c.want(n, d.Tok.String()+" "+n.Name, d.Doc)
		}
	}
}

// members checks the methods of interfaces and the fields of settings: both are
// what a user must fill in. Fields of other structs often say it all by their name
// and type, and a comment that repeats them would be noise. The comment of the
// type may speak for its members by naming them, and a comment speaks for all
// lines below it up to the next empty one.
func (c *checker) members(s *ast.TypeSpec, doc *ast.CommentGroup) {
	var list *ast.FieldList
	var kind string
	switch t := s.Type.(type) {
	case *ast.StructType:
		if !isSettings(s.Name.Name) {
			return
		}
		list, kind = t.Fields, "field"
	case *ast.InterfaceType:
		list, kind = t.Methods, "method"
	default:
		return
	}
	named := words(doc.Text())
	covered, end := false, -1 // whether the line above has a comment, and where it ended
	for _, f := range list.List {
		start := c.fset.Position(f.Pos()).Line
		if f.Doc != nil {
			start = c.fset.Position(f.Doc.Pos()).Line
		}
		covered = f.Doc.Text() != "" || f.Comment.Text() != "" || covered && start == end+1
		end = c.fset.Position(f.End()).Line
		for _, n := range f.Names {
			if n.IsExported() && !covered && !named[strings.ToLower(n.Name)] {
				c.report(n.Pos(), "%s %s.%s: no comment, and the type's does not name it", kind, s.Name.Name, n.Name)
			}
		}
	}
}

// isSettings says whether a type of that name is filled in by users.
func isSettings(name string) bool {
	for _, suffix := range []string{"Config", "Options", "Opts", "Policy"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

func words(text string) map[string]bool {
	set := make(map[string]bool)
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		set[w] = true
	}
	return set
}

// want wants a comment that begins with the name, as Go's tools expect, or at
// least reads as a sentence.
func (c *checker) want(name *ast.Ident, what string, doc *ast.CommentGroup) {
	text := doc.Text()
	switch {
	case text == "":
		c.report(name.Pos(), "%s: no comment", what)
	case !startsWith(text, name.Name) && !isSentence(text):
		c.report(name.Pos(), "%s: the comment neither starts with the name nor is a sentence", what)
	}
}

// startsWith says whether text begins with name, an article in front allowed.
func startsWith(text, name string) bool {
	for _, article := range []string{"A ", "An ", "The "} {
		text = strings.TrimPrefix(text, article)
	}
	rest, ok := strings.CutPrefix(text, name)
	return ok && (rest == "" || !unicode.IsLetter(rune(rest[0])))
}

// isSentence says whether the first paragraph is at least two words, begins
// with a capital letter and ends like a sentence.
func isSentence(text string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n\n")
	first = strings.TrimSpace(first)
	if len(strings.Fields(first)) < 2 || !unicode.IsUpper([]rune(first)[0]) {
		return false
	}
	return strings.ContainsRune(".:!?", rune(first[len(first)-1]))
}
