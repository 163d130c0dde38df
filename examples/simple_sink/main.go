// Command simple_sink prints every record of a topic.
//
//	go run ./examples/simple_sink
//
// The environment configures it, with these defaults:
//
//	DANUBE_SERVICE_URL  http://localhost:6650; without a broker there it starts one
//	CONNECTOR_NAME      simple-sink
//	DANUBE_TOPIC        /default/test
//	SUBSCRIPTION_NAME   simple-sink-sub
package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/examples/internal/hosting"
)

func main() {
	broker := hosting.Start() // for the example only; else this is connect.RunSink(&simpleSink{})
	broker.Exit(connect.SinkMain(context.Background(), os.Args, &simpleSink{}, broker.Options(defaults)...))
}

func defaults(c *connect.Config) {
	c.ConnectorName = cmp.Or(c.ConnectorName, "simple-sink")
	c.SourceTopic = cmp.Or(c.SourceTopic, "/default/test")
	c.SubscriptionName = cmp.Or(c.SubscriptionName, "simple-sink-sub")
}

// simpleSink prints records.
type simpleSink struct {
	count atomic.Int64 // partitions are processed concurrently
}

// Initialize would open the external system.
func (s *simpleSink) Initialize(_ context.Context, setup *connect.Setup) error {
	fmt.Printf("SimpleSink initialized, reading %s\n\n", setup.Config().SourceTopic)
	return nil
}

// ConsumerConfigs is optional. Here it has the topic created where it does not
// exist; everything left out comes from the configuration.
func (s *simpleSink) ConsumerConfigs(context.Context) ([]connect.ConsumerConfig, error) {
	return []connect.ConsumerConfig{{CreateTopic: true}}, nil
}

// Process prints one record; returning nil acknowledges it.
func (s *simpleSink) Process(_ context.Context, rec *connect.SinkRecord) error {
	var b strings.Builder
	fmt.Fprintf(&b, "=== Message #%d ===\n", s.count.Add(1))
	fmt.Fprintf(&b, "Topic: %s\n", rec.Topic())
	fmt.Fprintf(&b, "Offset: %d\n", rec.Offset())
	fmt.Fprintf(&b, "Size: %d bytes\n", rec.PayloadSize())
	fmt.Fprintf(&b, "Producer: %s\n", rec.ProducerName())
	fmt.Fprintf(&b, "Publish Time: %s\n", rec.PublishTime().Format("2006-01-02 15:04:05.000"))
	if text, err := rec.PayloadString(); err == nil {
		fmt.Fprintf(&b, "Payload (string): %s\n", text)
	} else {
		fmt.Fprintf(&b, "Payload (base64): %s\n", rec.Base64())
	}
	if len(rec.Attributes()) > 0 {
		b.WriteString("Attributes:\n")
	}
	for _, name := range slices.Sorted(maps.Keys(rec.Attributes())) {
		fmt.Fprintf(&b, "  %s = %s\n", name, rec.Attributes()[name])
	}
	_, err := fmt.Println(b.String())
	return err // tried again
}

// Shutdown would close the external system.
func (s *simpleSink) Shutdown(context.Context) error {
	fmt.Printf("SimpleSink shutting down\nTotal messages processed: %d\n", s.count.Load())
	return nil
}
