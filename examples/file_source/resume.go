package main

import (
	"context"
	"os"
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
	for _, dir := range s.directories() {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // look complains
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			info, err := os.Stat(path)
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			l, ok := s.left[identity(path, info)]
			if !ok || l.path == path || l.position == 0 || l.position >= info.Size() {
				continue
			}
			if _, err := s.open(path, info, l); err != nil {
				return err
			}
		}
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

// leave closes a file and remembers how far it was read.
func (s *fileSource) leave(t *file) error {
	s.left[t.id] = left{path: t.path, place: t.place}
	s.files = slices.DeleteFunc(s.files, func(other *file) bool { return other == t })
	return t.close()
}
