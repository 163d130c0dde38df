package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
		b.must(os.Chmod(sub, 0o311))
		defer func() { b.must(os.Chmod(sub, 0o755)) }()
		if _, err := os.ReadDir(sub); err == nil {
			b.t.Skip("who runs this may list everything")
		}
		b.write("sub/app.log", "2\n")
		b.start("sub/app.log")
		b.poll(soon, "app.log: 2")
		b.must(b.s.HealthCheck(t.Context()))
		if !strings.Contains(b.log.String(), "directory="+sub) {
			t.Errorf("the log does not name %s: %s", sub, b.log.String())
		}
	})
}
