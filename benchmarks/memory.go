package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"text/tabwriter"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

// memorySettings are the flags of this mode.
type memorySettings struct{ records int }

// memoryPoints is how often a run is looked at.
const memoryPoints = 10

// memoryResult is how the memory of this process went while the runtimes moved many
// records.
type memoryResult struct {
	Broker  string       `json:"broker"`
	URL     string       `json:"url"`
	Records int          `json:"records"`
	Cells   []memoryCell `json:"cells"`
}

type memoryCell struct {
	cell
	Seconds float64       `json:"seconds"`
	Points  []memoryPoint `json:"points"`
	Keys    int           `json:"keys,omitempty"`
	Most    int64         `json:"rss_most"`
	Live    bool          `json:"live_heap_flat"`
	RSS     bool          `json:"rss_flat"`
}

// memoryPoint is one look.
type memoryPoint struct {
	Records int64  `json:"records"`
	InUse   uint64 `json:"heap_in_use"` // spans in use, what waits for the collector included
	Live    uint64 `json:"heap_live"`   // what a collection left
	RSS     int64  `json:"rss"`
}

// memory runs the runtimes over the cells and looks on.
func memory(ctx context.Context, b *bench, f flags, log io.Writer) (printable, error) {
	res := memoryResult{Broker: b.broker.name, URL: b.broker.url, Records: f.memory.records}
	// The embedded broker would keep a million messages that nobody reads; to the
	// source, the topic makes no difference.
	b.nonReliable = b.broker.child != nil
	for _, c := range f.cells {
		m := &memoryWatch{every: int64(f.memory.records / memoryPoints)}
		b.onRun = m.look
		start := time.Now()
		l := loop{"runtime", runtimeSource, keyedSink}
		if b.keys = 0; c.Side == sink {
			b.keys = memoryKeys
		}
		debug.FreeOSMemory() // of the cell before
		if _, err := b.once(ctx, c, l, f.memory.records); err != nil {
			return nil, err
		}
		one := memoryCell{cell: c, Seconds: time.Since(start).Seconds(), Keys: b.keys, Points: m.points}
		one.judge()
		fmt.Fprintf(log, "%-20s %d records, %v\n", c, f.memory.records, time.Since(start).Round(time.Second))
		res.Cells = append(res.Cells, one)
	}
	return res, nil
}

// memoryKeys is how many routing keys the records of a sink have.
const memoryKeys = 10_000

// keyedSink is a SinkRuntime that keeps the order of each key.
func keyedSink(ctx context.Context, r *run, opened func()) error {
	return runSinkRuntime(ctx, r, opened, connect.SinkFunc(func(_ context.Context, rec *connect.SinkRecord) error {
		r.settled(rec.Partition(), rec.Payload())
		return nil
	}), func(c *connect.Config) { c.Ordering, c.Concurrency = connect.OrderKey, keysWorkers })
}

// memoryWatch looks at the memory each time so many records have passed.
type memoryWatch struct {
	every  int64
	points []memoryPoint
}

// look returns when the run is over or given up.
func (m *memoryWatch) look(ctx context.Context, r *run) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for len(m.points) < memoryPoints {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		measured := r.count.Load() - r.warm
		if measured < m.every*int64(len(m.points)+1) {
			continue
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		runtime.GC()
		runtime.ReadMemStats(&after)
		m.points = append(m.points, memoryPoint{Records: measured, InUse: before.HeapInuse, Live: after.HeapAlloc, RSS: rss()})
	}
}

// judge says whether the memory was as large at the end as in the middle of the
// first half.
func (c *memoryCell) judge() {
	var live, resident []float64
	for _, p := range c.Points {
		live = append(live, float64(p.Live))
		resident = append(resident, float64(p.RSS))
		c.Most = max(c.Most, p.RSS)
	}
	c.Live = flat(live, 1<<20)
	c.RSS = flat(resident, 8<<20)
}

// flat compares the median of the second half with that of the first, of which the
// first value is left out: pools and buffers fill then. A tenth more, and slack on
// top, is what a collector's timing brings about.
func flat(values []float64, slack float64) bool {
	half := len(values) / 2
	if half < 2 {
		return false
	}
	first, second := summarize(values[1:half]), summarize(values[half:])
	return second.Median <= first.Median*1.1+slack
}

func (r memoryResult) print(w io.Writer) {
	fmt.Fprintf(w, "\nbroker: %s, %s\n\n", r.Broker, r.URL)
	for _, c := range r.Cells {
		keys := ""
		if c.Keys > 0 {
			keys = fmt.Sprintf(" with %d keys, ordering = key,", c.Keys)
		}
		fmt.Fprintf(w, "%s, runtime, %d records%s in %.0f s\n", c.cell, r.Records, keys, c.Seconds)
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(tw, "records\theap in use MiB\tlive heap MiB\tRSS MiB\t")
		for _, p := range c.Points {
			fmt.Fprintf(tw, "%d\t%.1f\t%.2f\t%.1f\t\n", p.Records, mib(p.InUse), mib(p.Live), mib(p.RSS))
		}
		_ = tw.Flush()
		fmt.Fprintf(w, "live heap %s, RSS %s\n\n", flatText(c.Live), flatText(c.RSS))
	}
}

func (r memoryResult) targets() (list []target) {
	for _, c := range r.Cells {
		want := map[side]string{source: "flat, under 64 MiB", sink: "flat, under 100 MiB"}[c.Side]
		list = append(list, target{fmt.Sprintf("%s: RSS over %d records", c.cell, r.Records), want, fmt.Sprintf("%s, at most %.1f MiB", flatText(c.RSS), mib(c.Most))})
	}
	return list
}

func mib[T uint64 | int64](n T) float64 { return float64(n) / (1 << 20) }

func flatText(flat bool) string {
	if flat {
		return "flat"
	}
	return "NOT FLAT"
}

func (memoryResult) legend() string {
	return `Memory of the client process alone. Flat: the median of the last five points is at most a tenth (and 1 MiB of live
heap, 8 MiB of RSS) above that of points two to five. With the embedded broker the source's topic is a non-reliable
one, which the broker does not keep. The client remembers the newest 262144 messages of each partition that it
acknowledged, 1 MiB, and grows until it has seen so many.
`
}
