// Package hosting lets the examples run where there is no broker: the first one
// that is started brings up an embedded one, and the others find it. A connector of
// your own needs nothing of this; its main is connect.RunSink or connect.RunSource.
package hosting

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// AddrVariable is the environment variable that names another host:port than
// localhost:6650 for the examples to meet at.
const AddrVariable = "EXAMPLE_BROKER_ADDR"

// answerTime is what the answer to the last ack gets to reach its sink.
const answerTime = 100 * time.Millisecond

// Broker is the broker of an example: embedded in it, or found somewhere.
type Broker struct {
	addr     string             // where the examples meet; empty when the configuration names a broker
	embedded *danubetest.Broker // nil when it is not here
	signals  chan os.Signal
}

// Start brings a broker up, unless the configuration names one or one answers. It
// ends the process when it can do neither.
func Start() *Broker {
	b, err := start(os.Getenv, len(os.Args) > 1)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return b
}

func start(getenv func(string) string, arguments bool) (*Broker, error) {
	if getenv("DANUBE_SERVICE_URL") != "" || getenv("CONNECTOR_CONFIG_PATH") != "" || arguments {
		return &Broker{}, nil
	}
	b := &Broker{addr: getenv(AddrVariable)}
	if b.addr == "" {
		b.addr = "localhost:6650"
	}
	if answers(b.addr) {
		return b, nil
	}
	var err error
	b.embedded, err = danubetest.New(danubetest.WithAddr(b.addr), danubetest.WithForgetAcked(), danubetest.WithCallLog(0))
	if errors.Is(err, syscall.EADDRINUSE) { // another example was a moment faster
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("no broker answers on %s, and none can be started there: %w", b.addr, err)
	}
	fmt.Fprintf(os.Stderr, "no broker answers on %s: started an embedded one there, in memory, for as long as this program runs\n", b.addr)
	b.signals = make(chan os.Signal, 1)
	signal.Notify(b.signals, os.Interrupt, syscall.SIGTERM) // beside the runtime, from now to the end
	return b, nil
}

func answers(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close() // it was only a question
	return true
}

// Options points a connector at the broker; defaults fills in what the
// configuration leaves empty.
func (b *Broker) Options(defaults func(*connect.Config)) []connect.Option {
	return []connect.Option{connect.WithConfigChange(func(c *connect.Config) {
		defaults(c)
		if b.addr != "" {
			c.ServiceURL = "http://" + b.addr
		}
	})}
}

// Source makes a source wait for a subscription where the broker is embedded: a new
// subscription starts with what is published after it.
func (b *Broker) Source(c connect.SourceConnector) connect.SourceConnector {
	if b.embedded == nil {
		return c
	}
	return &waitingSource{c, b.embedded}
}

type waitingSource struct {
	connect.SourceConnector
	broker *danubetest.Broker
}

// Unwrap shows the runtime what the source inside can do.
func (s *waitingSource) Unwrap() any { return s.SourceConnector }

// Initialize returns when somebody has subscribed to the source's topic.
func (s *waitingSource) Initialize(ctx context.Context, setup *connect.Setup) error {
	if err := s.SourceConnector.Initialize(ctx, setup); err != nil {
		return err
	}
	topic := setup.Config().DestinationTopic
	fmt.Fprintf(os.Stderr, "waiting for a subscription to %s; in another terminal: go run ./examples/simple_sink\n", topic)
	for n := 1; ; n++ {
		if err := s.broker.WaitCalls(ctx, danubetest.MethodReceiveMessages, n); err != nil {
			return err
		}
		for _, c := range s.broker.Consumers() {
			if c.Streaming && c.Topic == topic {
				return nil
			}
		}
	}
}

// Exit ends the process. An embedded broker first stays, for the others, until a
// signal comes, unless this example has failed.
func (b *Broker) Exit(code int) {
	b.linger(code)
	os.Exit(code)
}

func (b *Broker) linger(code int) {
	if b.embedded == nil {
		return
	}
	defer b.embedded.Close()
	if code != 0 {
		return
	}
	select {
	case <-b.signals: // the one that has ended the connector
	default:
		fmt.Fprintln(os.Stderr, "finished; the embedded broker stays until Ctrl-C")
		<-b.signals
	}
	// A sink that is still there may have acks under way, and wait for their answers.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, c := range b.embedded.Consumers() {
		if c.Streaming && b.embedded.WaitIdle(ctx, c.Topic, c.Subscription) == nil {
			time.Sleep(answerTime)
		}
	}
}
