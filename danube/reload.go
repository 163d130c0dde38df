package danube

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
)

// maxFile bounds what is read from a configured file, since its path may name
// anything: a device has no end.
const maxFile = 4 << 20

// reloaded is a value that is made from files, and made again when they change. It
// goes by their contents, since times and sizes may stay the same; all its users
// look seldom. Without paths it does nothing.
type reloaded[T any] struct {
	paths   []string
	parse   func(contents [][]byte) (T, error)
	reading string // the field of the configuration
	wayOut  string // what to do when a file cannot be read

	contents [][]byte // what value was made from
	value    T
}

// load reads the files. After an error the value is still the old one.
func (r *reloaded[T]) load() (changed bool, err error) {
	if len(r.paths) == 0 {
		return false, nil
	}
	var contents [][]byte
	for _, path := range r.paths {
		b, err := readFile(path, maxFile)
		if err != nil {
			return false, invalid("%s: %w; %s", r.reading, err, r.wayOut)
		}
		contents = append(contents, b)
	}
	if slices.EqualFunc(contents, r.contents, bytes.Equal) {
		return false, nil
	}
	value, err := r.parse(contents)
	if err != nil {
		return false, err
	}
	changed = r.contents != nil
	r.contents, r.value = contents, value
	return changed, nil
}

// readFile reads a file of at most limit bytes. Its errors name the path.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s holds more than %d bytes", path, limit)
	}
	return b, nil
}
