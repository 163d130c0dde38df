package scenarios

import (
	"errors"
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
	return parseGolden(string(text))
}

// parseGolden reads what Write has written, all of it.
func parseGolden(text string) (Golden, error) {
	if text != "" && !strings.HasSuffix(text, "\n") {
		return nil, errors.New("the last line is cut short")
	}
	g := Golden{}
	scenario := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch name, is := strings.CutPrefix(line, goldenMark); {
		case is && name == "":
			return nil, errors.New("a scenario without a name")
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
	var names []string
	for _, s := range All() {
		names = append(names, s.Name)
	}
	text, err := g.format(names)
	if err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text), 0o644)
}

// format is the text of some scenarios. A line that would be read as another, or as two,
// is an error: it would differ from itself for ever.
func (g Golden) format(names []string) (string, error) {
	var b strings.Builder
	for _, name := range names {
		lines, ok := g[name]
		if !ok {
			continue
		}
		b.WriteString(goldenMark + name + "\n")
		for _, l := range lines {
			if strings.HasPrefix(l, goldenMark) || strings.Contains(l, "\n") {
				return "", fmt.Errorf("%s: the line %q cannot be recorded", name, l)
			}
			b.WriteString(l + "\n")
		}
	}
	return b.String(), nil
}
