// Command benchmarks measures the client and the runtimes against a bare loop of
// gRPC stubs, on the same broker, in one run:
//
//	go run ./benchmarks                            # speed, against the embedded broker
//	go run ./benchmarks -only sink,1p,1KiB         # a part of it
//	DANUBE_SERVICE_URL=http://localhost:6650 go run ./benchmarks
//	go run ./benchmarks -mode all                  # everything, some 25 minutes
//
// The modes, each with what it looks for:
//
//	speed    messages a second, CPU and allocations of sources and sinks
//	batches  a sink that takes 100 records at once, W = 1000
//	keys     order per key on 16 workers, against one; the connector takes 10 ms, W = 64
//	latency  what the runtimes add to a delivery, and to a send that waits for its receipt
//	loss     what is lost when producers are faster than the subscription, W = 10
//	idle     memory and CPU of a client with 1,000 partitions on which nothing happens
//	memory   does it grow over a million records?
//	peer     a source beside one of the published Rust crate, where cargo is present
//
// W is how many messages of a subscription may be unacknowledged, which a broker's
// configuration says. The embedded broker has what a mode asks for, and with
// DANUBE_BROKER_BIN a real one is started that has it; the one at DANUBE_SERVICE_URL
// is taken as it is.
//
// A real broker (0.15.1) keeps several MiB of memory and disk for each topic that it
// ever had, deleted or not, and each run of each loop has a fresh one: a whole run
// takes some GiB there. Start one for the purpose.
//
// The program judges nothing: figures of one machine are no test. Compare ratios,
// and only those of one run. Beside the tables stands what is aimed at.
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

// execute is the program.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	f, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	on := thisMachine()
	publisher, err := startChild("publisher")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, publisher.stop()) }()
	stop, err := f.profile.start()
	if err != nil {
		return err
	}
	if !f.json {
		fmt.Fprintf(stdout, "machine: %s\n", on)
	}
	var all []modeResult
	for _, m := range f.modes {
		r := modeResult{Mode: m.name}
		var failed error
		r.Results, failed = m.measure(ctx, publisher, f, stderr)
		err = errors.Join(err, failed)
		if !f.json {
			r.print(stdout)
		}
		all = append(all, r)
		if ctx.Err() != nil {
			break
		}
	}
	if n := leftOut(all); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d rounds failed and are left out", n))
	}
	if f.json {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		err = errors.Join(err, e.Encode(map[string]any{"machine": on, "modes": all}))
	}
	return errors.Join(err, stop())
}

// leftOut counts the rounds that are not in the results, which is no success.
func leftOut(all []modeResult) (n int) {
	for _, m := range all {
		for _, r := range m.Results {
			if t, ok := r.(interface{ leftOut() int }); ok {
				n += t.leftOut()
			}
		}
	}
	return n
}
