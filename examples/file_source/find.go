package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

// left is how far a file was read that is not open: by an earlier run, or by this one
// before it was closed.
type left struct {
	path string // its first name
	place
}

// Resume goes on where the last run has stopped, also in files that have lost their
// names since.
func (s *fileSource) Resume(_ context.Context, offsets []connect.Offset) error {
	s.left = make(map[string][]left)
	for _, o := range offsets {
		p, err := parsePlace(o.Value)
		if err != nil {
			return connect.InvalidConfigf("the checkpoint is not of this connector: %v: %w", o, err)
		}
		path, id := parsePartition(o.Partition)
		s.left[id] = append(s.left[id], left{path, p})
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
			for _, l := range s.left[identity(path, info)] {
				if l.path == path || l.position >= info.Size() {
					continue
				}
				if err := s.open(path, info, l); err != nil {
					return err
				}
				break // there is one at most
			}
		}
	}
	s.look()
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

// look finds files that are new or have grown, and those that have lost their names.
func (s *fileSource) look() {
	s.looked = time.Now()
	var errs []error
	names := make(map[string]string) // by identity
	for _, pattern := range s.settings.Path {
		paths, _ := filepath.Glob(pattern) // the pattern was checked
		if len(paths) == 0 {
			errs = append(errs, fmt.Errorf("no file matches %s", pattern))
		}
		for _, path := range paths {
			info, err := os.Stat(path)
			if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
				continue // it is gone again, or a directory
			}
			if err == nil && names[identity(path, info)] == "" {
				names[identity(path, info)] = path
				err = s.found(path, info)
			}
			if err != nil {
				errs = append(errs, err)
			}
		}
	}
	for _, t := range s.files {
		t.moved = t.moved || names[t.id] != t.path
	}
	err := errors.Join(errs...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && (s.trouble == nil || s.trouble.Error() != err.Error()) {
		s.log.Warn("not every file can be read", "error", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	s.trouble = err
}

// found opens a file that is not open, unless nothing has changed since it was.
func (s *fileSource) found(path string, info fs.FileInfo) error {
	id := identity(path, info)
	if slices.ContainsFunc(s.files, func(t *file) bool { return t.id == id }) {
		return nil
	}
	for _, l := range s.left[id] {
		if l.position == info.Size() {
			return nil
		}
	}
	for _, l := range s.left[id] {
		if err := s.open(path, info, l); err != nil || slices.ContainsFunc(s.files, func(t *file) bool { return t.id == id }) {
			return err
		}
	}
	// It is new, or another one in the place of one that was there.
	turn := 0
	for _, l := range s.left[id] {
		turn = max(turn, l.turn+1)
		s.log.Warn("a file is not what it was, or is shorter: reading it from its beginning", "path", path, "was", l.path, "was_read_to", l.position)
	}
	if turn == 0 {
		s.log.Info("reading a new file", "path", path)
	}
	return s.open(path, info, left{path, place{turn: turn}})
}

// open opens a file where it was left, if it is that file.
func (s *fileSource) open(path string, info fs.FileInfo, l left) error {
	t, err := openFile(path, l.place)
	if t == nil || err != nil {
		return err
	}
	if opened, err := t.f.Stat(); err != nil || !os.SameFile(info, opened) {
		return errors.Join(err, t.close()) // renamed in between: the next look finds it
	}
	t.id, t.path, t.moved = identity(path, info), l.path, l.path != path
	for _, other := range s.files {
		if other.path == t.path {
			t.before = other
		}
	}
	s.files = append(s.files, t)
	s.left[t.id] = slices.DeleteFunc(s.left[t.id], func(other left) bool { return other == l })
	if l.position > 0 {
		s.log.Info("reading on", "path", path, "was", l.path, "from", l.position)
	}
	return nil
}

// leave remembers how far a file was read.
func (s *fileSource) leave(t *file) {
	s.left[t.id] = append(s.left[t.id], left{t.path, t.place()})
}
