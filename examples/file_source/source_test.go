package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

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

// A file that nobody writes takes no memory to speak of.
func TestAQuietFile(t *testing.T) {
	newBench(t, "a.log", func(b *bench) {
		b.write("a.log", "1\nha")
		long := time.Now().AddDate(-1, 0, 0)
		b.must(os.Chtimes(filepath.Join(b.dir, "a.log"), long, long))
		b.poll(2*linger, "a.log: 1")
		if b.s.files[0].in != nil {
			t.Error("its buffer is kept")
		}
		b.write("a.log", "lf\n2\n")
		b.poll(soon, "a.log: half", "a.log: 2")
	})
}

// A file that cannot be read keeps back what has got its name, and nothing else.
func TestAFileThatCannotBeRead(t *testing.T) {
	newBench(t, "*.log", func(b *bench) {
		b.write("a.log", "1\nha")
		b.write("b.log", "2\n")
		b.poll(soon, "a.log: 1", "b.log: 2")
		spoil(b, "a.log")
		b.write("a.log", "lf\n")
		b.write("b.log", "4\n")
		b.poll(0, "b.log: 4")
		if err := b.s.HealthCheck(t.Context()); err == nil || !strings.Contains(err.Error(), "a.log") {
			t.Errorf("health with a file that cannot be read: %v", err)
		}
		b.poll(soon, "a.log: half")
		b.must(b.s.HealthCheck(t.Context()))
		spoil(b, "a.log")
		b.must(os.WriteFile(filepath.Join(b.dir, "a.log"), []byte("another file\n"), 0o644))
		b.poll(soon, "a.log: another file")

		b.rename("a.log", "a.1")
		b.poll(soon)
		spoil(b, "a.log")
		b.write("a.log", "not before what is in a.1\n")
		b.write("b.log", "5\n")
		b.poll(2*linger, "b.log: 5")
		if b.s.HealthCheck(t.Context()) == nil {
			t.Error("healthy with a file that cannot be read")
		}
	})
	newBench(t, "*.log", func(b *bench) {
		b.write("a.log", "1\n")
		b.write("b.log", "2\n")
		b.start("*.log", func(s *settings) { s.Once = true })
		spoil(b, "a.log")
		records, err := b.s.Poll(t.Context())
		records = slices.DeleteFunc(records, (*connect.SourceRecord).IsProgress)
		if len(records) != 1 || err == nil || err == io.EOF || connect.KindOf(err) != connect.KindRetryable {
			t.Errorf("got %v, %v; want the line of b.log and an error that is tried again", records, err)
		}
	})
}

// spoil makes an open file one that cannot be read, as ESTALE does: it helps only to
// open it again.
func spoil(b *bench, name string) {
	b.t.Helper()
	for _, t := range b.s.files {
		if filepath.Base(t.path) == name {
			var err error
			b.must(t.f.Close())
			t.f, err = os.Open(b.dir)
			b.must(err)
		}
	}
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
