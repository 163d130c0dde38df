package connect_test

import (
	"context"
	"fmt"
	"strings"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// tableSink inserts batches of rows into a table, here a slice.
type tableSink struct {
	table []string
	done  func() // called after the last row of this example
}

// Initialize opens what the sink needs.
func (s *tableSink) Initialize(context.Context, *connect.Setup) error { return nil }

// ProcessBatch writes the records of one partition, in order. Fail names those that
// could not be written, so that the others are not written again.
func (s *tableSink) ProcessBatch(_ context.Context, b *connect.Batch) error {
	for _, rec := range b.Records() {
		row, err := rec.PayloadString()
		if err != nil || row == "" {
			if err := b.Fail(rec, connect.InvalidDataf("not a row")); err != nil {
				return err
			}
			continue
		}
		s.table = append(s.table, row)
	}
	if len(s.table) == 3 {
		s.done()
	}
	return nil
}

// Shutdown closes what Initialize has opened.
func (s *tableSink) Shutdown(context.Context) error { return nil }

// A sink that takes batches, adapted by FromBatch. One record of four is invalid and,
// with on_error = "skip", left out.
func Example_batchSink() {
	broker, err := danubetest.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	publish(broker, "/default/rows", "rows-to-table", message{"", "one"}, message{"", ""}, message{"", "two"}, message{"", "three"})

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	table := &tableSink{done: cancel}
	skip := connect.WithConfigChange(func(c *connect.Config) { c.OnError = connect.OnErrorSkip })
	sink, err := connect.NewSinkRuntime(connect.FromBatch(table), append(configFor(broker, "/default/rows", "rows-to-table"), skip)...)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("stopped:", sink.Run(ctx))
	fmt.Println(strings.Join(table.table, " "))
	// Output:
	// stopped: <nil>
	// one two three
}
