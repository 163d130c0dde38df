package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	connect "github.com/danube-messaging/danube-connect-go"
)

// reach opens a file that could not be opened, by whatever name it has now. One that is
// no more is given up, and so is one that turns out to be another, which look finds.
func (s *fileSource) reach(t *file, records []*connect.SourceRecord) []*connect.SourceRecord {
	for range 3 { // a name may change between two steps, and while a directory is listed
		list, err := filesIn(filepath.Dir(t.path))
		if err != nil {
			t.err = err
			return records
		}
		i := slices.IndexFunc(list, func(n named) bool { return n.id == t.id })
		if i < 0 {
			continue
		}
		path := list[i].path
		again, info, err := openFile(path, t.place)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			t.err = err
			return records
		case identity(path, info) != t.id:
			if again != nil {
				_ = again.close() // nothing was written
			}
		case again == nil:
			_ = s.leave(t) // it is not open
			return records
		default:
			t.f, t.trace = again.f, again.trace
			s.log.Info("a file can be opened again", "path", path, "was", t.path, "from", t.position)
			return records
		}
	}
	s.log.Error("a file is gone before it could be opened: its lines from there on are lost", "path", t.path, "from", t.position, "error", t.err)
	records = append(records, t.forget())
	_ = s.leave(t) // it is not open
	return records
}

var readDirectory = os.ReadDir // tests have it fail

// filesIn lists the files of a directory.
func filesIn(dir string) (list []named, err error) {
	entries, err := readDirectory(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path)
		switch {
		case err == nil && info.Mode().IsRegular():
			list = append(list, named{identity(path, info), path, info})
		case err != nil && e.Type().IsRegular() && !errors.Is(err, fs.ErrNotExist):
			return nil, err // it may be the one that is looked for
		}
	}
	return list, nil
}

// leave closes a file and remembers how far it was read. Nobody waits for it any more.
func (s *fileSource) leave(t *file) error {
	s.left[t.id] = left{path: t.path, place: t.place}
	s.files = slices.DeleteFunc(s.files, func(other *file) bool { return other == t })
	for _, other := range s.files {
		if other.before == t {
			other.before = nil
		}
	}
	return t.close()
}
