// Command benchmarks measures the client and the runtimes against a bare loop of
// gRPC stubs, on the same broker, in one run:
//
//	go run ./benchmarks                            # speed, against the embedded broker
//	go run ./benchmarks -only sink,1p,1KiB         # a part of it
//	DANUBE_SERVICE_URL=http://localhost:6650 go run ./benchmarks
//	go run ./benchmarks -mode latency              # what the runtime adds to a delivery
//	go run ./benchmarks -mode memory               # does it grow over a million records?
//
// It judges nothing: figures of one machine are no test. Compare ratios, and only
// those of one run.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"
)

func main() {
	runRole()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := execute(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "benchmarks:", err)
		}
		os.Exit(1)
	}
}

// flags are what the command line says.
type flags struct {
	settings
	mode    string
	broker  string
	cells   []cell
	senders int
	memory  memorySettings
	latency latencySettings
	json    bool
}

func parseFlags(args []string, stderr io.Writer) (flags, error) {
	f := flags{settings: settings{loops: loops}}
	fs := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&f.mode, "mode", "speed", "what to measure: speed, latency or memory")
	fs.StringVar(&f.broker, "broker", "auto", "against what: embedded, real (at DANUBE_SERVICE_URL), both, or auto: real where that is set")
	fs.IntVar(&f.rounds, "rounds", 7, "rounds of each measurement")
	fs.DurationVar(&f.target, "time", 300*time.Millisecond, "how long one run of one loop should take")
	fs.IntVar(&f.n, "n", 0, "records in one run of speed, in place of -time")
	sizes := fs.String("sizes", "100B,1KiB,16KiB", "payload sizes")
	partitions := fs.String("partitions", "1,8", "numbers of partitions; 1 is a topic without")
	only := fs.String("only", "", "a filter of what -sizes and -partitions span, such as source,1p,1KiB")
	fs.IntVar(&f.senders, "senders", 4, "publishers that feed a sink on a topic without partitions; each has one message out")
	fs.IntVar(&f.memory.records, "records", 1_000_000, "records of -mode memory on each side")
	fs.IntVar(&f.latency.rate, "rate", 500, "messages per second of -mode latency")
	fs.BoolVar(&f.json, "json", false, "print JSON in place of tables")
	if err := fs.Parse(args); err != nil {
		return f, err
	}
	if fs.NArg() > 0 {
		return f, fmt.Errorf("%q: want flags only", fs.Args())
	}
	var sizeList, partitionList []int
	for _, s := range strings.Split(*sizes, ",") {
		n, err := parseSize(s)
		if err != nil {
			return f, err
		}
		sizeList = append(sizeList, n)
	}
	for _, s := range strings.Split(*partitions, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 || n > 64 {
			return f, fmt.Errorf("-partitions: %q: want numbers from 1 to 64", s)
		}
		partitionList = append(partitionList, n)
	}
	if f.rounds < 1 || f.target <= 0 || f.n < 0 || f.senders < 1 || f.memory.records < memoryPoints || f.latency.rate < 1 {
		return f, errors.New("-rounds, -time, -senders, -records and -rate must be positive")
	}
	words := *only
	if words == "" { // the other modes take long for each cell
		words = map[string]string{"latency": "sink,1p,1KiB", "memory": "1p,1KiB"}[f.mode]
	}
	var err error
	f.cells, err = plan(sizeList, partitionList, strings.Split(words, ","))
	return f, err
}

// brokers starts or finds what to measure against.
func brokers(which string) ([]*broker, error) {
	url := os.Getenv("DANUBE_SERVICE_URL")
	var list []*broker
	if which == "real" || which == "both" || which == "auto" && url != "" {
		if url == "" {
			return nil, errors.New("DANUBE_SERVICE_URL is not set, and -broker asks for the broker there")
		}
		b, err := realBroker(url)
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	if which == "embedded" || which == "both" || which == "auto" && url == "" {
		b, err := embeddedBroker()
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("-broker %q: want embedded, real, both or auto", which)
	}
	return list, nil
}

// execute is the program.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	f, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	modes := map[string]func(context.Context, *bench, flags, io.Writer) (printable, error){
		"speed":   speed,
		"latency": latency,
		"memory":  memory,
	}
	mode, ok := modes[f.mode]
	if !ok {
		return fmt.Errorf("-mode %q: want speed, latency or memory", f.mode)
	}
	on := thisMachine()
	list, err := brokers(f.broker)
	if err != nil {
		return err
	}
	publisher, err := startChild("publisher")
	if err != nil {
		return err
	}
	var results []printable
	for _, b := range list {
		r, failed := mode(ctx, newBench(b, publisher, f.senders), f, stderr)
		if failed == nil {
			results = append(results, r)
		}
		err = errors.Join(err, failed, b.close())
	}
	err = errors.Join(err, publisher.stop())
	if f.json {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return errors.Join(err, e.Encode(map[string]any{"machine": on, "mode": f.mode, "results": results}))
	}
	fmt.Fprintf(stdout, "machine: %s\n", on)
	for _, r := range results {
		r.print(stdout)
	}
	if len(results) > 0 {
		fmt.Fprint(stdout, results[0].legend())
	}
	return err
}

// printable is the result of one mode against one broker.
type printable interface {
	print(w io.Writer)
	legend() string
}

func speed(ctx context.Context, b *bench, f flags, log io.Writer) (printable, error) {
	return measure(ctx, b, f.cells, f.settings, log)
}
