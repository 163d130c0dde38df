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
	modes   []mode
	broker  string
	sizes   []int
	parts   []int
	only    string
	cells   []cell // of the mode that runs
	senders int
	loss    lossSettings
	idle    idleSettings
	memory  memorySettings
	latency latencySettings
	profile profiles
	json    bool
}

func parseFlags(args []string, stderr io.Writer) (flags, error) {
	var f flags
	fs := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	fs.SetOutput(stderr)
	name := fs.String("mode", "speed", "what to measure: speed, batches, keys, latency, loss, idle, memory, peer, or all of them")
	fs.StringVar(&f.broker, "broker", "auto", "against what: embedded, real (at DANUBE_SERVICE_URL, or one of our own from DANUBE_BROKER_BIN), both, or auto: real where DANUBE_SERVICE_URL is set")
	fs.IntVar(&f.rounds, "rounds", 7, "rounds of each measurement")
	fs.DurationVar(&f.target, "time", time.Second, "how long one run of one loop should take; much less measures how a process starts")
	fs.IntVar(&f.n, "n", 0, "records in one run, in place of -time and what a mode has of its own")
	sizes := fs.String("sizes", "100B,1KiB,16KiB", "payload sizes")
	partitions := fs.String("partitions", "1,8", "numbers of partitions; 1 is a topic without")
	fs.StringVar(&f.only, "only", "", "a filter of what -sizes and -partitions span, such as source,1p,1KiB")
	fs.IntVar(&f.senders, "senders", 4, "publishers that feed a sink on a topic without partitions; each has one message out")
	fs.IntVar(&f.memory.records, "records", 1_000_000, "records of -mode memory on each side")
	fs.IntVar(&f.loss.each, "burst", 5000, "messages of each producer of -mode loss")
	fs.DurationVar(&f.idle.time, "idle", time.Minute, "how long -mode idle looks on")
	fs.IntVar(&f.idle.partitions, "idle-partitions", 1000, "partitions of -mode idle")
	fs.IntVar(&f.latency.rate, "rate", 500, "messages per second of -mode latency")
	names := fs.String("loops", "bare,attributed,danube,runtime,unstamped", "what to run; the first is what the others are compared with")
	fs.StringVar(&f.profile.cpu, "cpuprofile", "", "write a CPU profile of the client process to this file")
	fs.StringVar(&f.profile.mem, "memprofile", "", "write a profile of its allocations to this file")
	fs.BoolVar(&f.json, "json", false, "print JSON in place of tables")
	if err := fs.Parse(args); err != nil {
		return f, err
	}
	if fs.NArg() > 0 {
		return f, fmt.Errorf("%q: want flags only", fs.Args())
	}
	for _, s := range strings.Split(*sizes, ",") {
		n, err := parseSize(s)
		if err != nil {
			return f, err
		}
		f.sizes = append(f.sizes, n)
	}
	for _, s := range strings.Split(*partitions, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 || n > 64 {
			return f, fmt.Errorf("-partitions: %q: want numbers from 1 to 64", s)
		}
		f.parts = append(f.parts, n)
	}
	for _, name := range strings.Split(*names, ",") {
		f.loops = append(f.loops, strings.TrimSpace(name))
	}
	if _, err := loopsFor(source, f.loops); err != nil {
		return f, err
	}
	if f.rounds < 1 || f.target <= 0 || f.n < 0 || f.senders < 1 || f.memory.records < memoryPoints || f.latency.rate < 1 ||
		f.loss.each < 1 || f.idle.time <= 0 || f.idle.partitions < 1 {
		return f, errors.New("-rounds, -time, -senders, -records, -rate, -burst, -idle and -idle-partitions must be positive")
	}
	if _, err := plan(f.sizes, f.parts, strings.Split(f.only, ",")); err != nil {
		return f, err
	}
	var err error
	f.modes, err = modesNamed(*name)
	return f, err
}

// cellsFor returns what a mode measures.
func (f flags) cellsFor(m mode) ([]cell, error) {
	if f.only != "" || m.only == "" {
		return plan(f.sizes, f.parts, strings.Split(f.only, ","))
	}
	// The other modes take long for each cell, and -sizes and -partitions are speed's.
	return plan([]int{1 << 10}, []int{1}, strings.Split(m.only, ","))
}
