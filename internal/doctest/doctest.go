// Package doctest reads the documentation for the tests that keep it true: every
// block of code in it is compiled or run, every table compared with the code, every
// link followed.
package doctest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Doc is one file of the documentation.
type Doc struct {
	Name string // as below the root, with slashes
	Text string
}

// Docs returns the documentation below the root of the repository.
func Docs(root string) ([]Doc, error) {
	var docs []Doc
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*.md", "docker/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return nil, err
			}
			docs = append(docs, Doc{filepath.ToSlash(rel), string(text)})
		}
	}
	if len(docs) == 0 {
		return nil, fmt.Errorf("no documentation in %s", root)
	}
	return docs, nil
}

// Block is a fenced block of a Doc.
type Block struct {
	Doc  string
	Line int // of its first line
	Lang string
	Text string
}

// Pos says where a block is.
func (b Block) Pos() string { return fmt.Sprintf("%s:%d", b.Doc, b.Line) }

// Blocks returns the fenced blocks of a Doc, in order.
func (d Doc) Blocks() ([]Block, error) {
	var blocks []Block
	var open *Block
	for i, line := range strings.SplitAfter(d.Text, "\n") {
		lang, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && open == nil:
			open = &Block{Doc: d.Name, Line: i + 2, Lang: lang}
		case fence && lang == "":
			blocks, open = append(blocks, *open), nil
		case fence:
			return nil, fmt.Errorf("%s:%d: a block begins in the one of line %d", d.Name, i+1, open.Line-1)
		case open != nil:
			open.Text += line
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s:%d: the block has no end", d.Name, open.Line-1)
	}
	return blocks, nil
}

// Table returns the rows of the table whose header's first cell is given, without
// the header; nil when there is none.
func (d Doc) Table(first string) (rows [][]string) {
	in := false
	for line := range strings.Lines(d.Text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			in = false
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case cells[0] == first:
			in = true
		case in && !strings.HasPrefix(cells[0], "---"):
			rows = append(rows, cells)
		}
	}
	return rows
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	code    = regexp.MustCompile("(?ms)^ *```.*?^ *```|`[^`\n]*`")
)

// Links returns where the links of a Doc go, those in code left out.
func (d Doc) Links() []string {
	var to []string
	for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(d.Text, ""), -1) {
		to = append(to, m[1])
	}
	return to
}

// HasAnchor reports whether a heading of a Doc has this anchor.
func (d Doc) HasAnchor(anchor string) bool {
	fences := regexp.MustCompile("(?ms)^ *```.*?^ *```")
	return slices.ContainsFunc(heading.FindAllStringSubmatch(fences.ReplaceAllString(d.Text, ""), -1), func(m []string) bool {
		return slug(m[1]) == anchor
	})
}

// slug makes an anchor of a heading, as code hosts do.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
