package connect_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// logSource publishes a list of lines.
type logSource struct {
	lines     []string
	next      int64 // the line to read next
	committed connect.Offset
}

// Initialize opens what the source needs.
func (s *logSource) Initialize(context.Context, *connect.Setup) error { return nil }

// Resume goes on where the last run has stopped. At the first start there are no
// offsets.
func (s *logSource) Resume(_ context.Context, offsets []connect.Offset) (err error) {
	for _, o := range offsets {
		if o.Partition == "app.log" {
			s.next, err = o.Int()
		}
	}
	return err
}

// Poll returns the next line with the position behind it. A line that is not worth
// publishing advances the position all the same.
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

// Commit is told what the broker has; the runtime has saved it already.
func (s *logSource) Commit(_ context.Context, offsets []connect.Offset) error {
	s.committed = offsets[len(offsets)-1]
	return nil
}

// Shutdown closes what Initialize has opened.
func (s *logSource) Shutdown(context.Context) error {
	fmt.Println("committed up to", s.committed)
	return nil
}

// A source with positions of its own, which the runtime keeps in a file once the
// broker has the records: a second run goes on where the first one ended.
func Example_sourceWithOffsets() {
	broker, err := danubetest.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	checkpoint := connect.WithConfigChange(func(c *connect.Config) {
		c.CheckpointFile = filepath.Join(dir, "app.checkpoint")
	})
	for _, lines := range [][]string{{"started", ""}, {"started", "", "stopped"}} {
		source, err := connect.NewSourceRuntime(&logSource{lines: lines}, append(configFor(broker, "/default/log", ""), checkpoint)...)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("finished:", source.Run(context.Background()))
	}
	for _, m := range broker.Messages("/default/log") {
		fmt.Printf("%s\n", m.Payload)
	}
	// Output:
	// committed up to app.log@2
	// finished: <nil>
	// committed up to app.log@3
	// finished: <nil>
	// started
	// stopped
}
