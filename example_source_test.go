package connect_test

import (
	"context"
	"fmt"
	"io"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// countSource publishes the numbers from 1 to 3.
type countSource struct{ last int }

// Initialize opens what the source needs.
func (s *countSource) Initialize(context.Context, *connect.Setup) error { return nil }

// Poll returns the next records, none when there are none now, and io.EOF when there
// will be none any more.
func (s *countSource) Poll(context.Context) ([]*connect.SourceRecord, error) {
	if s.last == 3 {
		return nil, io.EOF
	}
	s.last++
	rec := connect.FromString("", fmt.Sprint("number ", s.last)).WithAttribute("origin", "example")
	return []*connect.SourceRecord{rec}, nil
}

// Shutdown closes what Initialize has opened.
func (s *countSource) Shutdown(context.Context) error { return nil }

// A source connector, run against an embedded broker. As a program of its own its
// main is connect.RunSource(&countSource{}), configured by the environment.
func Example_source() {
	broker, err := danubetest.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()

	source, err := connect.NewSourceRuntime(&countSource{}, configFor(broker, "/default/numbers", "")...)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("finished:", source.Run(context.Background()))
	for _, m := range broker.Messages("/default/numbers") {
		fmt.Printf("offset %d: %s, from %s\n", m.Offset, m.Payload, m.Attributes["origin"])
	}
	// Output:
	// finished: <nil>
	// offset 0: number 1, from example
	// offset 1: number 2, from example
	// offset 2: number 3, from example
}
