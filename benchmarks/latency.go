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

// latencyResult is what sinks add at a rate far below what they can do.
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
	P50   []float64 `json:"publish_to_process_p50_us"`
	P99   []float64 `json:"publish_to_process_p99_us"`
	Add50 []float64 `json:"delivery_to_process_p50_us,omitempty"` // of the runtime alone
	Add99 []float64 `json:"delivery_to_process_p99_us,omitempty"`
}

// stopwatch times the records of one run.
type stopwatch struct {
	mu      sync.Mutex
	whole   []float64 // from the publisher's stamp to the end of the work, microseconds
	added   []float64 // from the client's handler to the connector
	arrived [][]time.Time
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

// latency measures the sinks among the cells.
func latency(ctx context.Context, b *bench, f flags, log io.Writer) (printable, error) {
	res := latencyResult{Broker: b.broker.name, URL: b.broker.url, Rate: f.latency.rate}
	// A publisher that waits for its own answer each time could not keep the rate.
	b.rate = f.latency.rate
	n := f.n
	if n == 0 {
		n = 2 * f.latency.rate
	}
	list, err := loopsFor(sink, f.loops)
	if err != nil {
		return nil, err
	}
	for _, c := range f.cells {
		if c.Side != sink {
			continue
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
	if len(res.Cells) == 0 {
		return nil, fmt.Errorf("-mode latency measures sinks, and -only left none")
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
	fmt.Fprintln(tw, "parts\tsize\tloop\tp50 us\t\tp99 us\t\tadded p50\t\tadded p99\t")
	for _, c := range r.Cells {
		for _, l := range c.Loops {
			fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Partitions, sizeName(c.Size), l.Name,
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

func (latencyResult) legend() string {
	return `
Percentiles are taken in each round; shown is their median over the rounds, in brackets the middle half. p50 and p99
are from just before the publisher sends to the connector's code, in microseconds on the clock of this host. added is
from the client's handler to the connector's Process: what the runtime itself takes.
`
}
