package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	const fetching = "govulncheck: fetching vulnerabilities: "
	for _, tc := range []struct {
		name   string
		code   int
		stderr string
		want   outcome
	}{
		{"nothing found", 0, "", clean},
		{"findings", 3, "", vulnerable},
		{"findings, whatever is printed", 3, fetching + "x", vulnerable},
		{"no network", 1, fetching + `Get "https://vuln.go.dev/index/modules.json.gz": dial tcp: no such host` + "\n", unchecked},
		{"a proxy in between", 1, fetching + "HTTP GET ... returned unexpected status: 403 Forbidden\n", unchecked},
		{"a download before it", 1, "go: downloading x v1.2.3\n" + fetching + "x\n", unchecked},
		{"code that does not compile", 1, "govulncheck: loading packages: there are errors\n", broken},
		{"the phrase inside a source line", 1, "x.go:1: \"" + fetching + "\"\n", broken},
		{"wrong usage", 2, fetching, broken},
		{"killed", -1, fetching, broken},
	} {
		if got := classify(tc.code, tc.stderr); got != tc.want {
			t.Errorf("%s: classified as %d, want %d", tc.name, got, tc.want)
		}
	}
}

// TestRun asks the real govulncheck, so that a new version that words or counts
// things differently is noticed. No network is needed, and none is used: one database
// is on disk, the way to the other is blocked by a proxy that does not exist.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles govulncheck; run without -short")
	}
	const code = "package main\n\nimport \"encoding/base64\"\n\nfunc main() { print(base64.StdEncoding.EncodeToString(nil)) }\n"
	for _, tc := range []struct {
		name, code string
		db         []string
		want       outcome
	}{
		{"finding", code, database(t, "encoding/base64", "Encoding.EncodeToString"), vulnerable},
		{"not reached", code, database(t, "encoding/base64", "NewDecoder"), clean},
		{"does not compile", code + "func f() { undefined() }\n", database(t, "encoding/base64", "NewDecoder"), broken},
		{"no database", code, nil, unchecked},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "go.mod"), "module example.com/m\n\ngo 1.26.0\n")
			write(t, filepath.Join(dir, "main.go"), tc.code)
			if tc.db == nil {
				t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
			}
			var stdout, stderr bytes.Buffer
			if got, err := run(dir, append(tc.db, "./..."), &stdout, &stderr); got != tc.want {
				t.Errorf("outcome %d (%v), want %d; it said:\n%s%s", got, err, tc.want, stdout.String(), stderr.String())
			}
		})
	}
}

// database writes one with a made-up vulnerability of the standard library and
// returns the flags that name it.
func database(t *testing.T, pkg, symbol string) []string {
	dir := t.TempDir()
	const when = `"modified":"2026-01-01T00:00:00Z"`
	write(t, filepath.Join(dir, "index", "db.json"), `{`+when+`}`)
	write(t, filepath.Join(dir, "index", "modules.json"), `[{"path":"stdlib","vulns":[{"id":"GO-2026-0001",`+when+`}]}]`)
	write(t, filepath.Join(dir, "index", "vulns.json"), `[{"id":"GO-2026-0001",`+when+`}]`)
	write(t, filepath.Join(dir, "ID", "GO-2026-0001.json"), `{"schema_version":"1.3.1","id":"GO-2026-0001",`+when+`,"published":"2026-01-01T00:00:00Z",
		"summary":"made up","details":"made up","affected":[{"package":{"name":"stdlib","ecosystem":"Go"},
		"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}],
		"ecosystem_specific":{"imports":[{"path":"`+pkg+`","symbols":["`+symbol+`"]}]}}],
		"database_specific":{"url":"https://example.com/GO-2026-0001"}}`)
	return []string{"-db", "file://" + filepath.ToSlash(dir)}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.TrimLeft(text, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}
