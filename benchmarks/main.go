// Command benchmarks measures the client and the runtimes against a bare loop of
// gRPC stubs, on the same broker, in one run:
//
//	go run ./benchmarks                            # speed, against the embedded broker
//	go run ./benchmarks -only sink,1p,1KiB         # a part of it
//	DANUBE_SERVICE_URL=http://localhost:6650 go run ./benchmarks
//	go run ./benchmarks -mode latency              # what the runtime adds to a delivery
//	go run ./benchmarks -mode memory               # does it grow over a million records?
//
// A real broker (0.15.1) keeps several MiB of memory and disk for each topic that it
// ever had, deleted or not, and each run of each loop has a fresh one: a whole run
// takes some GiB there. Start one for the purpose.
//
// The program judges nothing: figures of one machine are no test. Compare ratios,
// and only those of one run.
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
	stop, err := f.profile.start()
	if err != nil {
		return errors.Join(err, publisher.stop())
	}
	var results []printable
	for _, b := range list {
		r, failed := mode(ctx, newBench(b, publisher, f.senders), f, stderr)
		if failed == nil {
			results = append(results, r)
		}
		err = errors.Join(err, failed, b.close())
	}
	err = errors.Join(err, stop(), publisher.stop())
	if n := leftOut(results); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d rounds failed and are left out", n))
	}
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

// leftOut counts the rounds that are not in the results, which is no success.
func leftOut(results []printable) (n int) {
	for _, r := range results {
		if t, ok := r.(throughput); ok {
			for _, c := range t.Cells {
				n += len(c.Failed)
			}
		}
	}
	return n
}
