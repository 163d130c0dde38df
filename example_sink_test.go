package connect_test

import (
	"context"
	"fmt"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

type order struct {
	ID    int
	Total float64
}

// orderSink writes orders to an external system, here to the screen.
type orderSink struct {
	done func() // called after the last order of this example
}

// Initialize opens what the sink needs.
func (s *orderSink) Initialize(context.Context, *connect.Setup) error { return nil }

// Process writes one record. nil acknowledges it; a payload that does not parse is
// invalid data, and every other error is tried again.
func (s *orderSink) Process(_ context.Context, rec *connect.SinkRecord) error {
	o, err := connect.JSON[order](rec)
	if err != nil {
		return err
	}
	fmt.Printf("order %d of %s: %.2f\n", o.ID, rec.Key(), o.Total)
	if o.ID == 2 {
		s.done()
	}
	return nil
}

// Shutdown closes what Initialize has opened.
func (s *orderSink) Shutdown(context.Context) error { return nil }

// A sink connector, run against an embedded broker. As a program of its own its main
// is connect.RunSink(&orderSink{}), configured by the environment.
func Example_sink() {
	broker, err := danubetest.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	publish(broker, "/default/orders", "orders-to-screen",
		message{"ann", `{"ID":1,"Total":9.5}`}, message{"bob", `{"ID":2,"Total":20}`})

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	sink, err := connect.NewSinkRuntime(&orderSink{done: cancel}, configFor(broker, "/default/orders", "orders-to-screen")...)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("stopped:", sink.Run(ctx))
	// Output:
	// order 1 of ann: 9.50
	// order 2 of bob: 20.00
	// stopped: <nil>
}
