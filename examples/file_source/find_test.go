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

// A file that was deleted is not the one that comes after it, also where they are equal.
func TestEqualFilesOneAfterTheOther(t *testing.T) {
	newBench(t, "*.csv", func(b *bench) {
		for i := range 6 {
			name := fmt.Sprintf("%d.csv", i/2)
			b.write(name, "the same\n")
			b.poll(soon, name+": the same")
			b.start("*.csv")
			b.poll(soon)
			if len(b.s.files) != 1 {
				t.Fatalf("%d files are open", len(b.s.files))
			}
			b.must(os.Remove(filepath.Join(b.dir, name)))
			if info, err := b.s.files[0].f.Stat(); err != nil || !deleted(info) {
				t.Skip("a deleted file does not show here")
			}
			b.poll(2*linger, "progress")
			if i%2 == 1 {
				b.start("*.csv")
			}
		}
	})
}
