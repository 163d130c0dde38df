// Command simple_source publishes 100 messages, five each second, and ends.
//
//	go run ./examples/simple_source
//
// The environment configures it, with these defaults:
//
//	DANUBE_SERVICE_URL  http://localhost:6650; without a broker there it starts one
//	CONNECTOR_NAME      simple-source
//	DANUBE_TOPIC        /default/test
//	MESSAGES            100
//	PAUSE               1s
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/examples/internal/hosting"
)

func main() {
	s := &simpleSource{settings: settings{Messages: 100, Pause: time.Second}}
	broker := hosting.Start() // for the example only; else this is connect.RunSource(s, ...)
	opts := append(broker.Options(defaults), connect.WithSettings("", &s.settings))
	broker.Exit(connect.SourceMain(context.Background(), os.Args, broker.Source(s), opts...))
}

func defaults(c *connect.Config) {
	c.ConnectorName = cmp.Or(c.ConnectorName, "simple-source")
	c.DestinationTopic = cmp.Or(c.DestinationTopic, "/default/test")
}

// settings are the connector's own, in the same file and environment.
type settings struct {
	Messages int           `toml:"messages" env:"MESSAGES"`
	Pause    time.Duration `toml:"pause" env:"PAUSE"`
}

// simpleSource generates messages.
type simpleSource struct {
	settings settings
	count    int
}

// Initialize would open the external system.
func (s *simpleSource) Initialize(_ context.Context, setup *connect.Setup) error {
	fmt.Printf("SimpleSource initialized, writing %s\nWill generate %d messages\n", setup.Config().DestinationTopic, s.settings.Messages)
	return nil
}

// Poll returns the next five messages, and io.EOF after the last.
func (s *simpleSource) Poll(ctx context.Context) ([]*connect.SourceRecord, error) {
	if s.count >= s.settings.Messages {
		return nil, io.EOF
	}
	if s.count > 0 {
		select {
		case <-time.After(s.settings.Pause):
		case <-ctx.Done(): // the runtime stops
			return nil, ctx.Err()
		}
	}
	var records []*connect.SourceRecord
	for i := range min(5, s.settings.Messages-s.count) {
		s.count++
		text := fmt.Sprintf("Test message #%d - Timestamp: %d", s.count, time.Now().Unix())
		records = append(records, connect.FromString("", text).
			WithAttribute("source", "simple-source-connector").
			WithAttribute("message_number", strconv.Itoa(s.count)).
			WithAttribute("batch_index", strconv.Itoa(i)))
		fmt.Printf("Generated message #%d\n", s.count)
	}
	return records, nil
}

// Shutdown would close the external system.
func (s *simpleSource) Shutdown(context.Context) error {
	fmt.Printf("SimpleSource shutting down\nTotal messages generated: %d\n", s.count)
	return nil
}
