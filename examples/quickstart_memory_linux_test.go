package examples_test

import (
	"bytes"
	"io"
	"syscall"
	"testing"
)

// TestQuickstartMemory sends more than the memory that it may take.
func TestQuickstartMemory(t *testing.T) {
	t.Parallel()
	const (
		size  = 16 << 10
		limit = 200 << 20
	)
	lines, records := 20_000, "20,000"
	if race { // which is slow, and takes memory of its own
		lines, records = 2_000, "2,000"
	}
	r, w := io.Pipe()
	go func() {
		line := append(bytes.Repeat([]byte("x"), size-1), '\n')
		for range lines {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
		w.Close()
	}()
	p := start(t, "quickstart", run{stdin: r, args: []string{"-show", "0"}})
	code := p.wait()
	r.Close()
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	checkSummary(t, p.stdout.String(), records)
	used, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("no resource usage")
	}
	t.Logf("it took %d MiB", used.Maxrss>>10)
	if !race && used.Maxrss<<10 > limit {
		t.Errorf("it took %d MiB for %d MiB of lines", used.Maxrss>>10, lines*size>>20)
	}
}
