package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// TestProgram runs the source as its main does, against a broker: lines, rotation,
// stop, restart.
func TestProgram(t *testing.T) {
	broker := danubetest.Run(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	write := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	run := func(ctx context.Context, more map[string]string) int {
		env := map[string]string{
			"DANUBE_SERVICE_URL": broker.URL(), "FILE_PATH": path, "METRICS_PORT": "0", "LOG_LEVEL": "off",
			"CHECKPOINT_FILE": filepath.Join(dir, "source.checkpoint"), "POLL_INTERVAL_MS": "10",
		}
		source, settings, defaults := newSource()
		return connect.SourceMain(ctx, nil, source, settings, defaults, connect.WithoutSignals(),
			connect.WithLookupEnv(func(name string) (string, bool) {
				if v, ok := more[name]; ok {
					return v, true
				}
				v, ok := env[name]
				return v, ok
			}))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	write("1\n2\n3")
	stopped := make(chan int, 1)
	first, stop := context.WithCancel(ctx)
	go func() { stopped <- run(first, nil) }()
	wait := func(n int) []danubetest.Message {
		t.Helper()
		messages, err := broker.WaitPublished(ctx, "/default/lines", n)
		if err != nil {
			t.Fatal(err)
		}
		return messages
	}
	wait(2)
	write("\n")
	wait(3)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("4\n")
	wait(4)
	stop()
	if code := <-stopped; code != 0 {
		t.Fatalf("exit code %d", code)
	}

	write("5\n6")
	if code := run(ctx, map[string]string{"ONCE": "true"}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	var got, names []string
	for _, m := range wait(6) {
		got = append(got, string(m.Payload))
		names = append(names, m.Attributes[danube.AttrSource])
		if m.Key != path || m.Attributes["path"] != path {
			t.Errorf("%q has the key %q and the attributes %v", m.Payload, m.Key, m.Attributes)
		}
	}
	if want := []string{"1", "2", "3", "4", "5", "6"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != 6 {
		t.Errorf("the records are called %q", names)
	}
	if code := run(ctx, map[string]string{"FILE_PATH": "", "LONG_LINES": "never"}); code != 2 {
		t.Errorf("exit code %d without a file, want 2", code)
	}
}
