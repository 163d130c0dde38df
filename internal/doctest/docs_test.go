package doctest_test

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"github.com/danube-messaging/danube-connect-go/internal/doctest"
)

const root = "../.."

// docs returns the documentation.
func docs(t *testing.T) []doctest.Doc {
	t.Helper()
	list, err := doctest.Docs(root)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// blocks returns all blocks of a language.
func blocks(t *testing.T, lang string) (list []doctest.Block) {
	t.Helper()
	for _, d := range docs(t) {
		all, err := d.Blocks()
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range all {
			if b.Lang == lang {
				list = append(list, b)
			}
		}
	}
	return list
}

// TestLanguages keeps out blocks that no test looks at; text is output.
func TestLanguages(t *testing.T) {
	t.Parallel()
	known := []string{"go", "sh", "toml", "text"}
	for _, d := range docs(t) {
		all, err := d.Blocks()
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range all {
			if !slices.Contains(known, b.Lang) {
				t.Errorf("%s: language %q, want one of %v", b.Pos(), b.Lang, known)
			}
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	all := docs(t)
	for _, d := range all {
		for _, to := range d.Links() {
			u, err := url.Parse(to)
			if err != nil {
				t.Errorf("%s: link %s: %v", d.Name, to, err)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			name := path.Join(path.Dir(d.Name), u.Path)
			if u.Path == "" {
				name = d.Name
			}
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(name))); err != nil {
				t.Errorf("%s: link %s: %v", d.Name, to, err)
				continue
			}
			if i := slices.IndexFunc(all, func(d doctest.Doc) bool { return d.Name == name }); u.Fragment != "" && (i < 0 || !all[i].HasAnchor(u.Fragment)) {
				t.Errorf("%s: link %s: no such heading", d.Name, to)
			}
		}
	}
}

func TestReading(t *testing.T) {
	t.Parallel()
	d := doctest.Doc{Name: "x.md", Text: "# One `two`, three\n\n```go\n# no heading\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[x](y.md#z) `[no](link)`\n\n```sh\nls\n```\n"}
	all, err := d.Blocks()
	if err != nil || len(all) != 2 || all[0].Text != "# no heading\n" || all[0].Line != 4 || all[1].Lang != "sh" {
		t.Errorf("blocks %+v, error %v", all, err)
	}
	if rows := d.Table("a"); len(rows) != 1 || rows[0][1] != "2" {
		t.Errorf("rows %v", rows)
	}
	if links := d.Links(); !slices.Equal(links, []string{"y.md#z"}) {
		t.Errorf("links %v", links)
	}
	if !d.HasAnchor("one-two-three") || d.HasAnchor("no-heading") {
		t.Error("anchors")
	}
	if _, err := (doctest.Doc{Text: "```go\nx\n"}).Blocks(); err == nil {
		t.Error("a block without an end is no error")
	}
	if _, err := (doctest.Doc{Text: "```go\n```sh\n```\n"}).Blocks(); err == nil {
		t.Error("a block in a block is no error")
	}
}
