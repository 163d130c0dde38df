package connect

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

func init() {
	programs["line source"] = func() {
		keys, _ := strconv.ParseInt(os.Getenv("LINES_KEYS"), 10, 64)
		RunSource(&lineSource{path: os.Getenv("LINES_FILE"), run: os.Getenv("LINES_RUN"), keys: keys})
	}
}

// lineSource publishes the lines of a file, each with the position behind it.
type lineSource struct {
	path, run string
	keys      int64
	file      *os.File
	in        *bufio.Reader
	position  int64
}

func (s *lineSource) Initialize(context.Context, *Setup) (err error) {
	s.file, err = os.Open(s.path)
	return Fatal(err)
}

func (s *lineSource) Resume(_ context.Context, offsets []Offset) (err error) {
	if len(offsets) > 0 {
		if s.position, err = offsets[0].Int(); err != nil {
			return err
		}
	}
	_, err = s.file.Seek(s.position, io.SeekStart)
	s.in = bufio.NewReader(s.file)
	return err
}

func (s *lineSource) Poll(context.Context) (list []*SourceRecord, err error) {
	for range 100 {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return list, err // io.EOF
		}
		number := s.position / lineLength
		s.position += int64(len(line))
		r := FromString("", strings.TrimSpace(line)).WithOffset(OffsetInt("lines", s.position)).WithAttribute("run", s.run)
		if s.keys > 0 {
			r.Key = fmt.Sprint("key", number%s.keys)
		}
		list = append(list, r)
	}
	return list, nil
}

func (s *lineSource) Shutdown(context.Context) error { return s.file.Close() }
