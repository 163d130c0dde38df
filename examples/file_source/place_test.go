package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What is read in parts has the trace that the file has.
func TestTrace(t *testing.T) {
	text := make([]byte, 3*headBytes)
	for i := range text {
		text[i] = byte(i * i / 7)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 7, tailBytes, tailBytes + 1, headBytes - 1, headBytes, 2 * headBytes} {
		var read trace
		n := 0
		for part := range slices.Chunk(text, size) {
			read.add(part)
			n += len(part)
			there, err := readTrace(f, int64(n))
			if err != nil || !there.equal(read) || there.checksum() != read.checksum() {
				t.Fatalf("parts of %d, after %d: %x, the file has %x (%v)", size, n, read, there, err)
			}
		}
		for _, at := range []int64{0, headBytes - 1, int64(len(text)) - tailBytes, int64(len(text)) - 1} {
			if _, err := f.WriteAt([]byte{text[at] + 1}, at); err != nil {
				t.Fatal(err)
			}
			there, err := readTrace(f, int64(n))
			if err != nil || there.equal(read) || there.checksum() == read.checksum() {
				t.Errorf("another byte at %d makes no difference (%v)", at, err)
			}
			if _, err := f.WriteAt(text[at:at+1], at); err != nil {
				t.Fatal(err)
			}
		}
		if there, err := readTrace(f, int64(n)+1); err != nil || there.equal(read) {
			t.Errorf("a file that is too short has the trace of a longer one (%v)", err)
		}
	}
}

// longer than what a file is known by
var header = strings.Repeat(strings.Repeat("h", 99)+"\n", 11)

func TestAFileThatIsWrittenAnew(t *testing.T) {
	for _, tc := range []struct{ name, before, after string }{
		{"with as many bytes", "2026-01-01;100\n", "2026-01-02;200\n"},
		{"with as many bytes and a long header", header + "1\n2\n", header + "3\n4\n"},
		{"longer, with the same beginning", "header\n1\n", "header\n2\n3\n"},
		{"longer, with a long header", header + "1\n", header + "2\n3\n"},
		{"shorter", "1\n2\n", "1\n"},
	} {
		for _, followed := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, followed %v", tc.name, followed), func(t *testing.T) {
				newBench(t, "a.csv", func(b *bench) {
					path := filepath.Join(b.dir, "a.csv")
					b.must(os.WriteFile(path, []byte(tc.before), 0o644))
					b.poll(soon, linesOf("a.csv", tc.before)...)
					before := b.at[firstKey(b.at)]
					long := time.Now().AddDate(-1, 0, 0)
					b.must(os.Chtimes(path, long, long)) // what is not written says so, and is not read
					b.poll(soon)
					b.must(os.WriteFile(path, []byte(tc.after), 0o644))
					if !followed {
						b.start("a.csv")
					}
					b.poll(soon, linesOf("a.csv", tc.after)...)
					if after := b.at[firstKey(b.at)]; after == before {
						t.Errorf("another record has the offset %v", after)
					}
				})
			})
		}
	}
}

func linesOf(name, text string) (list []string) {
	for line := range strings.Lines(text) {
		list = append(list, name+": "+strings.TrimSuffix(line, "\n"))
	}
	return list
}

// A file that was not written to shows it once its time is old enough.
func TestState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	check := func(at time.Time, want bool) {
		t.Helper()
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := stateOf(info).still(info); got != want {
			t.Errorf("written at %v: %v, want %v", at, got, want)
		}
	}
	now := time.Now()
	check(now, false)
	check(now.Add(time.Hour), false) // by a clock that is ahead
	check(now.Add(-time.Hour), true)
}
