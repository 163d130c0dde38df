package main

import (
	"errors"
	"fmt"
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
	at  map[string]connect.Offset // the newest of each partition
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
	b.s = &fileSource{settings: settings{MaxLine: 100, LongLines: "stop"}, log: slog.New(slog.DiscardHandler)}
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
			b.at[r.Offset.Partition] = r.Offset
			text := filepath.Base(r.Key) + ": " + string(r.Payload)
			if r.IsProgress() {
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

func TestLinesAsTheyCome(t *testing.T) {
	newBench(t, "app.log", func(b *bench) {
		if err := b.s.HealthCheck(t.Context()); err == nil || !strings.Contains(err.Error(), "app.log") {
			t.Errorf("health without a file: %v", err)
		}
		b.poll(soon)
		b.write("app.log", "one\ntwo\r\n\nthr")
		b.poll(soon, "app.log: one", "app.log: two", "app.log: ")
		b.write("app.log", "e")
		b.poll(soon) // the last line is not whole
		b.write("app.log", "e\n")
		b.poll(soon, "app.log: three")
		b.must(b.s.HealthCheck(t.Context()))
		b.write("other.log", "not mine\n")
		b.poll(soon)
	})
}

func TestSeveralFiles(t *testing.T) {
	newBench(t, "*.log,sub/*", func(b *bench) {
		b.must(os.MkdirAll(filepath.Join(b.dir, "sub", "directory"), 0o755))
		b.write("a.log", "1\n")
		b.write("b.log", "2\n")
		b.poll(soon, "a.log: 1", "b.log: 2")
		b.write("sub/c", "3\n")
		b.write("a.log", "4\n")
		b.poll(soon, "a.log: 4", "c: 3")
	})
}

func TestRestartGoesOn(t *testing.T) {
	newBench(t, "*.log", func(b *bench) {
		b.write("a.log", "1\n2\n3")
		b.write("b.log", strings.Repeat("x", 80)+"\n")
		b.poll(soon, "a.log: 1", "a.log: 2", "b.log: "+strings.Repeat("x", 80))
		b.start("*.log")
		b.poll(soon)
		b.write("a.log", "\n4\n")
		b.poll(soon, "a.log: 3", "a.log: 4")
		b.start("*.log")
		b.write("b.log", "5\n")
		b.poll(soon, "b.log: 5")
	})
}

func TestManyLines(t *testing.T) {
	newBench(t, "*.log", func(b *bench) {
		var text strings.Builder
		var want []string
		for i := range 3*pollLines + 7 {
			fmt.Fprintf(&text, "%d\n", i)
			want = append(want, fmt.Sprintf("a.log: %d", i))
		}
		b.write("a.log", text.String())
		b.poll(soon, want...)
		b.start("*.log")
		b.poll(soon)
	})
}

func TestRotation(t *testing.T) {
	for _, patterns := range []string{"app.log", "app.log*"} {
		t.Run(patterns, func(t *testing.T) {
			newBench(t, patterns, func(b *bench) {
				b.write("app.log", "1\n")
				b.poll(soon, "app.log: 1")
				b.write("app.log", "2\n")
				b.rename("app.log", "app.log.1")
				b.write("app.log", "4\n")
				b.write("app.log.1", "3\nlast without an end")
				b.poll(soon, "app.log: 2", "app.log: 3", "app.log: 4") // the old one first
				b.write("app.log", "5\n")
				b.write("app.log.1", "\nlate\n") // by who has not noticed
				b.poll(soon, "app.log: last without an end", "app.log: late", "app.log: 5")
				b.write("app.log.1", "cut off")
				b.poll(2*linger, "app.log: cut off") // nobody will end it
				b.rename("app.log.1", "app.log.2")
				b.rename("app.log", "app.log.1")
				b.poll(2 * linger)
				b.write("app.log", "6\n")
				b.poll(soon, "app.log: 6")
			})
		})
	}
}

func TestRotationWhileNobodyReads(t *testing.T) {
	for _, patterns := range []string{"app.log", "app.log*"} {
		t.Run(patterns, func(t *testing.T) {
			newBench(t, patterns, func(b *bench) {
				b.write("app.log", "1\n")
				b.write("app.log.7", "old\n") // read where it is matched
				if patterns == "app.log" {
					b.poll(soon, "app.log: 1")
				} else {
					b.poll(soon, "app.log: 1", "app.log.7: old")
				}
				b.write("app.log", "2\n3\n")
				b.rename("app.log", "app.log.1")
				b.write("app.log", "4\n")
				b.start(patterns)
				b.poll(soon, "app.log: 2", "app.log: 3", "app.log: 4")
				b.start(patterns)
				b.poll(2 * linger)
				b.start(patterns)
				b.poll(soon)
			})
		})
	}
}

func TestTruncation(t *testing.T) {
	newBench(t, "app.log", func(b *bench) {
		path := filepath.Join(b.dir, "app.log")
		b.write("app.log", "1\n2\n3\nhalf")
		b.poll(soon, "app.log: 1", "app.log: 2", "app.log: 3")
		before := b.at[firstKey(b.at)]
		b.must(os.Truncate(path, 0))
		b.poll(soon)
		b.write("app.log", "4\n")
		b.poll(soon, "app.log: 4")
		// It is longer than before by the time that somebody looks.
		b.must(os.WriteFile(path, []byte("5\n6\n7\n8\n9\n"), 0o644))
		b.poll(soon, "app.log: 5", "app.log: 6", "app.log: 7", "app.log: 8", "app.log: 9")
		// While nobody reads, to the same beginning: its records are others all the same.
		b.must(os.WriteFile(path, []byte("1\n2\n3\n"), 0o644))
		b.start("app.log")
		b.poll(soon, "app.log: 1", "app.log: 2", "app.log: 3")
		if after := b.at[firstKey(b.at)]; after == before || after.Partition != before.Partition {
			t.Errorf("the offset after the truncation is %v, before it was %v", after, before)
		}
	})
}

func firstKey(m map[string]connect.Offset) string {
	for k := range m {
		return k
	}
	return ""
}

func TestLinesThatAreTooLong(t *testing.T) {
	long := strings.Repeat("x", 100) // is not
	text := "1\n" + long + "\r\n" + long + "y\n" + strings.Repeat("z", 200_000) + "\n2\n"
	for _, tc := range []struct {
		policy string
		want   []string
	}{
		{"skip", []string{"app.log: 1", "app.log: " + long, "progress", "progress", "app.log: 2"}},
		{"cut", []string{"app.log: 1", "app.log: " + long, "app.log: " + long, "app.log: " + strings.Repeat("z", 100), "app.log: 2"}},
	} {
		t.Run(tc.policy, func(t *testing.T) {
			newBench(t, "app.log", func(b *bench) {
				b.s.settings.LongLines = tc.policy
				b.write("app.log", text)
				b.poll(soon, tc.want...)
				b.start("app.log")
				b.poll(soon)
			})
		})
	}
	newBench(t, "app.log", func(b *bench) {
		b.write("app.log", text)
		for range 2 { // it stays there
			b.start("app.log")
			records, err := b.s.Poll(t.Context())
			for _, r := range records {
				b.at[r.Offset.Partition] = r.Offset
			}
			if !connect.IsFatal(err) || !strings.Contains(err.Error(), "app.log: the line that ends at 206 has 101 bytes, max_line_bytes is 100") {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestOnce(t *testing.T) {
	newBench(t, "*.log", func(b *bench) {
		once := func(s *settings) { s.Once = true }
		b.write("a.log", "1\n2 without an end")
		b.write("b.log", "3\n")
		b.write("empty.log", "")
		b.start("*.log", once)
		b.poll(soon, "a.log: 1", "a.log: 2 without an end", "b.log: 3")
		b.write("b.log", "4\n")
		b.start("*.log", once)
		b.poll(soon, "b.log: 4")
		b.start("*.log,no/such", once)
		if _, err := b.s.Poll(t.Context()); connect.KindOf(err) != connect.KindConfig || !strings.Contains(fmt.Sprint(err), "no/such") {
			t.Errorf("a file that is not there: %v", err)
		}
	})
}

func TestSettings(t *testing.T) {
	s := settings{Path: []string{"a[", ""}, LongLines: "never"}
	err := s.Validate()
	for _, want := range []string{"file.path", "a[", "file.max_line_bytes", "file.long_lines"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if err := (&settings{Path: []string{"a"}, MaxLine: 1, LongLines: "cut"}).Validate(); err != nil {
		t.Error(err)
	}
	b := &fileSource{log: slog.New(slog.DiscardHandler)}
	err = b.Resume(t.Context(), []connect.Offset{connect.OffsetInt("p", 7)})
	if connect.KindOf(err) != connect.KindConfig {
		t.Errorf("the checkpoint of another connector: %v", err)
	}
}
