package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

const (
	lookEvery = time.Second // for files that are new or have other names
	yield     = time.Second // at the end of a file that has lost its name, before the next of that name is read
	linger    = time.Minute // there, for who still writes it
	pollLines = 500         // of one file in one poll
	pollBytes = 1 << 20
)

// fileSource is the connector.
type fileSource struct {
	settings settings
	log      *slog.Logger
	files    []*file         // that are open
	left     map[string]left // how far the others were read, by identity
	unlisted []string        // directories that may have files of the last run under other names
	looked   time.Time
	missing  error // of the last look

	mu      sync.Mutex
	trouble error // missing, and what cannot be read
}

var (
	_ connect.SourceConnector = (*fileSource)(nil)
	_ connect.Resumer         = (*fileSource)(nil)
	_ connect.HealthChecker   = (*fileSource)(nil)
)

// Initialize opens nothing: files come and go.
func (s *fileSource) Initialize(_ context.Context, setup *connect.Setup) error {
	s.log = setup.Logger()
	return nil
}

// HealthCheck reports files that are missing or cannot be read.
func (s *fileSource) HealthCheck(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// report says what HealthCheck will say, once.
func (s *fileSource) report() {
	err := errors.Join(s.missing, s.unread())
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && (s.trouble == nil || s.trouble.Error() != err.Error()) {
		s.log.Warn("not every file can be read", "error", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	s.trouble = err
}

// unread joins what keeps open files from being read.
func (s *fileSource) unread() error {
	var errs []error
	for _, t := range s.files {
		if t.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", t.path, t.err))
		}
	}
	return errors.Join(errs...)
}

// Poll returns the next lines of all files. A file that cannot be read keeps back only
// those that have got its name: an error would make the others wait, too.
func (s *fileSource) Poll(context.Context) (records []*connect.SourceRecord, err error) {
	if !s.settings.Once && time.Since(s.looked) >= lookEvery {
		s.look()
	}
	defer s.report()
	if s.settings.Once && s.missing != nil {
		return nil, connect.InvalidConfig(s.missing)
	}
	for _, t := range s.files {
		if !t.told { // else a rename while nobody reads loses it, if none of its lines got through
			t.told = true
			records = append(records, connect.Progress(t.offset()))
		}
	}
	for _, t := range slices.Clone(s.files) {
		if b := t.before; b != nil && (b.err != nil || !b.quiet(yield)) {
			continue
		}
		if records, err = s.read(t, records); err != nil {
			return records, err
		}
		if t.err == nil && (s.settings.Once && t.quiet(0) || t.abandoned()) {
			if records, err = s.finish(t, records); err != nil {
				return records, err
			}
		}
	}
	switch {
	case !s.settings.Once:
		return records, nil
	case len(s.files) == 0:
		return records, io.EOF
	}
	err = s.unread()
	if len(records) == 0 && slices.ContainsFunc(s.files, func(t *file) bool { return t.f == nil }) {
		err = connect.InvalidConfig(err)
	}
	return records, err
}

// read adds a file's next lines to the records. An error is one that ends the source.
func (s *fileSource) read(t *file, records []*connect.SourceRecord) ([]*connect.SourceRecord, error) {
	if t.err != nil && !s.settings.Once && t.tried == s.looked {
		return records, nil
	}
	t.tried = s.looked
	if t.f == nil {
		if records = s.reach(t, records); t.f == nil {
			return records, nil
		}
	}
	t.err = nil
	was := t.position
	more, rewritten, err := t.awake()
	if rewritten {
		s.log.Warn("a file was written anew: reading it from its beginning", "path", t.path, "was_read_to", was)
		records = append(records, connect.Progress(t.offset()))
	}
	if !more || err != nil {
		t.err = err
		return records, nil
	}
	t.idle = time.Time{}
	start := t.position
	for n := 0; n < pollLines && t.position-start < pollBytes; n++ {
		line, over, err := t.next(s.settings.MaxLine)
		if errors.Is(err, io.EOF) {
			t.idle = time.Now()
			break
		}
		if err != nil {
			t.err = err
			break
		}
		if records, err = s.add(t, line, over, records); err != nil {
			return records, err
		}
	}
	return records, nil
}

// add makes the record of a line; over says how much longer than the limit it is.
func (s *fileSource) add(t *file, line []byte, over int64, records []*connect.SourceRecord) ([]*connect.SourceRecord, error) {
	r := connect.NewRecord("", line).WithKey(t.path).WithAttribute("path", t.path).WithOffset(t.offset())
	if over > 0 {
		attrs := []any{"path", t.path, "end", t.position, "bytes", int64(len(line)) + over, "max_line_bytes", s.settings.MaxLine}
		switch s.settings.LongLines {
		case "cut":
			s.log.Warn("a line is too long and is cut", attrs...)
			r.WithAttribute("cut", "true")
		case "skip":
			s.log.Error("a line is too long and is left out", attrs...)
			r = connect.Progress(t.offset())
		default:
			return records, connect.Fatalf("%s: the line that ends at %d has %d bytes, max_line_bytes is %d; raise it, or set long_lines to skip or cut",
				t.path, t.position, int64(len(line))+over, s.settings.MaxLine)
		}
	}
	return append(records, r), nil
}

// finish closes a file that gets no more lines. A last line without an end is one.
func (s *fileSource) finish(t *file, records []*connect.SourceRecord) ([]*connect.SourceRecord, error) {
	if line, over, ok := t.rest(s.settings.MaxLine); ok {
		var err error
		if records, err = s.add(t, line, over, records); err != nil {
			return records, err
		}
	}
	// Of an empty one nothing but its number is known, and no lines are expected.
	if info, err := t.f.Stat(); err == nil && deleted(info) || t.position == 0 && !t.lost.IsZero() {
		records = append(records, t.forget())
	}
	return records, s.leave(t)
}

// Shutdown closes what is open.
func (s *fileSource) Shutdown(context.Context) error {
	var errs []error
	for _, t := range s.files {
		errs = append(errs, t.close())
	}
	return errors.Join(errs...)
}
