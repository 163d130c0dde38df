package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	connect "github.com/danube-messaging/danube-connect-go"
)

// opening has f called before each file is opened, and fail where it does.
func opening(t *testing.T, f func(name string) error) {
	was := openForReading
	t.Cleanup(func() { openForReading = was })
	openForReading = func(path string) (*os.File, error) {
		if err := f(filepath.Base(path)); err != nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		return was(path)
	}
}

// A renamed file that cannot be opened at the start keeps back what has got its name,
// and nothing else.
func TestARenamedFileThatCannotBeOpened(t *testing.T) {
	newBench(t, "*.log", func(b *bench) {
		b.write("app.log", "1\n")
		b.write("b.log", "1\n")
		b.poll(soon, "app.log: 1", "b.log: 1")
		b.write("app.log", "2\n")
		b.rename("app.log", "app.log.1")
		b.write("app.log", "3\n")
		b.write("b.log", "2\n")
		refused, tries := true, 0
		opening(t, func(name string) error {
			if refused && strings.HasPrefix(name, "app.log.") {
				tries++
				return fs.ErrPermission
			}
			return nil
		})
		b.start("*.log")
		b.poll(soon, "b.log: 2")
		if err := b.s.HealthCheck(t.Context()); err == nil || !strings.Contains(err.Error(), "app.log.1: permission denied") {
			t.Errorf("health: %v", err)
		}
		b.rename("app.log", "app.log.0") // it waits, too, and so does the next
		b.write("app.log", "4\n")
		b.rename("app.log.1", "app.log.2")
		b.poll(2 * linger)
		if seconds := int((2*linger + soon) / lookEvery); tries < seconds-2 || tries > seconds+4 {
			t.Errorf("it was tried %d times in %d seconds", tries, seconds)
		}
		refused = false
		b.poll(soon, "app.log: 2", "app.log: 3", "app.log: 4")
		b.must(b.s.HealthCheck(t.Context()))
		b.start("*.log")
		b.poll(soon)
	})
}

// A renamed file that is removed when it is to be opened is lost, which the log says.
func TestARenamedFileThatIsGone(t *testing.T) {
	for _, once := range []bool{false, true} {
		newBench(t, "app.log", func(b *bench) {
			b.write("app.log", "1\n")
			b.poll(soon, "app.log: 1")
			b.write("app.log", "2\n")
			b.rename("app.log", "app.log.1")
			b.write("app.log", "3\n")
			opening(t, func(name string) error {
				if name == "app.log.1" {
					return os.Remove(filepath.Join(b.dir, name))
				}
				return nil
			})
			b.start("app.log", func(s *settings) { s.Once = once })
			b.poll(soon, "progress", "app.log: 3")
			b.must(b.s.HealthCheck(t.Context()))
			for _, want := range []string{"level=ERROR", "lost", "path=" + filepath.Join(b.dir, "app.log"), "from=2"} {
				if !strings.Contains(b.log.String(), want) {
					t.Errorf("the log has no %q: %s", want, b.log.String())
				}
			}
		})
	}
}

// One that gets yet another name when it is to be opened is not lost.
func TestARenamedFileThatIsRenamedAgain(t *testing.T) {
	for _, other := range []bool{false, true} { // another one gets its name meanwhile
		newBench(t, "app.log", func(b *bench) {
			b.write("app.log", "1\n")
			b.poll(soon, "app.log: 1")
			b.write("app.log", "2\n")
			b.rename("app.log", "app.log.1")
			b.write("app.log", "3\n")
			next := map[string]string{"app.log.1": "app.log.2", "app.log.2": "app.log.3", "app.log.3": "app.log.4"}
			opening(t, func(name string) error {
				if to := next[name]; to != "" {
					delete(next, name)
					b.rename(name, to)
					if other {
						b.write(name, "not mine\n")
					}
				}
				return nil
			})
			b.start("app.log")
			b.poll(soon, "app.log: 2", "app.log: 3")
			if len(next) != 0 {
				t.Errorf("it was not opened as %v", next)
			}
		})
	}
}

// A file that loses its name before it can be opened for the first time is read all the
// same, and what gets its name waits for it.
func TestANewFileThatCannotBeOpened(t *testing.T) {
	newBench(t, "app.log", func(b *bench) {
		refused := true
		opening(t, func(string) error {
			if refused {
				return fs.ErrPermission
			}
			return nil
		})
		b.write("app.log", "1\n")
		b.poll(soon)
		b.rename("app.log", "app.log.1")
		b.start("app.log")
		b.write("app.log", "2\n")
		b.poll(soon)
		b.rename("app.log", "app.log.2")
		b.poll(soon)
		b.write("app.log", "3\n")
		b.poll(2 * linger)
		refused = false
		b.poll(soon, "app.log: 1", "app.log: 2", "app.log: 3")
		b.must(b.s.HealthCheck(t.Context()))
	})
}

// One that is another file by the time that it can be opened keeps nothing back.
func TestAFileThatWasAnotherBeforeItCouldBeOpened(t *testing.T) {
	newBench(t, "app.log", func(b *bench) {
		b.write("app.log", "1\n")
		b.poll(soon, "app.log: 1")
		b.must(os.WriteFile(filepath.Join(b.dir, "app.log"), []byte("not mine\n"), 0o644))
		b.rename("app.log", "other")
		b.write("app.log", "2\n")
		refused := true
		opening(t, func(name string) error {
			if refused && name == "other" {
				return fs.ErrPermission
			}
			return nil
		})
		b.start("app.log")
		b.poll(soon)
		refused = false
		b.poll(soon, "app.log: 2")
		b.must(b.s.HealthCheck(t.Context()))
	})
}

// With ONCE nobody waits for it: that is an error, once the others are read.
func TestOnceWithAFileThatCannotBeOpened(t *testing.T) {
	newBench(t, "*.log", func(b *bench) {
		b.write("a.log", "1\n")
		b.write("b.log", strings.Repeat("2\n", 2*pollLines))
		opening(t, func(name string) error {
			if name == "a.log" {
				return fs.ErrPermission
			}
			return nil
		})
		b.start("*.log", func(s *settings) { s.Once = true })
		var lines int
		var err error
		for range 10 {
			var records []*connect.SourceRecord
			records, err = b.s.Poll(t.Context())
			for _, r := range records {
				if !r.IsProgress() {
					lines++
				}
			}
			if connect.KindOf(err) == connect.KindConfig {
				break
			}
		}
		if lines != 2*pollLines || connect.KindOf(err) != connect.KindConfig || !strings.Contains(err.Error(), "a.log") {
			t.Errorf("%d lines, %v; want the lines of b.log and an error that ends the source", lines, err)
		}
	})
}
