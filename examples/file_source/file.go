package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

// headBytes is how much of a file's beginning tells it from another one that has got
// its place on the disk, or from itself before it was truncated.
const headBytes = 1024

// file is one file that is read, under whatever name it has by now.
type file struct {
	id   string // see identity
	path string // the name that it had at first
	f    *os.File
	in   *bufio.Reader

	position int64  // behind the last whole line
	length   int64  // of what was read of the next line
	line     []byte // its beginning, up to the limit
	head     []byte // what the file begins with, of all that was read
	turn     int    // see place

	idle   time.Time // since when there is nothing more; zero while there is
	moved  bool      // it has lost its name, and will get no more lines soon
	before *file     // had the name before, and is read first
}

// place is how far a file was read, with what tells whether it is still that file.
type place struct {
	position int64
	sum      uint32 // of the file's beginning, up to the position
	turn     int    // grows when another file is found there
}

func (p place) String() string { return fmt.Sprintf("%d:%08x:%d", p.position, p.sum, p.turn) }

func parsePlace(s string) (p place, err error) {
	n, err := fmt.Sscanf(s, "%d:%x:%d", &p.position, &p.sum, &p.turn)
	if n != 3 || err != nil || p.position < 0 || p.String() != s {
		return place{}, fmt.Errorf("%q is no position in a file", s)
	}
	return p, nil
}

// openFile opens a file where it was left. It returns nil without an error when it is
// not that file, or no longer.
func openFile(path string, left place) (t *file, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if t == nil {
			_ = f.Close() // nothing was written
		}
	}()
	info, err := f.Stat()
	if err != nil || info.Size() < left.position {
		return nil, err
	}
	head := make([]byte, min(left.position, headBytes))
	if _, err = f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if crc32.ChecksumIEEE(head) != left.sum {
		return nil, nil
	}
	if _, err = f.Seek(left.position, io.SeekStart); err != nil {
		return nil, err
	}
	return &file{f: f, in: bufio.NewReaderSize(f, 64<<10), position: left.position, head: head, turn: left.turn}, nil
}

// place is behind the last whole line.
func (t *file) place() place {
	return place{t.position, crc32.ChecksumIEEE(t.head[:min(t.position, int64(len(t.head)))]), t.turn}
}

// offset is where a later run goes on.
func (t *file) offset() connect.Offset {
	return connect.Offset{Partition: partition(t.path, t.id), Value: t.place().String()}
}

// quiet reports whether the file has been at its end for some time.
func (t *file) quiet(d time.Duration) bool { return !t.idle.IsZero() && time.Since(t.idle) >= d }

// close closes a file; closing twice is fine.
func (t *file) close() error {
	if t.f == nil {
		return nil
	}
	f := t.f
	t.f = nil
	return f.Close()
}

// awake looks, after a file was at its end, whether there is more. When the file has
// become another one, it starts again, and truncated is set.
func (t *file) awake() (more, truncated bool, err error) {
	if t.idle.IsZero() {
		return true, false, nil
	}
	info, err := t.f.Stat()
	if err != nil {
		return false, false, err
	}
	read := t.position + t.length
	if info.Size() == read {
		return false, false, nil
	}
	head := make([]byte, len(t.head))
	if info.Size() > read {
		if _, err := t.f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
			return false, false, err
		}
	}
	if info.Size() > read && bytes.Equal(head, t.head) {
		return true, false, nil
	}
	_, err = t.f.Seek(0, io.SeekStart)
	t.in.Reset(t.f)
	t.position, t.head, t.line, t.length, t.turn = 0, nil, nil, 0, t.turn+1
	return true, true, err
}

// next returns the next whole line, without its end; over is how much longer than max
// it is. io.EOF means that there is none yet.
func (t *file) next(limit int) (line []byte, over int64, err error) {
	for {
		part, err := t.in.ReadSlice('\n')
		t.length += int64(len(part))
		t.head = append(t.head, part[:min(len(part), headBytes-len(t.head))]...)
		t.line = append(t.line, part[:min(len(part), max(0, limit+2-len(t.line)))]...) // the end is two bytes at most
		switch {
		case err == nil:
			line, over = t.take(limit)
			return line, over, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, 0, err
		}
	}
}

// rest returns a last line that has no end.
func (t *file) rest(limit int) (line []byte, over int64, ok bool) {
	if t.length == 0 {
		return nil, 0, false
	}
	line, over = t.take(limit)
	return line, over, true
}

// take ends the line that is being read.
func (t *file) take(limit int) (line []byte, over int64) {
	line = t.line
	end := int64(0)
	if cut := bytes.TrimSuffix(line, []byte("\n")); int64(len(line)) == t.length {
		line = bytes.TrimSuffix(cut, []byte("\r"))
		end = t.length - int64(len(line))
	}
	over = max(0, t.length-end-int64(limit))
	t.position += t.length
	t.line, t.length = nil, 0
	return line[:min(len(line), limit)], over
}
