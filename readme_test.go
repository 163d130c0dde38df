package connect

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/danube-messaging/danube-connect-go/internal/doctest"
)

// These tests compare the tables of the documentation with the code. What runs and
// compiles the rest of it is in internal/doctest.

func readDoc(t *testing.T, name string) doctest.Doc {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return doctest.Doc{Name: name, Text: string(text)}
}

// code returns the one word in backquotes that a cell consists of, or the cell.
func code(cell string) string { return strings.Trim(cell, "`") }

func TestReadmeConfiguration(t *testing.T) {
	t.Parallel()
	type row struct{ key, env, value string }
	var want, got []row
	keys := reflect.TypeFor[configKeys]()
	for i, e := range DefaultConfig().entries() {
		value := fmt.Sprint(e.value)
		if e.value == nil || value == "" {
			value = "none"
		}
		want = append(want, row{e.key, keys.Field(i).Tag.Get("env"), value})
	}
	for _, cells := range readDoc(t, "README.md").Table("Key") {
		if len(cells) != 4 || cells[3] == "" {
			t.Fatalf("row %q: want four cells", cells)
		}
		got = append(got, row{code(cells[0]), code(cells[1]), code(cells[2])})
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("README.md has no row for %+v", w)
		}
	}
	for i, g := range got {
		if !slices.Contains(want, g) || slices.Index(got, g) != i {
			t.Errorf("README.md has a row for %+v, which does not exist, or is there twice", g)
		}
	}
}

func TestReadmeExitCodes(t *testing.T) {
	t.Parallel()
	samples := map[string]error{
		"0": nil,
		"1": Fatal(errors.New("x")),
		"2": InvalidConfig(errors.New("x")),
		"3": ErrTakenOver,
		"4": ErrDrainDeadline,
		"5": ErrStoppedByPolicy,

		"130, 143": &ForcedError{Signal: syscall.SIGINT},
	}
	for _, file := range []string{"README.md", "docs/operations.md"} {
		rows := readDoc(t, file).Table("Exit code")
		if len(rows) != len(samples) {
			t.Errorf("%s has %d exit codes, want %d", file, len(rows), len(samples))
		}
		for _, cells := range rows {
			err, ok := samples[cells[0]]
			if first, _, _ := strings.Cut(cells[0], ","); !ok || fmt.Sprint(ExitCode(err)) != first {
				t.Errorf("%s: exit code %s", file, cells[0])
			}
		}
	}
}

// Every sentence of a contract names the tests that prove it, and they exist, on real
// brokers as well where it says so.
func TestDeliveryContract(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{}
	function := regexp.MustCompile(`(?ms)^func (Test\w+)\(t \*testing\.T\) \{\n(.*?)^\}$`)
	for _, file := range files {
		for _, m := range function.FindAllStringSubmatch(readDoc(t, file).Text, -1) {
			bodies[m[1]] = m[2]
		}
	}
	name := regexp.MustCompile("`(Test\\w+)`(\\*?)")
	rows := readDoc(t, "docs/delivery.md").Table("A sink's promise")
	if len(rows) < 30 {
		t.Errorf("only %d promises: is the table's head another one?", len(rows))
	}
	for _, cells := range rows {
		tests := name.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(tests) == 0 {
			t.Errorf("%q has no test", cells[0])
		}
		for _, m := range tests {
			body, there := bodies[m[1]]
			if real := strings.Contains(body, "onBoth("); !there || real != (m[2] == "*") {
				t.Errorf("%s: there %v, on a real broker %v, and docs/delivery.md says %q", m[1], there, real, m[0])
			}
		}
	}
}

var describedAs = regexp.MustCompile(`fqName: "([^"]+)".*constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)

func TestOperationsMetrics(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.ConnectorName, cfg.DestinationTopic = "c", "/default/t"
	registry := prometheus.NewRegistry()
	_, err := NewSourceRuntime(SourceFunc(nil), WithConfig(cfg), WithRegistry(registry), WithClient(struct{ Client }{}))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	descriptions := make(chan *prometheus.Desc, 100)
	registry.Describe(descriptions)
	close(descriptions)
	for d := range descriptions {
		m := describedAs.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("not understood: %s", d)
		}
		labels := strings.Split(m[3], ",")
		if m[3] == "" {
			constant, _, _ := strings.Cut(m[2], "=")
			labels = []string{constant}
		}
		want[m[1]] = strings.Join(labels, ", ")
	}
	got := map[string]string{}
	for _, cells := range readDoc(t, "docs/operations.md").Table("Metric") {
		got[code(cells[0])] = cells[2]
	}
	for name, labels := range want {
		if got[name] != labels {
			t.Errorf("docs/operations.md says that %s has the labels %q; it has %q", name, got[name], labels)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("docs/operations.md has %s, which does not exist", name)
		}
	}
}
