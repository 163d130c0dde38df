//go:build !unix

package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// lock keeps other processes out by a file that exists. Where a process is killed,
// somebody has to remove it.
type lock struct {
	f    *os.File
	path string
}

func acquire(path string) (*lock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("another process has it open, or was killed while it had; in that case remove %s", path)
	}
	if err != nil {
		return nil, err
	}
	return &lock{f, path}, nil
}

func (l *lock) release() error { return errors.Join(l.f.Close(), os.Remove(l.path)) }

// syncDir does nothing: directories cannot be synced here.
func syncDir(string) error { return nil }
