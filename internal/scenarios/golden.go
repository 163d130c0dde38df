package scenarios

import (
	"fmt"
	"os"
	"strings"
)

// Golden is transcripts in a file, by scenario: what the real broker did when it was
// last asked.
type Golden map[string][]string

const goldenMark = "== "

// ReadGolden reads a file. One that is not there has no transcripts.
func ReadGolden(name string) (Golden, error) {
	text, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return Golden{}, nil
	}
	if err != nil {
		return nil, err
	}
	g := Golden{}
	scenario := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch name, is := strings.CutPrefix(line, goldenMark); {
		case is:
			scenario = name
			if _, twice := g[name]; twice {
				return nil, fmt.Errorf("%s twice", name)
			}
			g[name] = []string{}
		case scenario == "":
			return nil, fmt.Errorf("%q before the first scenario", line)
		default:
			g[scenario] = append(g[scenario], line)
		}
	}
	return g, nil
}

// Write writes the file, in the order of the scenarios. Those that are no more are left
// out.
func (g Golden) Write(name string) error {
	var b strings.Builder
	for _, s := range All() {
		lines, ok := g[s.Name]
		if !ok {
			continue
		}
		b.WriteString(goldenMark + s.Name + "\n")
		for _, l := range lines {
			b.WriteString(l + "\n")
		}
	}
	return os.WriteFile(name, []byte(b.String()), 0o644)
}
