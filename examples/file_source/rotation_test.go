package main

import (
	"fmt"
	"testing"
	"time"
)

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

// Lines that come to a rotated file after it was closed do not wait until the one that
// has its name is quiet.
func TestLateLines(t *testing.T) {
	newBench(t, "app.log*", func(b *bench) {
		b.write("app.log", "1\n")
		b.poll(soon, "app.log: 1")
		b.rename("app.log", "app.log.1")
		b.write("app.log", "2\n")
		b.poll(2*linger, "app.log: 2")
		b.write("app.log.1", "late\n")
		late := false
		for i := range 20 {
			b.write("app.log", fmt.Sprintln(i))
			time.Sleep(yield / 2)
			records, err := b.s.Poll(t.Context())
			b.must(err)
			for _, r := range records {
				late = late || string(r.Payload) == "late"
			}
		}
		if !late {
			t.Error("the late line waits for ever")
		}
	})
}

// Rotations leave nothing behind but how far each file was read.
func TestManyRotations(t *testing.T) {
	newBench(t, "app.log", func(b *bench) {
		for i := range 20 {
			b.write("app.log", fmt.Sprintln(i))
			b.poll(2*linger, fmt.Sprintf("app.log: %d", i))
			b.rename("app.log", fmt.Sprintf("app.log.%d", i))
		}
		closed := 0
		for _, f := range b.s.files {
			for f = f.before; f != nil; f = f.before {
				closed++
			}
		}
		if closed > 1 || len(b.s.files) > 2 {
			t.Errorf("%d files are open, and %d before them are kept", len(b.s.files), closed)
		}
	})
}
