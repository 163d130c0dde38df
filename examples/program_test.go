package examples_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is what anything that a test waits for may take.
const patience = time.Minute

var (
	bin  string // where the programs are
	race bool   // they are built with the race detector, as this test is
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

// testMain builds the examples once for all tests.
func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "examples")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-race" && s.Value == "true" {
				race, args = true, append(args, "-race")
			}
		}
	}
	out, err := exec.Command("go", append(args, "./quickstart", "./simple_sink", "./simple_source")...).CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
		return 1
	}
	return m.Run()
}

// program is one example that runs.
type program struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	stdout output
	stderr output
	exited chan struct{}
}

// run describes how to start a program.
type run struct {
	args  []string
	env   []string // beside a PATH
	stdin io.Reader
}

// start starts a program, which is killed when the test ends.
func start(t *testing.T, name string, r run) *program {
	t.Helper()
	p := &program{t: t, name: name, cmd: exec.Command(filepath.Join(bin, name), r.args...), exited: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, r.env...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = r.stdin, &p.stdout, &p.stderr
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the state is looked at instead
		p.stdout.end()
		p.stderr.end()
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.exited
		if t.Failed() {
			t.Logf("%s stdout:\n%s\n%s stderr:\n%s", name, p.stdout.String(), name, p.stderr.String())
		}
	})
	return p
}

// wait returns the exit code.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("%s has not ended after %v", p.name, patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop sends a signal and returns the exit code.
func (p *program) stop(s os.Signal) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	return p.wait()
}

// expect waits until a program has printed a text.
func (p *program) expect(o *output, text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	if !o.wait(ctx, text) {
		p.t.Fatalf("%s has not printed %q", p.name, text)
	}
}

// output collects what a program prints.
type output struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	change chan struct{}
	ended  bool
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wake()
	return o.buf.Write(b)
}

func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.wake()
}

func (o *output) wake() {
	if o.change != nil {
		close(o.change)
		o.change = nil
	}
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// wait reports whether the text has come before ctx or the program ended.
func (o *output) wait(ctx context.Context, text string) bool {
	for {
		o.mu.Lock()
		if strings.Contains(o.buf.String(), text) {
			o.mu.Unlock()
			return true
		}
		if o.ended {
			o.mu.Unlock()
			return false
		}
		if o.change == nil {
			o.change = make(chan struct{})
		}
		change := o.change
		o.mu.Unlock()
		select {
		case <-change:
		case <-ctx.Done():
			return false
		}
	}
}
