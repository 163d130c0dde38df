package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// throughput is the measurement of all cells against one broker.
type throughput struct {
	Broker string       `json:"broker"`
	URL    string       `json:"url"`
	Cells  []cellResult `json:"cells"`
}

// cellResult is one cell: every loop in every round.
type cellResult struct {
	cell
	Records int          `json:"records"` // measured in each run
	Loops   []loopResult `json:"loops"`
	Failed  []string     `json:"failed,omitempty"` // rounds that are not in the figures, and why
}

// loopResult is one loop of a cell, in the order of the rounds.
type loopResult struct {
	Name   string    `json:"name"`
	Rounds []figures `json:"rounds"`
}

// settings are the flags that shape a measurement.
type settings struct {
	rounds int
	target time.Duration // of one run
	n      int           // records in one run; 0 to choose by target
	loops  []string
}

// speed runs all cells. Progress goes to log.
func speed(ctx context.Context, b *bench, f flags, log io.Writer) (printable, error) {
	t := throughput{Broker: b.broker.name, URL: b.broker.url}
	for _, c := range f.cells {
		list, err := loopsFor(c.Side, f.loops)
		if err != nil {
			return t, err
		}
		r, err := b.measureCell(ctx, c, list, f.settings, log)
		if err != nil {
			return t, err
		}
		t.Cells = append(t.Cells, r)
	}
	return t, nil
}

// measureCell runs the loops one after the other, round after round, so that what
// else the machine does meets all of them. A round in which a loop failed is left
// out for all loops.
func (b *bench) measureCell(ctx context.Context, c cell, list []loop, s settings, log io.Writer) (cellResult, error) {
	r := cellResult{cell: c, Records: s.n}
	if len(list) == 0 {
		return r, nil
	}
	if r.Records == 0 {
		n, err := b.calibrate(ctx, c, list, s.target)
		if err != nil {
			return r, err
		}
		r.Records = n
	}
	for _, l := range list {
		r.Loops = append(r.Loops, loopResult{Name: l.name})
	}
	start := time.Now()
	for round := range s.rounds {
		one, err := b.round(ctx, c, list, r.Records)
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		if err != nil {
			r.Failed = append(r.Failed, fmt.Sprintf("round %d: %v", round+1, err))
			continue
		}
		for i, f := range one {
			r.Loops[i].Rounds = append(r.Loops[i].Rounds, f)
		}
	}
	fmt.Fprintf(log, "%-20s %d rounds of %d records, %v\n", c, s.rounds, r.Records, time.Since(start).Round(100*time.Millisecond))
	return r, nil
}

func (b *bench) round(ctx context.Context, c cell, loops []loop, n int) ([]figures, error) {
	var all []figures
	for _, l := range loops {
		f, err := b.once(ctx, c, l, n)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// calibrate runs every loop once, which also is everybody's warm-up, and returns
// how many records the first of them moves in the target time.
func (b *bench) calibrate(ctx context.Context, c cell, list []loop, target time.Duration) (int, error) {
	const probe, most, mostBytes = 400, 100_000, 256 << 20
	var rate float64
	for i, l := range list {
		f, err := b.once(ctx, c, l, probe)
		if err != nil {
			return 0, err
		}
		if i == 0 {
			rate = f.Rate
		}
	}
	n := int(rate * target.Seconds())
	return max(probe/2, min(n, most, mostBytes/c.Size)), nil
}

func (t throughput) leftOut() (n int) {
	for _, c := range t.Cells {
		n += len(c.Failed)
	}
	return n
}

// targets are those of the speed of the wire. The allocations of a source's loop hold
// one that is the loop's own: the record, which bare stubs do not need.
func (t throughput) targets() (list []target) {
	for _, c := range t.Cells {
		bare, client, runtime, plain := c.loop("bare"), c.loop("danube"), c.loop("runtime"), c.loop("unstamped")
		if bare == nil {
			continue
		}
		own := 0.0
		if c.Side == source {
			own = 1
		} else {
			plain = runtime // sinks add no stamps
		}
		faster := func(what string, l, than *loopResult) {
			if l != nil && than != nil {
				got := summarize(ratios(l.values(byRate), than.values(byRate)))
				list = append(list, target{fmt.Sprintf("%s: %s", c.cell, what), "at least 0.95", got.spread("%.2f")})
			}
		}
		faster("danube, speed against bare", client, bare)
		faster("runtime, speed against bare", runtime, bare)
		if c.Side == source {
			// What the attributes cost on the wire and at the broker, no client can save.
			faster("runtime, speed against bare with its attributes", runtime, c.loop("attributed"))
			faster("runtime without stamps, speed against bare", plain, bare)
		}
		if client != nil {
			list = append(list, target{fmt.Sprintf("%s: danube, allocations above bare", c.cell), "at most 2",
				fmt.Sprintf("%+.1f", client.median(byMallocs)-bare.median(byMallocs)-own)})
		}
		if client != nil && plain != nil {
			list = append(list, target{fmt.Sprintf("%s: runtime without stamps, allocations above danube", c.cell), "at most 3",
				fmt.Sprintf("%+.1f", plain.median(byMallocs)-client.median(byMallocs))})
		}
	}
	return list
}

// loop returns the result of a loop, nil where it has no rounds.
func (r cellResult) loop(name string) *loopResult {
	for i := range r.Loops {
		if r.Loops[i].Name == name && len(r.Loops[i].Rounds) > 0 {
			return &r.Loops[i]
		}
	}
	return nil
}

func (l loopResult) median(c column) float64 { return summarize(l.values(c)).Median }
