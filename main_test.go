package connect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// TestMain makes the test binary the program of a connector, too.
func TestMain(m *testing.M) {
	if name := os.Getenv("CONNECT_TEST_PROGRAM"); name != "" {
		programs[name]()
	}
	os.Exit(m.Run())
}

// programs are mains, which never return.
var programs = map[string]func(){
	"sink": func() {
		RunSink(&testSink{process: func(_ context.Context, p processed) error {
			fmt.Println("processed", p.payload)
			return nil
		}})
	},
	"slow sink": func() {
		RunSink(&testSink{process: func(_ context.Context, p processed) error {
			fmt.Println("begun", p.payload)
			<-time.After(time.Second)
			fmt.Println("done", p.payload)
			return nil
		}})
	},
	"hung sink": func() {
		RunSink(&testSink{process: func(_ context.Context, p processed) error {
			fmt.Println("begun", p.payload)
			select {}
		}})
	},
	"source": func() {
		n := 0
		RunSource(SourceFunc(func(context.Context) ([]*SourceRecord, error) {
			n++
			fmt.Println("polled", n)
			return texts("", fmt.Sprint(n)), nil
		}))
	},
}

// program is a main of its own process.
func program(ctx context.Context, name string, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append([]string{"CONNECT_TEST_PROGRAM=" + name, "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		cmd.Env = append(cmd.Env, "GOCOVERDIR="+dir)
	}
	return cmd
}

// ends runs a program to its end and returns its exit code and what it said.
func ends(t *testing.T, name string, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := program(ctx, name, env, args...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), complaints.String()
}

func TestMainListsAllConfigurationErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	must(t, os.WriteFile(file, []byte("poll_intervall_ms = 5\nbatch_size = \"many\"\n"), 0o600))
	code, _, stderr := ends(t, "sink", []string{"MAX_RETRIES=x", "SUBSCRIPTION_TYPE=shraed"}, "-config", file)
	same(t, "exit code", code, 2)
	for _, part := range []string{
		"connector_name", "source_topic", "subscription_name", // missing
		"poll_intervall_ms", "poll_interval_ms", // unknown, and what is near
		"batch_size", "MAX_RETRIES", "shraed", "c.toml",
	} {
		if !strings.Contains(stderr, part) {
			t.Errorf("stderr does not mention %s:\n%s", part, stderr)
		}
	}
	if strings.Contains(stderr, "goroutine") {
		t.Errorf("stderr has a stack:\n%s", stderr)
	}
}

func TestMainArguments(t *testing.T) {
	for _, tc := range []struct {
		args []string
		file string
		ok   bool
	}{
		{nil, "", true},
		{[]string{"x"}, "", true},
		{[]string{"x", "-config", "f"}, "f", true},
		{[]string{"x", "--config", "f"}, "f", true},
		{[]string{"x", "-config=f"}, "f", true},
		{[]string{"x", "--config=f=g"}, "f=g", true},
		{[]string{"x", "-config"}, "", false},
		{[]string{"x", "-config="}, "", false},
		{[]string{"x", "-config", ""}, "", false},
		{[]string{"x", "f"}, "", false},
		{[]string{"x", "-h"}, "", false},
		{[]string{"x", "-config", "f", "more"}, "", false},
	} {
		opts, err := parseArgs(tc.args)
		var o options
		for _, opt := range opts {
			opt(&o)
		}
		if (err == nil) != tc.ok || o.load.File != tc.file {
			t.Errorf("%q: got file %q, %v", tc.args, o.load.File, err)
		}
		if err != nil && (ExitCode(err) != 2 || !strings.Contains(err.Error(), "usage: x [-config FILE]")) {
			t.Errorf("%q: %v does not say how to use it", tc.args, err)
		}
	}
}

func TestMainsReturnExitCodes(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		opts := l.options(l.config(func(c *Config) { c.DrainTimeout = time.Second }))
		sink := func(c *testSink) func(context.Context) int {
			return func(ctx context.Context) int { return SinkMain(ctx, []string{"x"}, c, opts...) }
		}
		source := func(f SourceFunc) func(context.Context) int {
			return func(ctx context.Context) int { return SourceMain(ctx, []string{"x"}, f, opts...) }
		}
		release := make(chan struct{})
		for _, tc := range []struct {
			name string
			main func(context.Context) int
			want int
		}{
			{"stopped", sink(&testSink{}), 0},
			{"finished", source(func(context.Context) ([]*SourceRecord, error) { return nil, io.EOF }), 0},
			{"fatal", source(func(context.Context) ([]*SourceRecord, error) { return nil, Fatalf("x") }), 1},
			{"configuration", source(func(context.Context) ([]*SourceRecord, error) { return nil, InvalidConfigf("x") }), 2},
			{"no connector", func(ctx context.Context) int { return SinkMain(ctx, nil, nil, opts...) }, 2},
			{"policy", sink(&testSink{process: func(context.Context, processed) error { return InvalidDataf("x") }}), 5},
			{"drain deadline", sink(&testSink{process: hang(release)}), 4},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan int)
			go func() { done <- tc.main(ctx) }()
			l.pause(time.Second)
			if tc.name == "policy" || tc.name == "drain deadline" {
				l.publish(topic, "1")
				l.pause(time.Second)
			}
			cancel()
			same(t, tc.name, <-done, tc.want)
		}
		close(release)
		l.pause(time.Second)

		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		first, second := make(chan int), make(chan int)
		go func() { first <- sink(&testSink{})(ctx) }()
		l.pause(time.Second)
		go func() { second <- sink(&testSink{})(ctx) }()
		same(t, "taken over", <-first, 3)
		cancel()
		same(t, "the other one", <-second, 0)
	})
}

func TestExitCodes(t *testing.T) {
	policy := fmt.Errorf("%w: record: %w", ErrStoppedByPolicy, Fatalf("x"))
	for _, tc := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), 1},
		{Fatalf("x"), 1},
		{InvalidDataf("x"), 1},
		{Retryablef("x"), 1},
		{context.Canceled, 1},
		{InvalidConfigf("x"), 2},
		{&ConfigError{Key: "k"}, 2},
		{ConfigErrors{{Key: "k"}, {Key: "l"}}, 2},
		{&danube.Error{Op: "receive", Reason: danube.ErrTakenOver}, 3},
		{errors.Join(&danube.Error{Reason: ErrTakenOver}, ErrDrainDeadline), 3},
		{fmt.Errorf("%w (20s): 3 records", ErrDrainDeadline), 4},
		{errors.Join(ErrDrainDeadline, fmt.Errorf("shutdown: %w", errors.New("x"))), 4},
		{errors.Join(ErrDrainDeadline, Fatalf("x")), 1},
		{errors.Join(ErrDrainDeadline, InvalidConfigf("x")), 2},
		{policy, 5},
		{errors.Join(policy, ErrDrainDeadline, errors.New("shutdown: x")), 5},
		{&ForcedError{Signal: syscall.SIGINT}, 130},
		{&ForcedError{Signal: syscall.SIGTERM}, 143},
		{errors.Join(policy, &ForcedError{Signal: syscall.SIGTERM}), 143},
	} {
		same(t, fmt.Sprint(tc.err), ExitCode(tc.err), tc.want)
	}
}
