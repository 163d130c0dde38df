package main

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	headBytes = 1024            // of a file's beginning, and
	tailBytes = 64              // of what was read last, tell it from another one
	tick      = 3 * time.Second // the times of a file system may be this coarse
)

// place is how far a file was read, with what tells whether it is still that file.
type place struct {
	position int64
	sum      uint32 // of the trace up to the position
	turn     int    // grows when another file is found there
}

// end is the place after a file that is no more: whatever comes there is another one.
func (p place) end() place { return place{sum: 1, turn: p.turn + 1} }

// ended reports that: where nothing was read, there is nothing to have a sum.
func (p place) ended() bool { return p.position == 0 && p.sum != 0 }

func (p place) String() string { return fmt.Sprintf("%d:%08x:%d", p.position, p.sum, p.turn) }

func parsePlace(s string) (p place, err error) {
	n, err := fmt.Sscanf(s, "%d:%x:%d", &p.position, &p.sum, &p.turn)
	if n != 3 || err != nil || p.position < 0 || p.String() != s {
		return place{}, fmt.Errorf("%q is no position in a file", s)
	}
	return p, nil
}

// trace tells the file that was read from another one that has got its place on the
// disk, or from itself before it was written anew. A file shorter than a head is known
// by all of it.
type trace struct {
	head []byte // what it begins with, of all that was read
	tail []byte // what was read last
}

// readTrace returns the trace of a file's first n bytes. Where the file is shorter, it
// is that of no file that had n.
func readTrace(f *os.File, n int64) (trace, error) {
	p := trace{head: make([]byte, min(n, headBytes)), tail: make([]byte, min(n, tailBytes))}
	_, err := f.ReadAt(p.head, 0)
	if err == nil {
		_, err = f.ReadAt(p.tail, n-int64(len(p.tail)))
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return p, err
}

// add adds what was read next.
func (p *trace) add(part []byte) {
	p.head = append(p.head, part[:min(len(part), headBytes-len(p.head))]...)
	part = part[max(0, len(part)-tailBytes):]
	drop := max(0, len(p.tail)+len(part)-tailBytes)
	p.tail = append(p.tail[:copy(p.tail, p.tail[drop:])], part...)
}

func (p trace) equal(q trace) bool { return bytes.Equal(p.head, q.head) && bytes.Equal(p.tail, q.tail) }

func (p trace) checksum() uint32 {
	return crc32.Update(crc32.ChecksumIEEE(p.head), crc32.IEEETable, p.tail)
}

// state is what shows cheaply that nobody has written to a file. The zero state shows
// nothing.
type state struct {
	size    int64
	written time.Time
}

// stateOf returns the state of a file. One that was written just now may be written
// again without a trace.
func stateOf(info fs.FileInfo) state {
	if time.Since(info.ModTime()) < tick {
		return state{}
	}
	return state{info.Size(), info.ModTime()}
}

func (s state) still(info fs.FileInfo) bool {
	return !s.written.IsZero() && s.size == info.Size() && s.written.Equal(info.ModTime())
}

var openForReading = os.Open // tests have it fail

// openFile opens a file where it was left. It returns nil without an error when it is
// not that file, or no longer.
func openFile(path string, left place) (t *file, info fs.FileInfo, err error) {
	f, err := openForReading(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if t == nil {
			_ = f.Close() // nothing was written
		}
	}()
	if info, err = f.Stat(); err != nil || info.Size() < left.position {
		return nil, info, err
	}
	p, err := readTrace(f, left.position)
	if err != nil || p.checksum() != left.sum {
		return nil, info, err
	}
	if _, err = f.Seek(left.position, io.SeekStart); err != nil {
		return nil, info, err
	}
	return &file{f: f, place: left, trace: p}, info, nil
}
