package doctest_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is what one block of commands may take.
const patience = 5 * time.Minute

// elsewhere is what a test cannot run as it stands, and the test that stands for
// it, as file and function. Everything else in a sh block is run.
var elsewhere = []struct{ command, file, test string }{
	// This very test would run inside itself.
	{"go test ./...", "internal/doctest/code_test.go", "TestGo"},
	{"DANUBE_SERVICE_URL=http://localhost:6650 go test ./...", "examples/simple_test.go", "TestSimpleRealBroker"},
	{"DANUBE_BROKER_BIN=/opt/danube-broker go test -run TestChaosOnThreeRealBrokers -timeout 60m -v ./danube", "danube/chaos_real_test.go", "TestChaosOnThreeRealBrokers"},
	// It needs the network, and a published version; the blocks are compiled against this one.
	{"go get github.com/danube-messaging/danube-connect-go", "internal/doctest/code_test.go", "TestGo"},
	// They run until somebody stops them, the examples in two terminals.
	{"go run ./cmd/danube-connect broker", "cmd/danube-connect/main_test.go", "TestSignals"},
	{"go run ./cmd/danube-connect broker -profile real -no-trap Tail -control 127.0.0.1:6651", "cmd/danube-connect/control_test.go", "TestControl"},
	{"go run ./examples/simple_sink", "examples/simple_test.go", "TestSimpleSinkFirst"},
	{"go run ./examples/simple_source", "examples/simple_test.go", "TestSimpleSourceFirst"},
	// It needs the real broker's program.
	{"DANUBE_BROKER_BIN=/opt/danube-broker go run ./cmd/danube-connect compare", "cmd/danube-connect/compare_test.go", "TestCompareTheSame"},
	// It needs a Docker engine.
	{"docker compose -f docker/docker-compose.yml up --build", "internal/doctest/docker_test.go", "TestCompose"},
	{"docker compose -f docker/docker-compose.yml down", "internal/doctest/docker_test.go", "TestCompose"},
}

// TestShell runs the commands of the documentation at the top of the repository,
// each line by itself.
func TestShell(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, b := range blocks(t, "sh") {
		for line := range strings.Lines(b.Text) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			known := false
			for _, e := range elsewhere {
				known = known || e.command == line
			}
			if known || used[line] {
				used[line] = true
				continue
			}
			used[line] = true
			t.Run(b.Pos(), func(t *testing.T) {
				t.Parallel()
				shell(t, line)
			})
		}
	}
	for _, e := range elsewhere {
		if !used[e.command] {
			t.Errorf("%q is not in the documentation any more", e.command)
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(e.file)))
		if err != nil || !strings.Contains(string(text), "func "+e.test+"(") {
			t.Errorf("%q: no test %s in %s: %v", e.command, e.test, e.file, err)
		}
	}
}

func shell(t *testing.T, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", line)
	cmd.Dir = root
	cmd.WaitDelay = 5 * time.Second
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "DANUBE_") { // as a reader's, who has no broker
			cmd.Env = append(cmd.Env, v)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
}
