package examples_test

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// checkSummary fails the test unless the summary has these numbers of records in
// and out, nothing lost and nothing duplicated.
func checkSummary(t *testing.T, stdout, records string) {
	t.Helper()
	for _, row := range []string{"records in", "records out", "lost", "duplicated"} {
		want := "0"
		if strings.HasPrefix(row, "records") {
			want = records
		}
		if !regexp.MustCompile(`(?m)^ +` + row + ` +` + want + `$`).MatchString(stdout) {
			t.Errorf("no row %q with %s in the summary:\n%s", row, want, stdout)
		}
	}
	for _, row := range []string{`rate +[0-9,]+ records/s`, `latency p50 +[0-9.]+ m?s`, `latency p99 +[0-9.]+ m?s`} {
		if !regexp.MustCompile(`(?m)^ +` + row + `$`).MatchString(stdout) {
			t.Errorf("no row %q in the summary:\n%s", row, stdout)
		}
	}
}

func TestQuickstartReadsAPipe(t *testing.T) {
	t.Parallel()
	p := start(t, "quickstart", run{stdin: strings.NewReader("a\nb\nc\n")})
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	checkSummary(t, p.stdout.String(), "3")
	for _, payload := range []string{"a", "b", "c"} {
		if !strings.Contains(p.stdout.String(), "  "+payload+"\n") {
			t.Errorf("%q was not printed", payload)
		}
	}
}

func TestQuickstartReadsAFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "lines.txt")
	if err := os.WriteFile(name, []byte(strings.Repeat("one line\n", 1199)+"last"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, r := range []run{
		{args: []string{"-show", "3", name}},
		{args: []string{"-show", "3"}, stdin: f},
	} {
		p := start(t, "quickstart", r)
		if code := p.wait(); code != 0 {
			t.Errorf("%v: exit code %d", r.args, code)
		}
		checkSummary(t, p.stdout.String(), "1,200")
		if n := strings.Count(p.stdout.String(), "  one line\n"); n != 3 {
			t.Errorf("%v: %d rows were printed, want 3", r.args, n)
		}
		if !strings.Contains(p.stderr.String(), "more is coming") {
			t.Errorf("%v: nothing says that rows are left out", r.args)
		}
		if strings.Contains(p.stderr.String(), "\x1b") {
			t.Errorf("%v: progress is drawn where there is no terminal", r.args)
		}
	}
}

func TestQuickstartSamplesThisHost(t *testing.T) {
	t.Parallel()
	silent, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	defer w.Close()
	for why, stdin := range map[string]io.Reader{
		"no input":                nil, // the null device
		"stdin is empty":          strings.NewReader(""),
		"nothing came from stdin": silent,
	} {
		t.Run(why, func(t *testing.T) {
			p := start(t, "quickstart", run{args: []string{"-for", "1s"}, stdin: stdin})
			if code := p.wait(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			checkSummary(t, p.stdout.String(), "[2-5]")
			if !strings.Contains(p.stdout.String(), "memory") || !strings.Contains(p.stderr.String(), why) {
				t.Errorf("want samples, and %q on stderr", why)
			}
		})
	}
}

func TestQuickstartEndsEarly(t *testing.T) {
	t.Parallel()
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := start(t, "quickstart", run{args: []string{"-for", "1h"}})
		p.expect(&p.stdout, "memory")
		if code := p.stop(s); code != 0 {
			t.Errorf("%v: exit code %d", s, code)
		}
		checkSummary(t, p.stdout.String(), "[1-9][0-9]*")
	}
}

func TestQuickstartReportsWhatItCannotSend(t *testing.T) {
	t.Parallel()
	p := start(t, "quickstart", run{stdin: strings.NewReader("a\n" + strings.Repeat("x", 4<<20) + "\nb")})
	if code := p.wait(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	checkSummary(t, p.stdout.String(), "2")
	if !strings.Contains(p.stderr.String(), "line 2 is too long") {
		t.Error("the line is not reported")
	}
}

func TestQuickstartWrongUse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args   []string
		code   int
		stderr string
	}{
		{[]string{"-nonsense"}, 2, "usage"},
		{[]string{"a", "b"}, 2, "more than one file"},
		{[]string{"-h"}, 0, "usage"},
		{[]string{filepath.Join(t.TempDir(), "absent")}, 1, "no such file"},
		{[]string{t.TempDir()}, 1, "is a directory"},
	} {
		p := start(t, "quickstart", run{args: tc.args})
		if code := p.wait(); code != tc.code || !strings.Contains(p.stderr.String(), tc.stderr) {
			t.Errorf("%v: exit code %d, want %d and %q", tc.args, code, tc.code, tc.stderr)
		}
	}
}
