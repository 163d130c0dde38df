// Command textcheck reports text that belongs to one machine or to the tools of
// one author and not into a repository: absolute paths of a build machine, hosts
// of a module proxy, words of writing assistants. It reads what git tracks below
// a directory:
//
//	go -C tools run ./textcheck ..
//
// It prints file:line and exits with 1 when it found something. A line that must
// stay says so with the words "textcheck:allow".
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// forbidden is put together from pieces, so that this file passes its own check.
var forbidden = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{"a path of a build machine", regexp.MustCompile(`(^|[^\w.~-])/(wo` + `rk|ro` + `ot|tmp/dan` + `ube)(/|\b)`)},
	{"the host of a module registry", regexp.MustCompile(`(?i)\b(proxy\.go` + `lang\.org|sum\.go` + `lang\.org|gop` + `roxy\.io|crates\.io/api)\b`)},
	{"a word of a writing tool", regexp.MustCompile(`(?i)\b(chat` + `gpt|open` + `ai|clau` + `de|anthro` + `pic|copi` + `lot|language mo` + `del|as an a` + `i|sub-?ag` + `ent|AI[- ]gener` + `ated)\b`)},
}

const allow = "textcheck:allow"

func main() {
	log.SetFlags(0)
	log.SetPrefix("textcheck: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: textcheck DIR")
	}
	files, err := tracked(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	found := 0
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(os.Args[1], name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			log.Fatal(err)
		}
		for _, f := range check(data) {
			fmt.Printf("%s:%d: %s: %s\n", name, f.line, f.what, f.text)
			found++
		}
	}
	if found > 0 {
		log.Fatalf("%d lines to mend", found)
	}
}

// tracked lists the files that git tracks in dir.
func tracked(dir string) ([]string, error) {
	cmd := exec.Command("git", "-C", dir, "ls-files", "-z")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	var files []string
	for _, name := range bytes.Split(out, []byte{0}) {
		if len(name) > 0 {
			files = append(files, string(name))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("git tracks nothing in %s", dir)
	}
	return files, nil
}

// finding is one line with something forbidden.
type finding struct {
	line       int
	what, text string
}

// check looks at one file. A file with a zero byte is taken for binary, as git
// does.
func check(data []byte) []finding {
	if bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
		return nil
	}
	var found []finding
	for i, line := range bytes.Split(data, []byte{'\n'}) {
		if bytes.Contains(line, []byte(allow)) {
			continue
		}
		for _, f := range forbidden {
			if m := f.pattern.Find(line); m != nil {
				found = append(found, finding{i + 1, f.what, string(bytes.TrimSpace(line))})
				break
			}
		}
	}
	return found
}
