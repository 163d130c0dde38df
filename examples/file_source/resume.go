package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	connect "github.com/danube-messaging/danube-connect-go"
)

// left is how far a file was read that is not open: by an earlier run, or by this one
// before it was closed.
type left struct {
	path string // its first name
	place
	seen state // when it was last found to be that file, with nothing more in it
}

// Resume goes on where the last run has stopped, also in files that have lost their
// names since.
func (s *fileSource) Resume(_ context.Context, offsets []connect.Offset) error {
	s.left = make(map[string]left)
	for _, o := range offsets {
		p, err := parsePlace(o.Value)
		if err != nil {
			return connect.InvalidConfigf("the checkpoint is not of this connector: %v: %w", o, err)
		}
		path, id := parsePartition(o.Partition)
		// Of the files that were in one place on the disk, the last is there.
		if old, ok := s.left[id]; !ok || p.turn > old.turn || p.turn == old.turn && p.position > old.position {
			s.left[id] = left{path: path, place: p}
		}
	}
	if len(s.left) > 0 {
		s.unlisted = s.directories()
	}
	s.look()
	s.report()
	return nil
}

// directories lists where the files may be.
func (s *fileSource) directories() (dirs []string) {
	for _, p := range s.settings.Path {
		names, _ := filepath.Glob(filepath.Dir(p)) // the pattern was checked
		dirs = append(dirs, names...)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// list looks in the directories for files that have lost their names since the last run.
// One that cannot be listed is tried again by the next look.
func (s *fileSource) list() error {
	var errs []error
	s.unlisted = slices.DeleteFunc(s.unlisted, func(dir string) bool {
		list, err := filesIn(dir)
		if errors.Is(err, fs.ErrPermission) { // meant so; the names in it may be known all the same
			s.log.Warn("files that were renamed meanwhile cannot be found: what was not read of them is lost", "directory", dir, "error", err)
			return true
		}
		if err != nil {
			errs = append(errs, err)
			return false
		}
		s.openRenamed(list)
		return true
	})
	return errors.Join(errs...)
}

// openRenamed opens what has lost its name and has more, in the order in which it was
// written: of files that had one name, each waits for the one before.
func (s *fileSource) openRenamed(list []named) {
	slices.SortStableFunc(list, func(a, b named) int {
		return cmp.Or(a.info.ModTime().Compare(b.info.ModTime()),
			cmp.Compare(s.left[b.id].position, s.left[a.id].position), // what was begun
			cmp.Compare(b.path, a.path))                               // .2 before .1
	})
	last := make(map[string]*file) // by the name that they had
	for _, n := range list {
		l, ok := s.left[n.id]
		if !ok || l.path == n.path || l.ended() || l.position >= n.info.Size() || !s.open(n, l) {
			continue
		}
		if t := s.files[len(s.files)-1]; t.id == n.id {
			t.before = last[t.path]
			last[t.path] = t
		}
	}
}
