package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// runBroker is the command broker: an embedded broker until ctx ends.
func runBroker(ctx context.Context, args []string, _, stderr io.Writer) int {
	flags, err := brokerFlags(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "danube-connect broker: %v; -h lists the flags\n", err)
		return exitUsage
	}
	var lis net.Listener
	if flags.control != "" {
		if lis, err = listenControl(flags.control, flags.public); err != nil {
			fmt.Fprintf(stderr, "danube-connect broker: %v\n", err)
			return exitError
		}
	}
	b, err := danubetest.New(flags.opts...)
	if err != nil {
		if lis != nil {
			lis.Close()
		}
		fmt.Fprintf(stderr, "danube-connect broker: %v\n", err)
		return exitError
	}
	fmt.Fprintln(stderr, "danube-connect broker: an embedded broker for development. It keeps everything in memory: when it stops, all of it is gone.")
	fmt.Fprintf(stderr, "danube-connect broker: listening on %s, topics are created on demand, Ctrl-C stops it\n", strings.Join(b.URLs(), " "))
	if lis != nil {
		fmt.Fprintf(stderr, "danube-connect broker: control at http://%s\n", lis.Addr())
		c := &control{b: b, public: flags.public, faults: make(map[int]*danubetest.FaultHandle)}
		c.serve(ctx, lis)
	}
	<-ctx.Done()
	b.Close()
	fmt.Fprintln(stderr, "danube-connect broker: stopped")
	return exitOK
}

// flags are those of the command broker.
type flags struct {
	opts    []danubetest.Option
	control string
	public  bool
}

// brokerFlags reads the flags. It shows the help itself and leaves errors to the
// caller.
func brokerFlags(args []string, stderr io.Writer) (*flags, error) {
	out := new(flags)
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
	var traps []danubetest.Option
	trap := func(set func(...danubetest.Trap) danubetest.Option) func(string) error {
		return func(s string) error {
			for name := range strings.SplitSeq(s, ",") {
				t, err := danubetest.ParseTrap(name)
				if err != nil {
					return err
				}
				traps = append(traps, set(t))
			}
			return nil
		}
	}
	fs.Func("trap", "switch this `trap` on, or several with commas between (repeatable; danubetest/TRAPS.md lists them)", trap(danubetest.WithTraps))
	fs.Func("no-trap", "switch this `trap` off, as -trap does on", trap(danubetest.WithoutTraps))
	fs.StringVar(&out.control, "control", "", "serve HTTP for faults, waits and the like on this `host:port`, of this machine only")
	fs.BoolVar(&out.public, "control-public", false, "let -control be any address: whoever reaches it can do anything with the broker")
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
	out.opts = slices.Concat([]danubetest.Option{
		danubetest.WithAddr(*addr), danubetest.WithMaxUnacked(*window),
		danubetest.WithBrokers(*brokers), danubetest.WithProfile(profile),
	}, traps, topics)
	return out, nil
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
