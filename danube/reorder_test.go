package danube

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A script: "open" a stream, "5" is new, "5c" a copy, "late" is the end of patience;
// behind the arrow what is handed out.
func TestReorder(t *testing.T) {
	tests := map[string]string{
		"the first stream":              "open > -; 7 > 7; 9 > 9; 8 > 8",
		"nothing was stale":             "0 > 0; 1 > 1; open > -; 0c > -; 2 > 2; 9 > 9",
		"stale ones first":              "0 > 0; open > -; 3 > -; 4 > -; 0c > -; 1 > 1; 2 > 2 3 4; 3c > -; 4c > -; 5 > 5; 9 > 9",
		"a copy tells":                  "0 > 0; open > -; 5 > -; 7 > -; 0c > -; 5c > 5; 6 > 6 7; 7c > -; 8 > 8",
		"a copy tells of all below":     "0 > 0; open > -; 7 > -; 5 > -; 7c > 5 7; 8 > 8; 9 > 9",
		"it never comes":                "0 > 0; open > -; 5 > -; 4 > -; late > 4 5; 9 > 9; 7 > 7; open > -; 11 > -; 10 > 10 11",
		"nothing is late":               "0 > 0; open > -; late > -; 5 > 5",
		"below what was handed out":     "5 > 5; open > -; 2 > 2; 8 > 8",
		"a gap, and many more":          "0 > 0; open > -; 50-65 > -; 66 > 50-66; 67 > 67; 90 > 90",
		"stale once more":               "0 > 0; open > -; 3 > -; 4 > -; open > -; 4c > -; 0c > -; 1 > 1; 2 > 2 3 4",
		"broken again":                  "0 > 0; open > -; 3 > -; open > -; 0c > -; 1 > 1; 2 > 2 3; 4 > 4; 9 > 9",
		"the last offset there is":      "18446744073709551614 > 18446744073709551614; open > -; 18446744073709551615 > 18446744073709551615",
		"on one stream after the other": "0 > 0; open > -; 5 > -; open > -; 5c > -; open > -; 5c > 5; 6 > 6",
		"gaps: none":                    "7 > 7; 8 > 8; 9-20 > 9-20",
		"gaps: two are swapped":         "0 > 0; 2 > -; 1 > 1 2; 3 > 3; 4 > 4",
		"gaps: three are turned around": "0 > 0; 3 > -; 2 > -; 1 > 1 2 3; 4 > 4",
		"gaps: one after the other":     "0 > 0; 2 > -; 4 > -; 1 > 1 2; 3 > 3 4; 5 > 5",
		"gaps: something is missing":    "0 > 0; 5 > -; 6 > -; 7 > -; 8 > 5-8; 9 > 9; 3 > 3",
		"gaps: nothing more comes":      "0 > 0; 5 > -; late > 5; 3 > 3; 6 > 6; 9 > -; late > 9",
		"gaps: a copy":                  "0 > 0; 5 > -; 5c > 5; 6 > 6",
		"gaps: the first":               "5 > 5; 2 > 2; 6 > 6",
		"gaps: opened again":            "0 > 0; 5 > -; 7 > -; open > -; 5c > -; 1-4 > 1-5; 7c > -; 6 > 6 7; 8 > 8",
		"gaps: while that is done":      "0 > 0; open > -; 5-9 > -; 2 > -; 1 > 1 2; late > 5-9; 11 > -; 10 > 10 11",
	}
	for name, script := range tests {
		t.Run(name, func(t *testing.T) {
			var r reorder
			gaps := strings.HasPrefix(name, "gaps: ")
			for step := range strings.SplitSeq(script, ";") {
				do, want, _ := strings.Cut(strings.TrimSpace(step), " > ")
				var out []uint64
				note := func(list []*Message) {
					for _, m := range list {
						out = append(out, m.Offset)
					}
				}
				switch {
				case do == "open":
					r.begin()
				case do == "late":
					note(r.end())
				case strings.HasSuffix(do, "c"):
					note(r.again(offsetsOf(do[:len(do)-1])[0]))
				default:
					for _, o := range offsetsOf(do) {
						if r.active || gaps && r.early(o) {
							note(r.add(&Message{Offset: o}))
						} else {
							r.passed(o)
							out = append(out, o)
						}
					}
				}
				if !slices.Equal(out, offsetsOf(want)) {
					t.Fatalf("at %q: %v is handed out, want %s", do, out, want)
				}
			}
			if len(r.held) > 0 {
				t.Errorf("%d are still held", len(r.held))
			}
		})
	}
}

// offsetsOf reads "1 2 5-7".
func offsetsOf(s string) (list []uint64) {
	for f := range strings.FieldsSeq(s) {
		var from, to uint64
		if n, _ := fmt.Sscanf(f, "%d-%d", &from, &to); n == 0 {
			continue
		} else if n == 1 {
			to = from
		}
		for o := from; ; o++ {
			list = append(list, o)
			if o == to {
				break
			}
		}
	}
	return list
}
