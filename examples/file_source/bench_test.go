package main

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

// bench is a source and the directory that it reads, without a broker.
type bench struct {
	t   *testing.T
	dir string
	s   *fileSource
	at  map[string]connect.Offset // the newest of each partition that was committed
	log strings.Builder

	away bool            // the broker takes nothing
	held map[string]bool // the partitions of which it has not got something
}

// newBench starts a source in a bubble: what lingers takes no time.
func newBench(t *testing.T, patterns string, test func(*bench)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, dir: dir, at: make(map[string]connect.Offset)}
		b.start(patterns)
		test(b)
		b.must(b.s.Shutdown(t.Context()))
	})
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// start starts the source, again where it was.
func (b *bench) start(patterns string, change ...func(*settings)) {
	b.t.Helper()
	if b.s != nil {
		b.must(b.s.Shutdown(b.t.Context()))
	}
	b.away, b.held = false, make(map[string]bool)
	b.s = &fileSource{settings: settings{MaxLine: 100, LongLines: "stop"}, log: slog.New(slog.NewTextHandler(&b.log, nil))}
	for p := range strings.SplitSeq(patterns, ",") {
		b.s.settings.Path = append(b.s.settings.Path, filepath.Join(b.dir, p))
	}
	for _, f := range change {
		f(&b.s.settings)
	}
	var offsets []connect.Offset
	for _, o := range b.at {
		offsets = append(offsets, o)
	}
	b.must(b.s.Resume(b.t.Context(), offsets))
}

// write adds to a file.
func (b *bench) write(name, text string) {
	b.t.Helper()
	f, err := os.OpenFile(filepath.Join(b.dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	b.must(err)
	_, err = f.WriteString(text)
	b.must(errors.Join(err, f.Close()))
}

func (b *bench) rename(from, to string) {
	b.t.Helper()
	b.must(os.Rename(filepath.Join(b.dir, from), filepath.Join(b.dir, to)))
}

// poll polls for some time and checks what comes, as texts "file: line".
func (b *bench) poll(d time.Duration, want ...string) {
	b.t.Helper()
	var got []string
	for end := time.Now().Add(d); ; time.Sleep(100 * time.Millisecond) {
		records, err := b.s.Poll(b.t.Context())
		for _, r := range records {
			p := r.Offset.Partition
			if b.held[p] = b.held[p] || b.away && !r.IsProgress(); !b.held[p] {
				b.at[p] = r.Offset
			}
			text := filepath.Base(r.Key) + ": " + string(r.Payload)
			if r.IsProgress() {
				if strings.HasPrefix(r.Offset.Value, "0:00000000:") {
					continue // the beginning of a file, see TestAFileIsKnownFromItsBeginning
				}
				text = "progress"
			}
			got = append(got, text)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			got = append(got, "error: "+err.Error())
		}
		if err != nil || !time.Now().Before(end) {
			break
		}
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("got %q, want %q", got, want)
	}
}

const soon = 5 * time.Second
