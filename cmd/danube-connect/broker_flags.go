package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// flags are what the flags of the command broker say.
type flags struct {
	stderr  io.Writer
	opts    []danubetest.Option
	control string
	public  bool
	certOut string                   // where the certificate goes that was made up
	auto    bool                     // topics are created on demand
	traps   map[danubetest.Trap]bool // those that were asked for by name
}

// group says, once all flags are read, which options those of one group stand for, and
// what is wrong among them.
type group func(*flags) ([]danubetest.Option, error)

// groups are all groups; those behind may look at what those before have left in flags.
var groups = []func(*flag.FlagSet) group{
	clusterFlags, trapFlags, topicFlags, limitFlags, policyFlags, tlsFlags, tokenFlags, toolFlags,
}

// brokerFlags reads the flags. It shows the help itself and leaves errors to the
// caller.
func brokerFlags(args []string, stderr io.Writer) (*flags, error) {
	fs := flag.NewFlagSet("danube-connect broker", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	var options []group
	for _, g := range groups {
		options = append(options, g(fs))
	}
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
	out := &flags{stderr: stderr}
	for _, g := range options {
		opts, err := g(out)
		if err != nil {
			return nil, err
		}
		out.opts = append(out.opts, opts...)
	}
	return out, nil
}

const brokerHelp = `Usage: danube-connect broker [flags]

Runs a Danube broker inside this process, for development: it keeps everything in
memory. SIGINT and SIGTERM stop it.

Flags:
`

// trapFlags are the flags for how far the broker behaves as a real one.
func trapFlags(fs *flag.FlagSet) group {
	profile := danubetest.Sound
	fs.Func("profile", "`sound` loses nothing (default); real has the traps of a real broker", func(s string) (err error) {
		profile, err = oneOf("profile", s, map[string]danubetest.Profile{"sound": danubetest.Sound, "real": danubetest.Real}, "sound or real")
		return err
	})
	var traps []danubetest.Option
	named := make(map[danubetest.Trap]bool)
	trap := func(on bool, set func(...danubetest.Trap) danubetest.Option) func(string) error {
		return func(s string) error {
			for name := range strings.SplitSeq(s, ",") {
				t, err := danubetest.ParseTrap(name)
				if err != nil {
					return err
				}
				named[t] = on
				traps = append(traps, set(t))
			}
			return nil
		}
	}
	fs.Func("trap", "switch this `trap` on, or several with commas between (repeatable; danubetest/TRAPS.md lists them)", trap(true, danubetest.WithTraps))
	fs.Func("no-trap", "switch this `trap` off, as -trap does on", trap(false, danubetest.WithoutTraps))
	return func(out *flags) ([]danubetest.Option, error) {
		out.traps = named
		return append([]danubetest.Option{danubetest.WithProfile(profile)}, traps...), nil
	}
}

// toolFlags are the flags for whoever works with the broker.
func toolFlags(fs *flag.FlagSet) group {
	control := fs.String("control", "", "serve HTTP for faults, waits and the like on this `host:port`, of this machine only")
	public := fs.Bool("control-public", false, "let -control be any address: whoever reaches it can do anything with the broker")
	var level slog.Level
	verbose := false
	fs.Func("log", "tell on stderr what the broker does, from this `level` on: debug or info", func(s string) (err error) {
		level, err = oneOf("level", s, map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo}, "debug or info")
		verbose = err == nil
		return err
	})
	return func(out *flags) (opts []danubetest.Option, err error) {
		if *public && *control == "" {
			return nil, errors.New("-control-public needs -control")
		}
		out.control, out.public = *control, *public
		if verbose {
			h := slog.NewTextHandler(out.stderr, &slog.HandlerOptions{Level: level})
			opts = append(opts, danubetest.WithLogger(slog.New(h)))
		}
		return opts, nil
	}
}
