package connect_test

import (
	"context"
	"fmt"
	"io"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// logSource publishes a list of lines, and remembers how far it got.
type logSource struct {
	lines []string
	next  int64             // the line to read next
	saved map[string]string // stands for a file or a table that outlives the process
}

// Initialize goes on where the last run has stopped.
func (s *logSource) Initialize(context.Context, *connect.Setup) error {
	if text, ok := s.saved["app.log"]; ok {
		_, err := fmt.Sscan(text, &s.next)
		return connect.Fatal(err)
	}
	return nil
}

// Poll returns the next line with the position behind it. Lines that are not worth
// publishing advance the position all the same.
func (s *logSource) Poll(context.Context) ([]*connect.SourceRecord, error) {
	if s.next == int64(len(s.lines)) {
		return nil, io.EOF
	}
	line := s.lines[s.next]
	s.next++
	position := connect.OffsetInt("app.log", s.next)
	if line == "" {
		return []*connect.SourceRecord{connect.Progress(position)}, nil
	}
	return []*connect.SourceRecord{connect.FromString("", line).WithOffset(position)}, nil
}

// Commit saves the position: everything up to it is with the broker.
func (s *logSource) Commit(_ context.Context, offsets []connect.Offset) error {
	for _, o := range offsets {
		s.saved[o.Partition] = o.Value
	}
	return nil
}

// Shutdown closes what Initialize has opened.
func (s *logSource) Shutdown(context.Context) error { return nil }

// A source with a position of its own, which Commit saves once the broker has the
// records: a second run goes on where the first one ended.
func Example_sourceWithOffsets() {
	broker, err := danubetest.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()

	saved := map[string]string{}
	for _, lines := range [][]string{{"started", ""}, {"started", "", "stopped"}} {
		source, err := connect.NewSourceRuntime(&logSource{lines: lines, saved: saved}, configFor(broker, "/default/log", "")...)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("finished:", source.Run(context.Background()), "saved:", saved["app.log"])
	}
	for _, m := range broker.Messages("/default/log") {
		fmt.Printf("%s\n", m.Payload)
	}
	// Output:
	// finished: <nil> saved: 2
	// finished: <nil> saved: 3
	// started
	// stopped
}
