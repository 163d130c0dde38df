package main

import "testing"

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
