package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// mode is one thing to look for.
type mode struct {
	name  string
	needs needs
	only  string // the filter of cells, where the command line has none
	run   func(context.Context, *bench, flags, io.Writer) (printable, error)
}

// needs is what a mode asks of its broker.
type needs struct {
	window   int  // W; 0 for the broker's own
	real     bool // the embedded one must lose messages as a real one does
	embedded bool // a real one will not do
}

// modes are all that there are, in the order of -mode all.
func modes() []mode {
	return []mode{
		{name: "speed", run: speed},
		{name: "batches", needs: needs{window: batchWindow}, only: "sink,1p,1KiB", run: batches},
		{name: "keys", needs: needs{window: keysWindow}, run: keys},
		{name: "latency", only: "1p,1KiB", run: latency},
		{name: "loss", needs: needs{window: lossWindow, real: true}, run: loss},
		{name: "idle", needs: needs{embedded: true}, run: idle},
		{name: "memory", only: "1p,1KiB", run: memory},
		{name: "peer", run: peer},
	}
}

// modesNamed returns one mode, or all.
func modesNamed(name string) ([]mode, error) {
	all := modes()
	if name == "all" {
		return all, nil
	}
	i := slices.IndexFunc(all, func(m mode) bool { return m.name == name })
	if i < 0 {
		return nil, fmt.Errorf("-mode %q: want all, or one of speed, batches, keys, latency, loss, idle, memory and peer", name)
	}
	return all[i : i+1], nil
}

// measure runs a mode against each broker, with a fresh one of each where it starts
// them.
func (m mode) measure(ctx context.Context, publisher *child, f flags, log io.Writer) (results []printable, err error) {
	list, err := brokers(ctx, f.broker, m.needs)
	if err != nil {
		return nil, err
	}
	if f.cells, err = f.cellsFor(m); err != nil {
		return nil, errors.Join(err, closeAll(list))
	}
	for _, b := range list {
		r, failed := m.run(ctx, newBench(b, publisher, f.senders), f, log)
		if failed == nil {
			results = append(results, r)
		} else {
			err = errors.Join(err, fmt.Errorf("%s: %w", m.name, failed))
		}
	}
	return results, errors.Join(err, closeAll(list))
}

func closeAll(list []*broker) (err error) {
	for _, b := range list {
		err = errors.Join(err, b.close())
	}
	return err
}

// printable is the result of one mode against one broker.
type printable interface {
	print(w io.Writer)
	legend() string
	targets() []target
}

// modeResult is one mode against all brokers.
type modeResult struct {
	Mode    string      `json:"mode"`
	Results []printable `json:"results"`
}

func (m modeResult) print(w io.Writer) {
	fmt.Fprintf(w, "\n==== %s\n", m.Mode)
	for _, r := range m.Results {
		r.print(w)
		printTargets(w, r.targets())
	}
	if len(m.Results) > 0 {
		fmt.Fprint(w, m.Results[0].legend())
	}
}
