package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// runBroker is the command broker: an embedded broker until ctx ends.
func runBroker(ctx context.Context, args []string, stderr io.Writer) int {
	opts, err := brokerOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "danube-connect broker: %v; -h lists the flags\n", err)
		return exitUsage
	}
	b, err := danubetest.New(opts...)
	if err != nil {
		fmt.Fprintf(stderr, "danube-connect broker: %v\n", err)
		return exitError
	}
	fmt.Fprintln(stderr, "danube-connect broker: an embedded broker for development. It keeps everything in memory: when it stops, all of it is gone.")
	fmt.Fprintf(stderr, "danube-connect broker: listening on %s, topics are created on demand, Ctrl-C stops it\n", strings.Join(b.URLs(), " "))
	<-ctx.Done()
	b.Close()
	fmt.Fprintln(stderr, "danube-connect broker: stopped")
	return exitOK
}

// brokerOptions reads the flags. It shows the help itself and leaves errors to the
// caller.
func brokerOptions(args []string, stderr io.Writer) ([]danubetest.Option, error) {
	fs := flag.NewFlagSet("danube-connect broker", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	addr := fs.String("addr", "127.0.0.1:6650", "listen on this `host:port`")
	window := fs.Int("max-unacked", 10, "`messages` of a subscription that may be unacknowledged at once, 1 to 10000")
	brokers := fs.Int("brokers", 1, "run `n` brokers, on the ports from that of -addr on")
	profile := danubetest.Sound
	fs.Func("profile", "`sound` loses nothing (default); real has the traps of a real broker", func(s string) error {
		switch s {
		case "sound":
			profile = danubetest.Sound
		case "real":
			profile = danubetest.Real
		default:
			return errors.New("want sound or real")
		}
		return nil
	})
	var topics []danubetest.Option
	fs.Func("topic", "create this `/namespace/topic`; with :N behind it, N partitions of it (repeatable)", func(s string) error {
		o, err := topicOptions(s)
		topics = append(topics, o...)
		return err
	})
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fs.SetOutput(stderr)
			fmt.Fprint(stderr, brokerHelp)
			fs.PrintDefaults()
		}
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return append([]danubetest.Option{
		danubetest.WithAddr(*addr), danubetest.WithMaxUnacked(*window),
		danubetest.WithBrokers(*brokers), danubetest.WithProfile(profile),
	}, topics...), nil
}

const brokerHelp = `Usage: danube-connect broker [flags]

Runs a Danube broker inside this process, for development: it keeps everything in
memory. SIGINT and SIGTERM stop it.

Flags:
`

// topicOptions reads a value of the flag topic. The topic's namespace is created too.
func topicOptions(s string) ([]danubetest.Option, error) {
	name, count, partitioned := strings.Cut(s, ":")
	var cfg danubetest.TopicConfig
	if partitioned {
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("partitions %q: want a number from 1", count)
		}
		cfg.Partitions = n
	}
	parts := strings.Split(name, "/")
	if len(parts) != 3 || parts[0] != "" {
		return nil, errors.New("want /namespace/topic")
	}
	return []danubetest.Option{danubetest.WithNamespaces(parts[1]), danubetest.WithTopic(name, cfg)}, nil
}
