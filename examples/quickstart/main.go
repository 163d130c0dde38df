// Command quickstart moves records from a source through a Danube broker to a sink,
// all three in this one process. The records are the lines of a file, of stdin, or
// live samples of this host:
//
//	go run ./examples/quickstart access.log
//	printf 'a\nb\nc\n' | go run ./examples/quickstart
//	go run ./examples/quickstart
//
// connectors.go holds the source and the sink; this file runs them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

const (
	topic        = "/default/quickstart"
	subscription = "quickstart"
)

// settleTime is what the last records get to arrive once the source has ended.
const settleTime = 30 * time.Second

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is main with its parts as arguments, and returns the exit code: 0 when every
// record has arrived, 1 when not, 2 when it was called wrongly.
func run(args []string, stdin, stdout, stderr *os.File) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	live := flags.Duration("for", 10*time.Second, "how long to sample this host when there is no other input")
	show := flags.Int("show", 20, "how many records to print; all when negative")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: quickstart [-for DURATION] [-show N] [FILE]\n\nFILE is read line by line; - is stdin. Without it, stdin is read when it is a file\nor a pipe with something in it; else this host is sampled.")
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 1:
		fmt.Fprintln(stderr, "quickstart: more than one file")
		flags.Usage()
		return 2
	}

	// The first signal ends the run early, with its summary; a second one kills.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	m := newMeter()
	d := newDisplay(stdout, stderr, *show, m)
	in, err := openInput(flags.Arg(0), stdin, *live, m, d.note)
	if err != nil {
		d.close()
		fmt.Fprintln(stderr, "quickstart:", err)
		return 1
	}
	d.note("%s", in.what)
	err = move(ctx, in, m, d)
	d.close()
	sum := m.summary()
	sum.print(stdout)
	if err != nil {
		fmt.Fprintln(stderr, "quickstart:", err)
		return 1
	}
	if !sum.good() {
		return 1
	}
	return 0
}

// move runs the broker, the sink and the source until every record has arrived.
func move(ctx context.Context, in *input, m *meter, d *display) error {
	broker, err := danubetest.New(
		danubetest.WithTopic(topic, danubetest.TopicConfig{}),
		danubetest.WithForgetAcked(), // memory stays flat, however long the input
		danubetest.WithCallLog(0),
	)
	if err != nil {
		return err
	}
	defer broker.Close()

	log := slog.New(slog.NewTextHandler(d.logs(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	options := func(name string) []connect.Option {
		c := connect.DefaultConfig()
		c.ServiceURL = broker.URL()
		c.ConnectorName = name
		c.SourceTopic, c.DestinationTopic, c.SubscriptionName = topic, topic, subscription
		c.MetricsPort = 0 // nobody looks at a run of seconds
		return []connect.Option{connect.WithConfig(c), connect.WithLogger(log), connect.WithoutSignals()}
	}

	// A new subscription starts with what is published after it: the sink comes first.
	sink, err := connect.NewSinkRuntime(&printSink{meter: m, display: d}, options("quickstart-sink")...)
	if err != nil {
		return err
	}
	sinkCtx, stopSink := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSink()
	sinkDone := make(chan error, 1)
	go func() {
		sinkDone <- sink.Run(sinkCtx)
		stopSink()
	}()
	if err := broker.WaitConsumers(sinkCtx, topic, subscription, 1); err != nil {
		return errors.Join(err, <-sinkDone)
	}

	source, err := connect.NewSourceRuntime(&lineSource{input: in}, options("quickstart-source")...)
	if err != nil {
		return err
	}
	sourceCtx, stopSource := context.WithCancel(ctx)
	defer stopSource()
	defer context.AfterFunc(sinkCtx, stopSource)() // without a sink there is no point
	err = source.Run(sourceCtx)

	// What was published is still on its way.
	settle, cancel := context.WithTimeout(sinkCtx, settleTime)
	defer cancel()
	if idle := broker.WaitIdle(settle, topic, subscription); idle != nil {
		err = errors.Join(err, fmt.Errorf("not every record was acknowledged: %w", idle))
	}
	stopSink()
	return errors.Join(err, <-sinkDone)
}

// thousands writes a number so that people can read it.
func thousands[T ~int | ~int64 | ~uint64](n T) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
