package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

// file is one file that is read, under whatever name it has by now.
type file struct {
	id    string        // see identity
	path  string        // the name that it had at first
	f     *os.File      // nil while it cannot be opened
	in    *bufio.Reader // nil while nothing is read
	place               // behind the last whole line
	trace               // of all that was read, as it was then
	seen  state         // when it was last compared with that

	length int64  // of what was read of the next line
	line   []byte // its beginning, up to the limit

	idle   time.Time // since when there is nothing more; zero while there is
	lost   time.Time // since when it does not have its name; zero while it has
	err    error     // why it could not be read
	tried  time.Time // the look before that: the next one tries again
	before *file     // had the name before, and is read first
	told   bool      // the checkpoint gets to know that there is this file
}

// offset is where a later run goes on.
func (t *file) offset() connect.Offset {
	return connect.Offset{Partition: partition(t.path, t.id), Value: t.place.String()}
}

// quiet reports whether the file has been at its end for some time.
func (t *file) quiet(d time.Duration) bool { return !t.idle.IsZero() && time.Since(t.idle) >= d }

// abandoned reports whether nobody writes the file any more.
func (t *file) abandoned() bool {
	return !t.lost.IsZero() && time.Since(t.lost) >= linger && t.quiet(linger)
}

// close closes a file and lets go of what it takes; closing twice is fine.
func (t *file) close() error {
	if t.f == nil {
		return nil
	}
	f := t.f
	t.f, t.in, t.before = nil, nil, nil // else each rotation would keep all before it
	return f.Close()
}

// forget ends a file that is no more: another one may get its number, and be the same
// as far as it was read.
func (t *file) forget() *connect.SourceRecord {
	t.place = t.place.end()
	return connect.Progress(t.offset())
}

// reopen opens a file that could not be read again, and reads the line anew that was
// begun. false means that it is another one by now.
func (t *file) reopen() bool {
	again, info, err := openFile(t.path, t.place)
	if again == nil {
		return err != nil
	}
	if identity(t.path, info) != t.id {
		_ = again.close() // renamed in between; nothing was written
		return true
	}
	_ = t.f.Close()
	t.f, t.in, t.line, t.length = again.f, nil, nil, 0
	t.trace, t.seen, t.idle = again.trace, state{}, time.Time{}
	return true
}

// awake looks, after a file was at its end, whether there is more. When the file has
// become another one, it starts again, and rewritten is set.
func (t *file) awake() (more, rewritten bool, err error) {
	if t.idle.IsZero() {
		return true, false, nil
	}
	info, err := t.f.Stat()
	if err != nil {
		return false, false, err
	}
	read := t.position + t.length
	if info.Size() == read && t.seen.still(info) {
		if t.quiet(linger) {
			t.in = nil // it is empty, and may not be wanted for long
		}
		return false, false, nil
	}
	now, err := readTrace(t.f, read)
	if err != nil {
		return false, false, err
	}
	if info.Size() >= read && now.equal(t.trace) {
		t.seen = stateOf(info)
		return info.Size() > read, false, nil
	}
	_, err = t.f.Seek(0, io.SeekStart)
	t.in, t.line, t.length = nil, nil, 0
	t.place, t.trace, t.seen = place{turn: t.turn + 1}, trace{}, state{}
	return true, true, err
}

// next returns the next whole line, without its end; over is how much longer than max
// it is. io.EOF means that there is none yet.
func (t *file) next(limit int) (line []byte, over int64, err error) {
	if t.in == nil {
		t.in = bufio.NewReaderSize(t.f, 64<<10)
	}
	for {
		part, err := t.in.ReadSlice('\n')
		t.length += int64(len(part))
		t.trace.add(part)
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
	t.sum = t.trace.checksum()
	t.line, t.length = nil, 0
	return line[:min(len(line), limit)], over
}
