package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	connect "github.com/danube-messaging/danube-connect-go"
)

const (
	refresh    = 200 * time.Millisecond
	maxColumns = 100 // of a payload
)

// display shows what happens: rows and the summary on stdout, everything about the
// run on stderr, with a progress line there when it is a terminal.
type display struct {
	meter *meter
	show  int // rows to print, all when negative
	stop  chan struct{}
	done  sync.WaitGroup

	mu       sync.Mutex
	out, err io.Writer
	rows     int
	drawn    bool // there is a progress line on the screen
}

func newDisplay(stdout, stderr *os.File, show int, m *meter) *display {
	d := &display{meter: m, show: show, stop: make(chan struct{}), out: stdout, err: stderr}
	if isTerminal(stderr) {
		d.done.Go(d.progress)
	}
	return d
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// close ends the progress line.
func (d *display) close() {
	close(d.stop)
	d.done.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
}

// note tells people something about the run.
func (d *display) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
	fmt.Fprintf(d.err, format+"\n", args...)
}

// row prints a record that has arrived, if there were not enough yet.
func (d *display) row(seq int64, took time.Duration, rec *connect.SinkRecord) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.show >= 0 && d.rows > d.show {
		return
	}
	d.clear()
	if d.rows == 0 && d.show != 0 {
		fmt.Fprintf(d.out, "%8s %8s %8s %9s  %s\n", "record", "offset", "bytes", "latency", "payload")
	}
	if d.rows++; d.show >= 0 && d.rows > d.show {
		if d.show > 0 {
			fmt.Fprintf(d.err, "... more is coming and is counted, not printed (-show %d)\n", d.show)
		}
		return
	}
	fmt.Fprintf(d.out, "%8d %8d %8d %9s  %s\n", seq, rec.Offset(), rec.PayloadSize(), short(took), printable(rec.Payload()))
}

// progress draws the progress line until close.
func (d *display) progress() {
	ticks := time.NewTicker(refresh)
	defer ticks.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-ticks.C:
			s := d.meter.summary()
			d.mu.Lock()
			fmt.Fprintf(d.err, "\r\x1b[K%s records in, %s out, %s/s, p50 %s, p99 %s   (Ctrl-C to stop)",
				thousands(s.in), thousands(s.out), thousands(int64(s.rate)), short(s.p50), short(s.p99))
			d.drawn = true
			d.mu.Unlock()
		}
	}
}

// clear removes the progress line. The caller holds mu.
func (d *display) clear() {
	if d.drawn {
		fmt.Fprint(d.err, "\r\x1b[K")
		d.drawn = false
	}
}

// logs returns where the SDK's log lines go: above the progress line.
func (d *display) logs() io.Writer { return &logWriter{d} }

type logWriter struct{ d *display }

// Write writes one log line.
func (w *logWriter) Write(p []byte) (int, error) {
	w.d.note("%s", bytes.TrimSuffix(p, []byte("\n")))
	return len(p), nil
}

// printable makes a payload fit for one row of a terminal: nothing in it can move
// the cursor, and it is cut where it is long.
func printable(payload []byte) string {
	var b strings.Builder
	for columns := 0; len(payload) > 0; columns++ {
		if columns == maxColumns {
			b.WriteString("...")
			break
		}
		r, size := utf8.DecodeRune(payload)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, payload[0])
		case r == '\t':
			b.WriteByte(' ')
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		payload = payload[size:]
	}
	return b.String()
}
