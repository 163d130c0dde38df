package main

import (
	"context"
	"strconv"

	connect "github.com/danube-messaging/danube-connect-go"
)

// lineSource publishes what its input has, one record for each line.
type lineSource struct {
	input *input
}

// Initialize has nothing to open: the input is open already.
func (s *lineSource) Initialize(context.Context, *connect.Setup) error { return nil }

// Poll waits for the next line. io.EOF, after the last one, tells the runtime that
// the source is finished.
func (s *lineSource) Poll(ctx context.Context) ([]*connect.SourceRecord, error) {
	line, err := s.input.next(ctx)
	if err != nil {
		return nil, err
	}
	rec := connect.NewRecord("", line.text).WithAttribute("seq", strconv.FormatInt(line.seq, 10))
	return []*connect.SourceRecord{rec}, nil
}

// Shutdown has nothing to close.
func (s *lineSource) Shutdown(context.Context) error { return nil }

// printSink prints what arrives.
type printSink struct {
	meter   *meter
	display *display
}

// Initialize has nothing to open.
func (s *printSink) Initialize(context.Context, *connect.Setup) error { return nil }

// Process prints one record. When it returns nil, the record is acknowledged and
// never comes again.
func (s *printSink) Process(_ context.Context, rec *connect.SinkRecord) error {
	text, _ := rec.Attribute("seq")
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return connect.InvalidData(err) // not from our source; retrying would not help
	}
	s.display.row(seq, s.meter.arrived(seq), rec)
	return nil
}

// Shutdown has nothing to close.
func (s *printSink) Shutdown(context.Context) error { return nil }
