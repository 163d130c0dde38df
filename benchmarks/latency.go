package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// latencySettings are the flags of this mode.
type latencySettings struct{ rate int }

// latencyResult is what the runtimes add at a rate far below what they can do.
type latencyResult struct {
	Broker string        `json:"broker"`
	URL    string        `json:"url"`
	Rate   int           `json:"rate"`
	Cells  []latencyCell `json:"cells"`
}

type latencyCell struct {
	cell
	Loops []latencyLoop `json:"loops"`
}

// latencyLoop has one value for each round, in microseconds.
type latencyLoop struct {
	Name  string    `json:"name"`
	P50   []float64 `json:"p50_us"`
	P99   []float64 `json:"p99_us"`
	Add50 []float64 `json:"added_p50_us,omitempty"` // of the runtime alone
	Add99 []float64 `json:"added_p99_us,omitempty"`
}

// stopwatch times the records of one run.
type stopwatch struct {
	mu      sync.Mutex
	whole   []float64 // sinks: from the publisher's stamp to the connector; sources: a send; microseconds
	added   []float64 // of that, what the runtime took
	arrived [][]time.Time
	inside  time.Duration // what the client took for the record under way
}

func newStopwatch(partitions int) *stopwatch {
	return &stopwatch{arrived: make([][]time.Time, max(1, partitions))}
}

// arrive notes when the client hands a message out. Messages of a partition come
// to the connector in the same order.
func (s *stopwatch) arrive(m *danube.Message) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	i := max(0, m.Partition)
	s.arrived[i] = append(s.arrived[i], now)
}

// processed notes when a message is in the connector's hands.
func (s *stopwatch) processed(partition int32, payload []byte) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(payload) >= 8 {
		sent := time.Unix(0, int64(binary.LittleEndian.Uint64(payload)))
		s.whole = append(s.whole, float64(now.Sub(sent).Nanoseconds())/1e3)
	}
	if q := s.arrived[max(0, partition)]; len(q) > 0 {
		s.added = append(s.added, float64(now.Sub(q[0]).Nanoseconds())/1e3)
		s.arrived[max(0, partition)] = q[1:]
	}
}

// client notes how long the client took for the record that is being sent.
func (s *stopwatch) client(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside = d
}

// sent notes how long a send took, receipt included.
func (s *stopwatch) sent(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole = append(s.whole, float64(d.Nanoseconds())/1e3)
	if s.inside > 0 {
		s.added = append(s.added, float64((d-s.inside).Nanoseconds())/1e3)
		s.inside = 0
	}
}

// latency measures the cells.
func latency(ctx context.Context, b *bench, f flags, log io.Writer) (printable, error) {
	res := latencyResult{Broker: b.broker.name, URL: b.broker.url, Rate: f.latency.rate}
	// A publisher that waits for its own answer each time could not keep the rate.
	b.rate = f.latency.rate
	n := f.n
	if n == 0 {
		n = 2 * f.latency.rate
	}
	sinks, err := loopsFor(sink, f.loops)
	if err != nil {
		return nil, err
	}
	for _, c := range f.cells {
		list := sinks
		if c.Side == source {
			c.Partitions, list = 1, receiptLoops
		}
		one := latencyCell{cell: c}
		for _, l := range list {
			one.Loops = append(one.Loops, latencyLoop{Name: l.name})
		}
		for range f.rounds {
			for i, l := range list {
				b.watch = newStopwatch(c.Partitions)
				if _, err := b.once(ctx, c, l, n); err != nil {
					return nil, err
				}
				one.Loops[i].take(b.watch)
			}
		}
		fmt.Fprintf(log, "%-20s %d rounds of %d records\n", c, f.rounds, n)
		res.Cells = append(res.Cells, one)
	}
	return res, nil
}

// take adds one round.
func (l *latencyLoop) take(s *stopwatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.whole)
	slices.Sort(s.added)
	l.P50 = append(l.P50, quantile(s.whole, 0.5))
	l.P99 = append(l.P99, quantile(s.whole, 0.99))
	if len(s.added) > 0 {
		l.Add50 = append(l.Add50, quantile(s.added, 0.5))
		l.Add99 = append(l.Add99, quantile(s.added, 0.99))
	}
}

func (r latencyResult) print(w io.Writer) {
	fmt.Fprintf(w, "\nbroker: %s, %s; %d messages a second\n\n", r.Broker, r.URL, r.Rate)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "side\tparts\tsize\tloop\tp50 us\t\tp99 us\t\tadded p50\t\tadded p99\t")
	for _, c := range r.Cells {
		for _, l := range c.Loops {
			fmt.Fprintf(tw, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Side, c.Partitions, sizeName(c.Size), l.Name,
				micros(l.P50), micros(l.P99), micros(l.Add50), micros(l.Add99))
		}
	}
	_ = tw.Flush()
}

// micros writes two cells of the table: median and spread over the rounds.
func micros(rounds []float64) string {
	if len(rounds) == 0 {
		return "\t"
	}
	s := summarize(rounds)
	return fmt.Sprintf("%.1f\t(%.1f-%.1f)", s.Median, s.Low, s.High)
}

func (r latencyResult) targets() (list []target) {
	what := map[side]string{source: "Emit with receipt, above the send", sink: "from delivery to Process"}
	for _, c := range r.Cells {
		for _, l := range c.Loops {
			if len(l.Add99) > 0 {
				list = append(list, target{fmt.Sprintf("%s: p99 %s", c.cell, what[c.Side]), "under 200 us", summarize(l.Add99).spread("%.0f") + " us"})
			}
		}
	}
	return list
}

func (latencyResult) legend() string {
	return `
Percentiles are taken in each round; shown is their median over the rounds, in brackets the middle half, all in
microseconds. A sink's p50 and p99 are from just before the publisher sends to the connector's code, on the clock of
this host; added is from the client's handler to the connector's Process: what the runtime itself takes. A source's are
those of one send that waits for its receipt, one after the other; added is Emit without what the client takes for the
same record between the call of SendAsync and its done.
`
}
