//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	connect "github.com/danube-messaging/danube-connect-go"
)

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
				t.Fatalf("a deleted file does not show: %v", err)
			}
			b.poll(2*linger, "progress")
			if i%2 == 1 {
				b.start("*.csv")
			}
		}
	})
}

// What has got the number of a file that was deleted is not that file.
func TestANumberOfAFileThatHasEnded(t *testing.T) {
	for _, tc := range []struct {
		name string
		at   place
		want []string
	}{
		{"nothing was read", place{}, []string{"app.log: not mine"}}, // it can only be that one
		{"deleted", place{}.end(), nil},
		{"deleted later", place{turn: 3}.end(), nil},
		{"another sum", place{position: 3, sum: 1}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			newBench(t, "app.log", func(b *bench) {
				path := filepath.Join(b.dir, "other")
				b.write("other", "not mine\n")
				info, err := os.Stat(path)
				b.must(err)
				id := identity(path, info)
				if id == path {
					t.Fatal("the file has no number")
				}
				p := partition(filepath.Join(b.dir, "app.log"), id)
				b.at[p] = connect.Offset{Partition: p, Value: tc.at.String()}
				if tc.at.ended() {
					opening(t, func(name string) error {
						if name == "other" {
							t.Error("it is opened")
						}
						return nil
					})
				}
				b.start("app.log")
				b.poll(soon, tc.want...)
			})
		})
	}
}
