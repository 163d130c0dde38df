package scenarios_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/danube-messaging/danube-connect-go/internal/scenarios"
)

func TestAlign(t *testing.T) {
	for _, tt := range []struct{ embedded, real, want string }{
		{"", "", ""},
		{"a b c", "a b c", "a=a b=b c=c"},
		{"a b c", "a x c", "a=a b!x c=c"},
		{"a c", "a b c", "a=a !b c=c"},
		{"a b c", "a c", "a=a b! c=c"},
		{"a b", "x y z", "a!x b!y !z"},
		{"a b", "b a", "a! b=b !a"},
	} {
		var got []string
		for _, r := range scenarios.Align(strings.Fields(tt.embedded), strings.Fields(tt.real)) {
			sign := "!"
			if r.Same() {
				sign = "="
			}
			got = append(got, r.Embedded+sign+r.Real)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%q and %q: got %v, want %s", tt.embedded, tt.real, got, tt.want)
		}
	}
}

func TestJudge(t *testing.T) {
	known := []scenarios.Explanation{
		{Scenario: "s", Line: "danubetest: .*ms", Reason: "faster"}, {Scenario: "s", Line: `real: \d+ s`, Reason: "slower"},
		{Scenario: "t", Line: ".*", Reason: "another's"},
	}
	d := scenarios.Judge("s", []string{"a", "5 ms", "b"}, []string{"a", "5 s", "b"}, known)
	if d.Same() || !d.OK() || !slices.Equal(d.Reasons, []string{"faster", "slower"}) {
		t.Errorf("explained: got %+v", d)
	}
	d = scenarios.Judge("s", []string{"a", "5 ms"}, []string{"a", "never"}, known)
	if d.OK() || !slices.Equal(d.Unexplained, []string{"real: never"}) || len(d.Stale) != 1 || d.Stale[0].Reason != "slower" {
		t.Errorf("one side: got %+v", d)
	}
	d = scenarios.Judge("s", []string{"a"}, []string{"a"}, known)
	if !d.Same() || d.OK() || len(d.Stale) != 2 {
		t.Errorf("nothing differs any more: got %+v", d)
	}
	d = scenarios.Judge("u", []string{"stopped: x"}, []string{"stopped: x"}, known)
	if d.Same() || d.OK() {
		t.Errorf("both stopped: got %+v", d)
	}
	d = scenarios.Judge("u", []string{"a"}, []string{"a"}, known)
	if !d.Same() || !d.OK() {
		t.Errorf("the same: got %+v", d)
	}
}

func TestTable(t *testing.T) {
	rows := scenarios.Align([]string{"a", "b"}, []string{"a", "c"})
	for all, want := range map[bool]string{
		false: "    danubetest | real broker\n  ! b          | c\n",
		true:  "    danubetest | real broker\n    a          | a\n  ! b          | c\n",
	} {
		if got := scenarios.Table(rows, all); got != want {
			t.Errorf("got\n%s want\n%s", got, want)
		}
	}
}

func TestGolden(t *testing.T) {
	name := filepath.Join(t.TempDir(), "real.txt")
	g, err := scenarios.ReadGolden(name)
	if err != nil || len(g) != 0 {
		t.Fatalf("a file that is not there: %v, %v", g, err)
	}
	first, second := scenarios.All()[0].Name, scenarios.All()[1].Name
	g[second], g[first], g["no-such-scenario"] = []string{}, []string{"a", "", "b"}, []string{"x"}
	if err := g.Write(name); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(name); string(text) != "== "+first+"\na\n\nb\n== "+second+"\n" {
		t.Errorf("written: %q", text)
	}
	for _, line := range []string{"== x", "two\nlines"} {
		if err := (scenarios.Golden{first: {line}}).Write(name); err == nil || !strings.Contains(err.Error(), "cannot be recorded") {
			t.Errorf("%q: %v", line, err)
		}
	}
	again, err := scenarios.ReadGolden(name)
	if err != nil || len(again) != 2 || !slices.Equal(again[first], []string{"a", "", "b"}) || len(again[second]) != 0 {
		t.Errorf("read again: %v, %v", again, err)
	}
	for text, want := range map[string]string{"a\n": "before the first", "== a\n== a\n": "twice", "== \nx\n": "without a name", "== a\nx": "cut short"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := scenarios.ReadGolden(name); err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q: got %v, want %q in it", text, err, want)
		}
	}
}
