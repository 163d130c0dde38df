package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// flags are what the command line says.
type flags struct {
	settings
	mode    string
	broker  string
	cells   []cell
	senders int
	memory  memorySettings
	latency latencySettings
	profile profiles
	json    bool
}

func parseFlags(args []string, stderr io.Writer) (flags, error) {
	var f flags
	fs := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&f.mode, "mode", "speed", "what to measure: speed, latency or memory")
	fs.StringVar(&f.broker, "broker", "auto", "against what: embedded, real (at DANUBE_SERVICE_URL), both, or auto: real where that is set")
	fs.IntVar(&f.rounds, "rounds", 7, "rounds of each measurement")
	fs.DurationVar(&f.target, "time", 250*time.Millisecond, "how long one run of one loop should take")
	fs.IntVar(&f.n, "n", 0, "records in one run of speed, in place of -time")
	sizes := fs.String("sizes", "100B,1KiB,16KiB", "payload sizes")
	partitions := fs.String("partitions", "1,8", "numbers of partitions; 1 is a topic without")
	only := fs.String("only", "", "a filter of what -sizes and -partitions span, such as source,1p,1KiB")
	fs.IntVar(&f.senders, "senders", 4, "publishers that feed a sink on a topic without partitions; each has one message out")
	fs.IntVar(&f.memory.records, "records", 1_000_000, "records of -mode memory on each side")
	fs.IntVar(&f.latency.rate, "rate", 500, "messages per second of -mode latency")
	names := fs.String("loops", "bare,danube,runtime,unstamped", "what to run; the first is what the others are compared with")
	fs.StringVar(&f.profile.cpu, "cpuprofile", "", "write a CPU profile of the client process to this file")
	fs.StringVar(&f.profile.mem, "memprofile", "", "write a profile of its allocations to this file")
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
	for _, name := range strings.Split(*names, ",") {
		f.loops = append(f.loops, strings.TrimSpace(name))
	}
	if _, err := loopsFor(source, f.loops); err != nil {
		return f, err
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
