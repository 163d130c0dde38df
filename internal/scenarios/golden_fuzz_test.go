package scenarios

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A file of transcripts is refused, or every line of it is in one scenario; what is
// written is read the same way again.
func FuzzGolden(f *testing.F) {
	for _, s := range []string{"", "== a\n", "== a\nx\n\ny\n== b\n", "x\n", "== \nx\n", "== a\n== a\n", "== a\nx", "==a\n", "== a\n==\n== \n", "\n", "== a\r\nx\r\n", "== \xff\n\x00\n"} {
		f.Add(s, "x")
	}
	f.Add("== a\nx\n", "== b")
	f.Add("== a\n", "x\ny")
	f.Fuzz(func(t *testing.T, text, line string) {
		g, err := parseGolden(text)
		if err != nil {
			if g != nil {
				t.Errorf("%v beside %v", g, err)
			}
			g = Golden{"a": {}}
		} else {
			lines := len(g)
			for _, transcript := range g {
				lines += len(transcript)
			}
			if lines != strings.Count(text, "\n") {
				t.Errorf("%q became %q", text, g)
			}
		}
		names := slices.Sorted(maps.Keys(g))
		if len(names) > 0 {
			g[names[0]] = append(g[names[0]], line)
		}
		written, err := g.format(names)
		if err != nil {
			if !strings.HasPrefix(line, goldenMark) && !strings.Contains(line, "\n") {
				t.Errorf("%q: %v", line, err)
			}
			return
		}
		if again, err := parseGolden(written); err != nil || !reflect.DeepEqual(again, g) {
			t.Errorf("%q was written as %q and read as %q, %v", g, written, again, err)
		}
	})
}
