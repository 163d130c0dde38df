//go:build unix

package connect

import (
	"bufio"
	"context"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// child is a connector in a process of its own.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func spawn(t *testing.T, b *danubetest.Broker, name string, env ...string) *child {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := program(ctx, name, append([]string{
		"DANUBE_SERVICE_URL=" + b.URL(), "CONNECTOR_NAME=c", "DANUBE_TOPIC=/default/t", "SUBSCRIPTION_NAME=s", "METRICS_PORT=0", "LOG_LEVEL=debug",
	}, env...))
	out, err := cmd.StdoutPipe()
	must(t, err)
	stderr := &logLines{t: t}
	cmd.Stderr = stderr
	must(t, cmd.Start())
	t.Cleanup(stderr.flush)
	return &child{t: t, cmd: cmd, lines: bufio.NewScanner(out)}
}

// says waits until the process has printed a line.
func (c *child) says(line string) {
	c.t.Helper()
	for c.lines.Scan() {
		if c.lines.Text() == line {
			return
		}
	}
	c.t.Fatalf("it ended without saying %q", line)
}

// exits waits for the end and returns the exit code and how long that took.
func (c *child) exits() (int, time.Duration) {
	start := time.Now()
	for c.lines.Scan() {
	}
	_ = c.cmd.Wait() // the code tells
	return c.cmd.ProcessState.ExitCode(), time.Since(start)
}

// logLines shows what a process said on stderr when the test has failed.
type logLines struct {
	t    *testing.T
	text strings.Builder // of one writer, os/exec's goroutine, until Wait
}

func (l *logLines) Write(p []byte) (int, error) { return l.text.Write(p) }

func (l *logLines) flush() {
	if l.t.Failed() {
		l.t.Log(l.text.String())
	}
}

func withTopic(t *testing.T) *danubetest.Broker {
	t.Helper()
	return danubetest.Run(t, danubetest.WithTopic("/default/t", danubetest.TopicConfig{}))
}

func publishTo(t *testing.T, b *danubetest.Broker, payloads ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	must(t, b.WaitConsumers(ctx, "/default/t", "s", 1))
	for _, p := range payloads {
		_, err := b.Publish("/default/t", []byte(p))
		must(t, err)
	}
}

func TestProcessEndsCleanlyAtASignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			b := withTopic(t)
			c := spawn(t, b, "slow sink")
			publishTo(t, b, "1", "2")
			c.says("begun 1")
			must(t, c.cmd.Process.Signal(sig))
			c.says("done 1") // it may finish
			if code, took := c.exits(); code != 0 || took > 5*time.Second {
				t.Errorf("exit code %d after %v, want 0 at once", code, took)
			}
			sub, _ := b.Subscription("/default/t", "s")
			same(t, "acked", sub.Acked, 1)
		})
	}
}

func TestProcessThatHangs(t *testing.T) {
	t.Run("the drain deadline", func(t *testing.T) {
		b := withTopic(t)
		c := spawn(t, b, "hung sink", "DRAIN_TIMEOUT_MS=500")
		publishTo(t, b, "1")
		c.says("begun 1")
		must(t, c.cmd.Process.Signal(syscall.SIGTERM))
		if code, took := c.exits(); code != 4 || took > 5*time.Second {
			t.Errorf("exit code %d after %v, want 4 after about a second", code, took)
		}
		sub, _ := b.Subscription("/default/t", "s")
		same(t, "acked", sub.Acked, 0)
	})
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run("a second "+sig.String(), func(t *testing.T) {
			b := withTopic(t)
			c := spawn(t, b, "hung sink")
			publishTo(t, b, "1")
			c.says("begun 1")
			must(t, c.cmd.Process.Signal(sig))
			// Both at once would be one for the kernel.
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			<-ctx.Done()
			must(t, c.cmd.Process.Signal(sig))
			if code, took := c.exits(); code != 128+int(sig) || took > 3*time.Second {
				t.Errorf("exit code %d after %v, want %d at once", code, took, 128+int(sig))
			}
		})
	}
}

func TestProcessOfASource(t *testing.T) {
	b := withTopic(t)
	c := spawn(t, b, "source")
	c.says("polled 100")
	must(t, c.cmd.Process.Signal(syscall.SIGTERM))
	if code, took := c.exits(); code != 0 || took > 5*time.Second {
		t.Errorf("exit code %d after %v, want 0 at once", code, took)
	}
	if n := len(b.Messages("/default/t")); n < 100 {
		t.Errorf("%d records published, and 100 were polled", n)
	}
}
