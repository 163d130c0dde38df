package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

// maxLine is the longest line that is sent. A request to a broker may have 4 MiB,
// and something travels beside the payload.
const maxLine = 4<<20 - 4<<10

// patience is how long a stdin that nobody asked for may be silent.
const patience = time.Second

// line is one record's worth of input.
type line struct {
	seq  int64
	text []byte
}

// input hands out the lines of a file, of stdin, or of live samples.
type input struct {
	what  string // says to people what is read
	lines chan []byte
	err   error // why there are no more, set before lines is closed
	meter *meter
	note  func(format string, args ...any) // tells people
}

// openInput decides what to read: the file of that name, stdin when something
// comes from it, or else this host.
func openInput(name string, stdin *os.File, live time.Duration, m *meter, note func(string, ...any)) (*input, error) {
	in := &input{lines: make(chan []byte), meter: m, note: note}
	switch name {
	case "":
	case "-":
		in.what = "reading lines from stdin"
		go in.readLines(bufio.NewReader(stdin))
		return in, nil
	default:
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		in.what = "reading lines from " + name
		go in.readLines(bufio.NewReader(f))
		return in, nil
	}
	r, why := piped(stdin)
	if r != nil {
		in.what = "reading lines from stdin"
		go in.readLines(r)
		return in, nil
	}
	host := newHost()
	in.what = fmt.Sprintf("%s: sampling this host for %v, %s; give a file or pipe lines in to send your own", why, live, host.what)
	go in.sample(host, live)
	return in, nil
}

// piped returns stdin when it is a file or a pipe and gives something soon, else
// why it is not read.
func piped(stdin *os.File) (r *bufio.Reader, why string) {
	info, err := stdin.Stat()
	if err != nil || !info.Mode().IsRegular() && info.Mode()&fs.ModeNamedPipe == 0 {
		return nil, "no input"
	}
	in := bufio.NewReader(stdin)
	first := make(chan error, 1)
	go func() {
		_, err := in.Peek(1)
		first <- err
	}()
	select {
	case err := <-first:
		if err == nil {
			return in, ""
		}
		return nil, "stdin is empty"
	case <-time.After(patience): // a parent's open pipe, into which nobody writes
		return nil, fmt.Sprintf("nothing came from stdin for %v", patience)
	}
}

// next returns the next line; io.EOF after the last.
func (in *input) next(ctx context.Context) (line, error) {
	select {
	case text, ok := <-in.lines:
		if !ok {
			return line{}, in.err
		}
		seq, err := in.meter.depart(ctx, len(text))
		return line{seq, text}, err
	case <-ctx.Done():
		return line{}, ctx.Err()
	}
}

func (in *input) end(err error) {
	in.err = err
	close(in.lines)
}

// readLines hands out lines without their line ends, otherwise byte for byte. The
// last one need not have an end.
func (in *input) readLines(r *bufio.Reader) {
	var text []byte
	size := 0 // of the line so far, which text holds unless it is too long
	for n := 1; ; {
		part, err := r.ReadSlice('\n')
		ended := err == nil
		if ended {
			part = part[:len(part)-1]
		}
		if size += len(part); size <= maxLine {
			text = append(text, part...)
		} else {
			text = nil
		}
		if ended || err != bufio.ErrBufferFull && size > 0 { // bufio returns it as it is
			if size > maxLine {
				in.meter.refused()
				in.note("line %d is too long and was not sent: %d bytes, the limit is %d", n, size, maxLine)
			} else {
				in.lines <- text
			}
			text, size, n = nil, 0, n+1
		}
		switch {
		case ended, err == bufio.ErrBufferFull: // bufio returns it as it is
		case errors.Is(err, io.EOF):
			in.end(io.EOF)
			return
		default:
			in.end(connect.Fatal(err))
			return
		}
	}
}

// sampleEvery is how often a live sample is taken.
const sampleEvery = 250 * time.Millisecond

// sample hands out live samples.
func (in *input) sample(h *host, d time.Duration) {
	ticks := time.NewTicker(sampleEvery)
	defer ticks.Stop()
	end := time.NewTimer(d)
	defer end.Stop()
	for {
		select {
		case <-ticks.C:
			in.lines <- h.sample()
		case <-end.C:
			in.end(io.EOF)
			return
		}
	}
}
