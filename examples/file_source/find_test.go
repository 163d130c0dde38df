package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A file that gets the place of another one on the disk, and its length, is new.
func TestANumberThatComesAgain(t *testing.T) {
	newBench(t, "*.csv", func(b *bench) {
		for i := range 3 {
			name := fmt.Sprintf("%d.csv", i)
			b.must(os.WriteFile(filepath.Join(b.dir, "new"), fmt.Appendln(nil, "event", i), 0o644)) // where the old one was
			b.rename("new", name)
			b.poll(soon, fmt.Sprintf("%s: event %d", name, i))
			b.start("*.csv") // what was there before it is forgotten
			b.poll(soon)
			b.rename(name, "new")
			b.poll(2 * linger)
		}
		if n := len(b.s.left); n != 1 {
			t.Errorf("%d places are remembered, want 1", n)
		}
	})
}

func TestANameThatIsGoneForAMoment(t *testing.T) {
	newBench(t, "sub/app.log", func(b *bench) {
		b.must(os.Mkdir(filepath.Join(b.dir, "sub"), 0o755))
		b.write("sub/app.log", "1\nhalf")
		b.poll(2*linger, "app.log: 1") // it is quiet for long
		b.rename("sub/app.log", "sub/x")
		b.poll(soon)
		b.rename("sub/x", "sub/app.log")
		b.poll(2 * linger)
		b.write("sub/app.log", " of a line\n")
		b.poll(soon, "app.log: half of a line")
	})
}

// A directory that cannot be read says nothing of names.
func TestADirectoryThatCannotBeRead(t *testing.T) {
	newBench(t, "sub/app.log", func(b *bench) {
		sub := filepath.Join(b.dir, "sub")
		b.must(os.Mkdir(sub, 0o755))
		b.write("sub/app.log", "1\nhalf")
		b.poll(soon, "app.log: 1")
		b.rename("sub", "other")
		b.must(os.Symlink(sub, sub)) // leads nowhere
		b.poll(2 * linger)
		if b.s.HealthCheck(t.Context()) == nil {
			t.Error("healthy without its directory")
		}
		b.must(os.Remove(sub))
		b.rename("other", "sub")
		b.write("sub/app.log", " of a line\n")
		b.poll(soon, "app.log: half of a line")
		b.must(b.s.HealthCheck(t.Context()))
	})
}

// A second name of a file is not another name.
func TestAFileWithTwoNames(t *testing.T) {
	newBench(t, "*.log", func(b *bench) {
		b.write("b.log", "1\nhalf")
		b.poll(soon, "b.log: 1")
		b.must(os.Link(filepath.Join(b.dir, "b.log"), filepath.Join(b.dir, "a.log")))
		b.poll(2 * linger)
		b.write("a.log", " of a line\n")
		b.poll(soon, "b.log: half of a line")
	})
}
