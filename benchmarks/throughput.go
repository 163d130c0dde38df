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

// measure runs all cells. Progress goes to log.
func measure(ctx context.Context, b *bench, cells []cell, s settings, log io.Writer) (throughput, error) {
	t := throughput{Broker: b.broker.name, URL: b.broker.url}
	for _, c := range cells {
		r, err := b.measureCell(ctx, c, s, log)
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
func (b *bench) measureCell(ctx context.Context, c cell, s settings, log io.Writer) (cellResult, error) {
	r := cellResult{cell: c, Records: s.n}
	list, err := loopsFor(c.Side, s.loops)
	if err != nil || len(list) == 0 {
		return r, err
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
