package doctest_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/doctest"
)

var (
	clause = regexp.MustCompile(`(?m)^package \w+$`)
	module = regexp.MustCompile(`(?m)^module (.+)$`)
)

// outside writes the go blocks as a reader has them: each a package in a module of
// his own, which requires this one; a block with tests goes to the block before it.
// It returns the module's directory, and that of each program by its place.
func outside(t *testing.T) (dir string, programs map[string]string) {
	t.Helper()
	dir, programs = t.TempDir(), map[string]string{}
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	mod := readFile(t, filepath.Join(root, "go.mod"))
	path := module.FindStringSubmatch(mod)[1]
	mod = module.ReplaceAllString(mod, "module reader") +
		fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %[1]s => %q\n", path, abs)
	writeFile(t, filepath.Join(dir, "go.mod"), mod)
	writeFile(t, filepath.Join(dir, "go.sum"), readFile(t, filepath.Join(root, "go.sum")))

	var last doctest.Block
	var home string // of the last program
	for i, b := range blocks(t, "go") {
		switch test := strings.Contains(b.Text, `"testing"`); {
		case !clause.MatchString(b.Text):
			t.Errorf("%s: no package clause: blocks are whole files, so that a reader can copy them", b.Pos())
		case test && last.Doc != b.Doc:
			t.Errorf("%s: a test without a program before it", b.Pos())
		case test:
			writeFile(t, filepath.Join(home, "block_test.go"), b.Text)
		default:
			last, home = b, filepath.Join(dir, fmt.Sprintf("block%d", i))
			programs[b.Pos()] = home
			writeFile(t, filepath.Join(home, "block.go"), b.Text)
		}
	}
	return dir, programs
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Fatalf("%s is there already", name)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// goTool runs the go command in a directory, without the network.
func goTool(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("go %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

// TestGo compiles and vets every go block, runs those that are tests, and moves
// lines through the source and the sink of the README.
func TestGo(t *testing.T) {
	t.Parallel()
	dir, programs := outside(t)
	for at, home := range programs {
		t.Logf("%s is %s", at, filepath.Base(home))
	}
	goTool(t, dir, "vet", "./...")
	if out := goTool(t, dir, "test", "./..."); strings.Count(out, "\nok ")+strings.Count(out[:min(3, len(out))], "ok ") < 2 {
		t.Errorf("fewer than two blocks with tests:\n%s", out)
	}

	var readme []string // the programs of the README
	for _, b := range blocks(t, "go") {
		if b.Doc == "README.md" {
			readme = append(readme, filepath.Base(programs[b.Pos()]))
		}
	}
	if len(readme) != 2 {
		t.Fatalf("the README has %d programs, want a sink and a source", len(readme))
	}
	goTool(t, dir, "build", "-o", filepath.Join(dir, "bin")+string(filepath.Separator), "./"+readme[0], "./"+readme[1])
	move(t, filepath.Join(dir, "bin", readme[0]), filepath.Join(dir, "bin", readme[1]))
}

// move runs a sink and a source against an embedded broker.
func move(t *testing.T, sink, source string) {
	t.Helper()
	const topic, subscription = "/default/lines", "lines-out"
	broker := danubetest.Run(t, danubetest.WithTopic(topic, danubetest.TopicConfig{}))
	if err := broker.CreateSubscription(topic, subscription, danubetest.SubOpts{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	run := func(name string, env ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, name)
		cmd.Env = append(env, "DANUBE_SERVICE_URL="+broker.URL(), "DANUBE_TOPIC="+topic, "METRICS_PORT=0")
		cmd.Stderr = t.Output()
		return cmd
	}
	in := run(source, "CONNECTOR_NAME=lines-in")
	in.Stdin = strings.NewReader("one\ntwo\n")
	if err := in.Run(); err != nil {
		t.Errorf("the source: %v", err)
	}
	var printed bytes.Buffer
	out := run(sink, "CONNECTOR_NAME=lines-out", "SUBSCRIPTION_NAME="+subscription)
	out.Stdout = &printed
	if err := out.Start(); err != nil {
		t.Fatal(err)
	}
	if err := broker.WaitAcked(ctx, topic, subscription, 2); err != nil {
		t.Error(err)
	}
	if err := out.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := out.Wait(); err != nil || printed.String() != ": one\n: two\n" {
		t.Errorf("the sink printed %q, and ended with %v", printed.String(), err)
	}
}

// TestGofmt keeps the blocks in the form that gofmt gives them.
func TestGofmt(t *testing.T) {
	t.Parallel()
	for _, b := range blocks(t, "go") {
		cmd := exec.CommandContext(t.Context(), "gofmt", "-d")
		cmd.Stdin = strings.NewReader(b.Text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", b.Pos(), err, out)
		}
	}
}

// TestTOML loads every configuration in the documentation.
func TestTOML(t *testing.T) {
	t.Parallel()
	list := blocks(t, "toml")
	if len(list) == 0 {
		t.Fatal("no toml block")
	}
	for _, b := range list {
		_, err := connect.LoadConfig(connect.LoadOptions{
			File:      b.Pos(),
			LookupEnv: func(string) (string, bool) { return "", false },
			ReadFile:  func(string) ([]byte, error) { return []byte(b.Text), nil },
		})
		if err != nil {
			t.Errorf("%s: %v", b.Pos(), err)
		}
	}
}
