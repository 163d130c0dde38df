// Command vulncheck runs govulncheck, pinned in this module, and tells outcomes
// apart that otherwise look alike to a script: nothing found (exit code 0),
// vulnerabilities that the code reaches (1), and a database that could not be read.
// The last says nothing about the code: it is printed loudly as NOT CHECKED and
// exits with 0, so that a build without a network can go on. Everything else, such
// as code that does not compile, is a failure (1).
//
//	go -C tools run ./vulncheck .. ./...
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("vulncheck: ")
	if len(os.Args) < 3 {
		log.Fatal("usage: vulncheck MODULE_DIR [-db URL] PACKAGE...")
	}
	got, err := run(os.Args[1], os.Args[2:], os.Stdout, os.Stderr)
	switch got {
	case clean:
	case vulnerable:
		log.Fatal("vulnerabilities found")
	case unchecked:
		banner := strings.Repeat("!", 78)
		fmt.Fprintf(os.Stderr, `
%s
NOT CHECKED: the vulnerability database could not be read (see above). Nothing
is known about vulnerabilities. Run this again with a network, or with -db and a
copy of the database.
%s
`, banner, banner)
	default:
		log.Fatal(err)
	}
}

// run checks the module in dir; args are packages and flags for govulncheck.
func run(dir string, args []string, stdout, stderr io.Writer) (outcome, error) {
	var said bytes.Buffer
	cmd := exec.Command("go", append([]string{"tool", "govulncheck", "-C", dir}, args...)...)
	cmd.Stdout = stdout
	cmd.Stderr = io.MultiWriter(stderr, &said)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return broken, err
	}
	return classify(cmd.ProcessState.ExitCode(), said.String()), err
}

// outcome is what a run of govulncheck means.
type outcome int

const (
	broken     outcome = iota // it could not do its work: no answer, and ours to mend
	clean                     // it looked, and there is nothing
	vulnerable                // it looked, and there is something
	unchecked                 // it had no database to look in
)

// classify reads an exit code and what was printed beside it. govulncheck exits
// with 3 when it found something, which no other failure uses, and with 1 on every
// error; the one of reading the database begins with a phrase of its own.
func classify(code int, stderr string) outcome {
	switch code {
	case 0:
		return clean
	case 3:
		return vulnerable
	case 1:
		for line := range strings.Lines(stderr) {
			if strings.HasPrefix(line, "govulncheck: fetching vulnerabilities: ") {
				return unchecked
			}
		}
	}
	return broken
}
