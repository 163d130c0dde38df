// Command file_source publishes the lines of files, each as a record of its own, and
// follows the files as they grow, as tail -F does.
//
//	FILE_PATH=/var/log/app.log CHECKPOINT_FILE=app.checkpoint go run ./examples/file_source
//
// The environment configures it, or a file with the same keys, see settings:
//
//	FILE_PATH        the files, as patterns separated by commas: /var/log/app.log,/var/log/web/*.log
//	ONCE             true reads what is there and ends; a last line without a newline counts; a file that
//	                 cannot be opened is an error once the others are read
//	MAX_LINE_BYTES   1048576
//	LONG_LINES       what happens to a line that is longer: stop (default), skip or cut
//	CHECKPOINT_FILE  where it keeps how far it is; without one it starts from the beginning each time
//	CONNECTOR_NAME   file-source
//	DANUBE_TOPIC     /default/lines
//
// and every other key of the SDK. A record has the line without its end as payload, the
// file's name as key, so that the lines of a file stay in order in a topic with
// partitions, and the name as attribute "path".
//
// A file is known by its place on the disk, its directory and inode, and by its first KiB
// and the last 64 bytes that were read of it; a shorter one by all of it. One that is
// renamed, as log rotation does, is read to its end before the one that takes its name,
// also when that happened while nobody was reading: the checkpoint has it from when it is
// first seen, and it is looked for in its directory, which must be one that can be listed.
// One that gets shorter, or is written anew, is read from its beginning, and so is one that
// gets the inode of another. A file that cannot be read is tried again each second, at the
// start, too, and makes the connector not ready; only what has got its name waits for it.
//
// Lines are lost where
//   - the name goes from one file to the next and on to a third between two looks, which
//     are a second apart, or while this program does not run: the second was never seen,
//     unless FILE_PATH has the rotated names too: "app.log,app.log.[0-9]". Not "app.log*"
//     where they are compressed or copied (copytruncate): what the pattern matches is read
//     as it is, and copies as new files. There are no looks while 65,536 records wait for
//     the broker;
//   - a file is removed, compressed or moved to another directory before it was read to its
//     end, while this program does not run or cannot open it. Of the latter the log has the
//     name and the position;
//   - a log is truncated (copytruncate) before its last lines were read. Let the rotation
//     rename;
//   - somebody writes to a rotated file that FILE_PATH does not match a minute after its
//     last line;
//   - a file is written anew, or gets the inode of one that was deleted while this program
//     did not have it open, and is equal to the old one in all that was compared.
//
// Lines come twice where
//   - the program crashes: those since the last checkpoint, with the same
//     x-connect-source;
//   - a file is copied, or moved to another directory that FILE_PATH matches;
//   - a file is shortened, or changed within what is compared: all its lines.
//
// A file of which no line got through before the program ended is known by its inode alone.
// If it is deleted before the next start, what has got the inode is read in its place; and
// a file that cannot be opened is taken for the one that had its inode.
//
// The checkpoint keeps a line for each file that there ever was. Where files come and go
// for ever, stop the program now and then when all is read, empty the directory, and
// remove the checkpoint.
package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"

	connect "github.com/danube-messaging/danube-connect-go"
)

func main() { connect.RunSource(newSource()) }

// newSource returns the connector with what configures it.
func newSource() (connect.SourceConnector, connect.Option, connect.Option) {
	s := &fileSource{settings: settings{MaxLine: 1 << 20, LongLines: "stop"}}
	return s, connect.WithSettings("file", &s.settings), connect.WithConfigChange(func(c *connect.Config) {
		c.ConnectorName = cmp.Or(c.ConnectorName, "file-source")
		c.DestinationTopic = cmp.Or(c.DestinationTopic, "/default/lines")
	})
}

// settings are the connector's own.
type settings struct {
	Path      []string `toml:"path" env:"FILE_PATH"`
	Once      bool     `toml:"once" env:"ONCE"`
	MaxLine   int      `toml:"max_line_bytes" env:"MAX_LINE_BYTES"`
	LongLines string   `toml:"long_lines" env:"LONG_LINES"`
}

// Validate checks them together with the rest of the configuration.
func (s *settings) Validate() error {
	var problems connect.ConfigErrors
	add := func(key, value, problem string) {
		problems = append(problems, &connect.ConfigError{Key: "file." + key, Value: value, Problem: problem})
	}
	if len(s.Path) == 0 {
		add("path", "", "required: set it in the file or as the environment variable FILE_PATH")
	}
	for _, p := range s.Path {
		if _, err := filepath.Match(p, ""); err != nil || p == "" {
			add("path", p, "expected the name of a file, or a pattern of names")
		}
	}
	if s.MaxLine < 1 {
		add("max_line_bytes", fmt.Sprint(s.MaxLine), "expected at least 1")
	}
	if !slices.Contains([]string{"stop", "skip", "cut"}, s.LongLines) {
		add("long_lines", s.LongLines, "expected stop, skip or cut")
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}
