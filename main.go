package connect

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// RunSink is the whole main of a sink: it reads the configuration, runs the
// connector until it is told to stop, and exits with [ExitCode].
func RunSink(c SinkConnector, opts ...Option) {
	os.Exit(SinkMain(context.Background(), os.Args, c, opts...))
}

// RunSource is the whole main of a source, as [RunSink] is of a sink.
func RunSource(c SourceConnector, opts ...Option) {
	os.Exit(SourceMain(context.Background(), os.Args, c, opts...))
}

// SinkMain is RunSink without the exit, for mains that have more to do. args are
// the program's arguments, the program's name first: -config FILE names the
// configuration file, in place of CONNECTOR_CONFIG_PATH.
func SinkMain(ctx context.Context, args []string, c SinkConnector, opts ...Option) int {
	return runMain(ctx, args, opts, func(opts []Option) (runner, error) { return NewSinkRuntime(c, opts...) })
}

// SourceMain is RunSource without the exit, as SinkMain is RunSink.
func SourceMain(ctx context.Context, args []string, c SourceConnector, opts ...Option) int {
	return runMain(ctx, args, opts, func(opts []Option) (runner, error) { return NewSourceRuntime(c, opts...) })
}

type runner interface {
	Run(ctx context.Context) error
}

func runMain(ctx context.Context, args []string, opts []Option, create func([]Option) (runner, error)) int {
	more, err := parseArgs(args)
	if err == nil {
		var rt runner
		if rt, err = create(append(opts[:len(opts):len(opts)], more...)); err == nil {
			err = rt.Run(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return ExitCode(err)
}

// parseArgs reads the few arguments that every connector has.
func parseArgs(args []string) ([]Option, error) {
	if len(args) <= 1 {
		return nil, nil
	}
	name, file, joined := strings.Cut(args[1], "=")
	if !joined && len(args) == 3 {
		file = args[2]
	}
	if (name == "-config" || name == "--config") && file != "" && joined == (len(args) == 2) {
		return []Option{WithConfigFile(file)}, nil
	}
	return nil, InvalidConfigf("arguments %q are not understood; usage: %s [-config FILE]", args[1:], args[0])
}
