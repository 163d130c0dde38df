package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

// One rename while nobody reads loses nothing, also where no line of the file had got
// through before.
func TestAFileIsKnownFromItsBeginning(t *testing.T) {
	newBench(t, "app.log", func(b *bench) {
		b.write("app.log", "1\n")
		b.poll(soon, "app.log: 1")
		b.rename("app.log", "app.log.1")
		b.poll(2 * linger)
		b.away = true
		b.write("app.log", "2\n")
		b.poll(soon, "app.log: 2")
		b.rename("app.log", "app.log.2")
		b.write("app.log", "3\n")
		b.start("app.log")
		b.poll(soon, "app.log: 2", "app.log: 3")
		b.start("app.log")
		b.poll(soon)
	})
}

// The same for one that was empty, and for one that was written anew.
func TestABeginningThatComesLater(t *testing.T) {
	newBench(t, "app.log", func(b *bench) {
		b.write("app.log", "")
		b.poll(soon)
		b.write("app.log", "1\n")
		b.rename("app.log", "app.log.1")
		b.start("app.log")
		b.poll(2*linger, "app.log: 1")

		b.write("app.log", "2\n")
		b.poll(soon, "app.log: 2")
		b.away = true
		b.must(os.WriteFile(filepath.Join(b.dir, "app.log"), []byte("3\n4\n"), 0o644))
		b.poll(soon, "app.log: 3", "app.log: 4")
		b.rename("app.log", "app.log.2")
		b.start("app.log")
		b.poll(soon, "app.log: 3", "app.log: 4")
	})
}

// Several rotations of which nothing has got through are read one after the other.
func TestRenamedFilesInTheirOrder(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		names [3]string // the oldest first, which was begun
		apart time.Duration
	}{
		{[3]string{"app.log.3", "app.log.2", "app.log.1"}, 0},
		{[3]string{"app.log-1", "app.log-3", "app.log-2"}, 0}, // what was begun is first
		{[3]string{"app.log-1", "app.log-2", "app.log-3"}, time.Second},
	} {
		newBench(t, "app.log", func(b *bench) {
			var want []string
			write := func(lines int) {
				var text strings.Builder
				for range lines {
					fmt.Fprintln(&text, len(want))
					want = append(want, fmt.Sprintf("app.log: %d", len(want)))
				}
				b.write("app.log", text.String())
			}
			write(1)
			b.poll(soon, want...)
			b.away = true
			for i, name := range tc.names {
				begun := len(want)
				write(3 * pollLines)
				b.poll(soon, want[max(1, begun):]...)
				b.rename("app.log", name)
				at := now.Add(time.Duration(i) * tc.apart)
				b.must(os.Chtimes(filepath.Join(b.dir, name), at, at))
			}
			write(1)
			b.start("app.log")
			b.poll(2*soon, want[1:]...)
		})
	}
}

// A new file with the number of one that was deleted has its own name from the start.
func TestANewFileWithTheNumberOfOneThatHasEnded(t *testing.T) {
	newBench(t, "*.csv", func(b *bench) {
		b.write("1.csv", "1\n")
		info, err := os.Stat(filepath.Join(b.dir, "1.csv"))
		b.must(err)
		p := partition(filepath.Join(b.dir, "0.csv"), identity(filepath.Join(b.dir, "1.csv"), info))
		b.at[p] = connect.Offset{Partition: p, Value: place{turn: 3}.end().String()}
		refused := true
		opening(t, func(string) error {
			if refused {
				return fs.ErrPermission
			}
			return nil
		})
		b.start("*.csv")
		b.poll(soon)
		refused = false
		b.rename("1.csv", "1.done")
		b.start("*.csv")
		b.poll(soon, "1.csv: 1")
	})
}

// Of an empty file that is left only its number is known, which another may get.
func TestAnEmptyFileThatIsLeft(t *testing.T) {
	newBench(t, "app.log", func(b *bench) {
		b.write("app.log", "")
		b.poll(2 * linger)
		b.rename("app.log", "app.log.1")
		b.poll(2*linger, "progress")
		b.must(os.WriteFile(filepath.Join(b.dir, "app.log.1"), []byte("another\n"), 0o644))
		b.start("app.log")
		b.poll(soon)
	})
}

// Where files may be under other names is looked up once it can be.
func TestADirectoryThatCannotBeListedAtTheStart(t *testing.T) {
	newBench(t, "sub/app.log", func(b *bench) {
		sub := filepath.Join(b.dir, "sub")
		b.must(os.Mkdir(sub, 0o755))
		b.write("sub/app.log", "1\n")
		b.poll(soon, "app.log: 1")
		b.write("sub/app.log", "2\n")
		b.rename("sub/app.log", "sub/app.log.1")
		b.write("sub/app.log", "3\n")
		b.rename("sub", "other")
		b.must(os.Symlink(sub, sub)) // leads nowhere
		b.start("sub/app.log")
		b.poll(soon)
		if err := b.s.HealthCheck(t.Context()); err == nil || !strings.Contains(err.Error(), "open "+sub+": ") {
			t.Errorf("health: %v", err)
		}
		b.must(os.Remove(sub))
		b.rename("other", "sub")
		b.poll(soon, "app.log: 2", "app.log: 3")
	})
}

// One that nobody may list keeps nothing back: the file may be there under its name.
func TestADirectoryThatNobodyMayList(t *testing.T) {
	newBench(t, "sub/app.log", func(b *bench) {
		sub := filepath.Join(b.dir, "sub")
		b.must(os.Mkdir(sub, 0o755))
		b.write("sub/app.log", "1\n")
		b.poll(soon, "app.log: 1")
		was, refused := readDirectory, 0
		t.Cleanup(func() { readDirectory = was })
		readDirectory = func(dir string) ([]os.DirEntry, error) { // whoever runs this may list everything
			if dir == sub {
				refused++
				return nil, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrPermission}
			}
			return was(dir)
		}
		b.write("sub/app.log", "2\n")
		b.start("sub/app.log")
		b.poll(soon, "app.log: 2")
		b.must(b.s.HealthCheck(t.Context()))
		if !strings.Contains(b.log.String(), "directory="+sub) {
			t.Errorf("the log does not name %s: %s", sub, b.log.String())
		}
		if refused == 0 {
			t.Error("nobody tried to list it")
		}
	})
}
