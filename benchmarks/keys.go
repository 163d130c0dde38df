package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

const (
	// keysWindow is W of this mode.
	keysWindow = 64
	// keysWork is what the connector takes for a record, waiting for another system.
	keysWork = 10 * time.Millisecond
	// keysWorkers is how many records are in the connector at once, each of another key.
	keysWorkers = 16
	// keysNumber is how many keys take turns.
	keysNumber = 1000
)

// keysResult is how fast a slow connector goes with order per key.
type keysResult struct {
	Broker string     `json:"broker"`
	URL    string     `json:"url"`
	Loops  []keysLoop `json:"loops"`
}

type keysLoop struct {
	Workers int       `json:"workers"`
	Rounds  []figures `json:"rounds"`
}

// keys measures one worker against many. Each gets records for about two seconds.
func keys(ctx context.Context, b *bench, f flags, log io.Writer) (printable, error) {
	b.keys = keysNumber
	res := keysResult{Broker: b.broker.name, URL: b.broker.url, Loops: []keysLoop{{Workers: 1}, {Workers: keysWorkers}}}
	start := time.Now()
	for range f.rounds {
		for i := range res.Loops {
			l := &res.Loops[i]
			n := f.n
			if n == 0 {
				n = int(2 * time.Second / keysWork)
			}
			one, err := b.once(ctx, cell{sink, 1, 1 << 10}, loop{fmt.Sprintf("%d workers", l.Workers), nil, slowSink(l.Workers)}, n*l.Workers)
			if err != nil {
				return nil, err
			}
			l.Rounds = append(l.Rounds, one)
		}
	}
	fmt.Fprintf(log, "keys                 %d rounds, %v\n", f.rounds, time.Since(start).Round(100*time.Millisecond))
	return res, nil
}

// slowSink is a SinkRuntime that keeps the order of each key, with a connector that
// waits.
func slowSink(workers int) func(context.Context, *run, func()) error {
	return func(ctx context.Context, r *run, opened func()) error {
		return runSinkRuntime(ctx, r, opened, connect.SinkFunc(func(_ context.Context, rec *connect.SinkRecord) error {
			time.Sleep(keysWork)
			r.settled(rec.Partition(), rec.Payload())
			return nil
		}), func(c *connect.Config) { c.Ordering, c.Concurrency = connect.OrderKey, workers })
	}
}

func (l keysLoop) rates() []float64 { return loopResult{Rounds: l.Rounds}.values(byRate) }

func (r keysResult) print(w io.Writer) {
	fmt.Fprintf(w, "\nbroker: %s, %s; ordering = key, %d keys, %v for a record\n\n", r.Broker, r.URL, keysNumber, keysWork)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "workers\tmsg/s\t\tfactor\t")
	for i, l := range r.Loops {
		factor, around := "", ""
		if i > 0 {
			factor, around = ratioText(summarize(ratios(l.rates(), r.Loops[0].rates())))
		}
		s := summarize(l.rates())
		fmt.Fprintf(tw, "%d\t%.0f\t(%.0f-%.0f)\t%s\t%s\n", l.Workers, s.Median, s.Low, s.High, factor, around)
	}
	_ = tw.Flush()
}

func (r keysResult) targets() []target {
	got := summarize(ratios(r.Loops[1].rates(), r.Loops[0].rates()))
	return []target{{fmt.Sprintf("order per key: %d workers against one", keysWorkers), "at least 12 times", got.spread("%.1f")}}
}

func (keysResult) legend() string {
	return `
The connector sleeps for its time, as one does that waits for another system. Records of one key are never in it at
once.
`
}
