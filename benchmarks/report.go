package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// column picks one figure out of a round.
type column func(figures) float64

var (
	byRate    column = func(f figures) float64 { return f.Rate }
	byCPU     column = func(f figures) float64 { return f.CPU }
	byMallocs column = func(f figures) float64 { return f.Mallocs }
	byWaited  column = func(f figures) float64 { return f.Waited }
)

func (l loopResult) values(c column) []float64 {
	v := make([]float64, len(l.Rounds))
	for i, f := range l.Rounds {
		v[i] = c(f)
	}
	return v
}

func (l loopResult) lost() (n int64) {
	for _, f := range l.Rounds {
		n += f.Lost
	}
	return n
}

// ratio compares a loop with the first of its cell: the median of the rounds'
// quotients, and between which values half of them lie.
func (r cellResult) ratio(i int, c column) summary {
	return summarize(ratios(r.Loops[i].values(c), r.Loops[0].values(c)))
}

func (throughput) legend() string {
	return `
msg/s, CPU and allocs are medians over the rounds, in brackets the middle half of them. Ratios are medians of each
round's own quotient to the first loop of that round. CPU is user and system seconds of the client process for a
million records, garbage collection included; the broker and the publisher that feeds sinks are other processes and
not in it. allocs are heap objects of the client process for each record; those of a source's danube and runtime
include the record that the loop itself makes. unstamped is the runtime with stamps = false, attributed is bare with two
attributes like the runtime's: what they cost on the wire and at the broker. fed is the share of the time in which a
sink's publisher waited for the sink: near 0 the sink kept up with all that broker and publisher gave, and its own limit
is higher than the msg/s shown; its cost shows in CPU and allocs. lost is what a broker never delivered, over all rounds.
`
}

// print writes the table.
func (t throughput) print(w io.Writer) {
	fmt.Fprintf(w, "\nbroker: %s, %s\n\n", t.Broker, t.URL)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "side\tparts\tsize\tloop\tmsg/s\t\tratio\t\tCPU s/M\tratio\t\tallocs\tmore\tfed\tlost")
	for _, r := range t.Cells {
		for i, l := range r.Loops {
			if len(l.Rounds) == 0 {
				fmt.Fprintf(tw, "%s\t%d\t%s\t%s\tno round went through\n", r.Side, r.Partitions, sizeName(r.Size), l.Name)
				continue
			}
			rate, cpu, mallocs := summarize(l.values(byRate)), summarize(l.values(byCPU)), summarize(l.values(byMallocs))
			row := []string{
				string(r.Side), fmt.Sprint(r.Partitions), sizeName(r.Size), l.Name,
				fmt.Sprintf("%.0f", rate.Median), fmt.Sprintf("(%.0f-%.0f)", rate.Low, rate.High), "", "",
				fmt.Sprintf("%.1f", cpu.Median), "", "",
				fmt.Sprintf("%.1f", mallocs.Median), "", "", "",
			}
			if i > 0 {
				row[6], row[7] = ratioText(r.ratio(i, byRate))
				row[9], row[10] = ratioText(r.ratio(i, byCPU))
				row[12] = fmt.Sprintf("%+.1f", mallocs.Median-r.Loops[0].median(byMallocs))
			}
			if r.Side == sink {
				row[13] = fmt.Sprintf("%.0f%%", 100*l.median(byWaited))
				row[14] = fmt.Sprint(l.lost())
			}
			fmt.Fprintln(tw, strings.Join(row, "\t"))
		}
	}
	_ = tw.Flush()
	for _, r := range t.Cells {
		for _, f := range r.Failed {
			fmt.Fprintf(w, "left out: %s, %s\n", r.cell, f)
		}
	}
}

func ratioText(s summary) (median, spread string) {
	if s.N == 0 {
		return "", ""
	}
	return fmt.Sprintf("%.2f", s.Median), fmt.Sprintf("(%.2f-%.2f)", s.Low, s.High)
}
