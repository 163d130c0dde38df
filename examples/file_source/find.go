package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// named is a file that a pattern matches.
type named struct {
	id, path string
	info     fs.FileInfo
}

// look finds files that are new or have grown, and those that have lost their names.
func (s *fileSource) look() {
	s.looked = time.Now()
	list, errs := s.match()
	errs = append(errs, s.list())               // first: what is found below may have got their names
	names := make(map[string]string, len(list)) // by identity
	for _, n := range list {
		names[n.id] = n.path
	}
	for _, t := range slices.Clone(s.files) {
		errs = append(errs, s.check(t, names[t.id] == t.path))
	}
	known := make(map[string]bool, len(s.files))
	for _, t := range s.files {
		known[t.id] = true
	}
	for _, n := range list {
		if !known[n.id] {
			s.found(n)
		}
	}
	s.missing = errors.Join(errs...)
}

// match lists the files that the patterns match, each once.
func (s *fileSource) match() (list []named, errs []error) {
	names := make(map[string]named) // by identity
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
			if err != nil {
				errs = append(errs, err)
				continue
			}
			n := named{identity(path, info), path, info}
			first, ok := names[n.id]
			if !ok {
				names[n.id] = n
				list = append(list, n)
			} else if !os.SameFile(first.info, info) {
				errs = append(errs, fmt.Errorf("%s has the number of %s, which is on another disk, and is not read: put it in a directory of its own", path, first.path))
			}
		}
	}
	return list, errs
}

// check finds out whether an open file still has its name. One that could not be read
// is opened anew; by then it may be another one, which found finds.
func (s *fileSource) check(t *file, has bool) error {
	if !has {
		// The pattern may have seen it under another name first, or nothing at all.
		info, err := os.Stat(t.path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		has = err == nil && identity(t.path, info) == t.id
	}
	switch {
	case !has && t.lost.IsZero():
		t.lost = s.looked
	case has:
		t.lost = time.Time{}
	}
	if t.err != nil && has && !t.reopen() {
		_ = s.leave(t) // nothing was written
	}
	return nil
}

// found opens a file that is not open, unless it is known to have nothing more.
func (s *fileSource) found(n named) {
	l, known := s.left[n.id]
	if known && (l.seen.still(n.info) || !l.ended() && s.open(n, l)) {
		return
	}
	if known {
		l.turn++
	}
	if l.position > 0 {
		s.log.Warn("a file is not what it was, or is shorter: reading it from its beginning", "path", n.path, "was", l.path, "was_read_to", l.position)
	} else {
		s.log.Info("reading a new file", "path", n.path)
	}
	s.open(n, left{path: n.path, place: place{turn: l.turn}})
}

// open opens a file where it was left, and reports whether it is the same file. One that
// has nothing more and another name by now is only remembered. One that cannot be opened
// is among the files all the same, because it may lose its name before it can: see reach.
func (s *fileSource) open(n named, l left) (same bool) {
	t, opened, err := openFile(n.path, l.place)
	if opened != nil && !os.SameFile(n.info, opened) {
		if t != nil {
			_ = t.close() // nothing was written
		}
		t, err = nil, fmt.Errorf("%s was renamed: %w", n.path, fs.ErrNotExist)
	}
	switch {
	case err != nil:
		t = &file{place: l.place, err: err}
	case t == nil:
		return false
	}
	t.id, t.path = n.id, l.path
	more := err != nil || opened.Size() > l.position
	if l.path != n.path && !more {
		l.seen = stateOf(opened)
		s.left[t.id] = l
		_ = t.close() // nothing was written
		return true
	}
	if l.path != n.path {
		t.lost = time.Now()
	}
	for _, other := range s.files {
		if other.path == t.path && l.path == n.path { // who has lost the name waits for nobody
			t.before = other
		}
	}
	t.told = l.position > 0
	s.files = append(s.files, t)
	delete(s.left, t.id)
	if l.position > 0 && more && err == nil {
		s.log.Info("reading on", "path", n.path, "was", l.path, "from", l.position)
	}
	return true
}
