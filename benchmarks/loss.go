package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// lossSettings are the flags of this mode.
type lossSettings struct{ each int }

// lossWindow is W of this mode: the default of a real broker, which keeps 256 messages
// for a subscription that lags and skips the rest.
const lossWindow = 10

// lossProducers are how many publish at once, each as fast as the broker answers.
var lossProducers = []int{2, 4}

// lossLoops are what is compared, the reference first.
var lossLoops = []loop{
	{"bare, 10 acks in flight", nil, bareSink},
	{"bare, 1 ack at a time", nil, bareSinkAcking(1)},
	{"danube", nil, danubeSink},
	{"runtime", nil, runtimeSink},
}

// lossResult is what subscriptions lost.
type lossResult struct {
	Broker string     `json:"broker"`
	URL    string     `json:"url"`
	Each   int        `json:"messages_of_each_producer"`
	Cells  []lossCell `json:"cells"`
}

type lossCell struct {
	Producers int        `json:"producers"`
	Loops     []lossLoop `json:"loops"`
}

// lossLoop has one value for each round.
type lossLoop struct {
	Name     string    `json:"name"`
	Lost     []float64 `json:"lost"`
	Reported []float64 `json:"reported"` // of those, what the client said is missing
	Rate     []float64 `json:"published_per_s"`
}

// loss runs producers at full speed against sinks that do nothing but ack.
func loss(ctx context.Context, b *bench, f flags, log io.Writer) (printable, error) {
	res := lossResult{Broker: b.broker.name, URL: b.broker.url, Each: f.loss.each}
	for _, producers := range lossProducers {
		start := time.Now()
		one := lossCell{Producers: producers}
		for _, l := range lossLoops {
			one.Loops = append(one.Loops, lossLoop{Name: l.name})
		}
		for range f.rounds {
			for i, l := range lossLoops {
				if err := b.lossOnce(ctx, l, producers, f.loss.each, &one.Loops[i]); err != nil {
					return nil, fmt.Errorf("%d producers, %s: %w", producers, l.name, err)
				}
			}
		}
		fmt.Fprintf(log, "loss, %d producers   %d rounds of %d messages each, %v\n", producers, f.rounds, f.loss.each, time.Since(start).Round(time.Second))
		res.Cells = append(res.Cells, one)
	}
	return res, nil
}

// lossQuiet is how long nothing must have come for a run to be over.
const lossQuiet = time.Second

// lossOnce is one run: the producers publish, all that comes is awaited, and one more
// message of each producer shows what is missing before it.
func (b *bench) lossOnce(ctx context.Context, l loop, producers, each int, into *lossLoop) error {
	b.runs++
	n := producers * (each + 1)
	r := &run{
		meter:  newMeter(0, n),
		cell:   cell{Side: sink, Partitions: 1, Size: 100},
		url:    b.broker.url,
		topic:  fmt.Sprintf("/default/bench-%s-%04d", b.stamp, b.runs),
		ledger: newLedger(),
	}
	defer b.broker.forget(r.topic)
	var err error
	r.feed, err = openFeed(b.publisher, orderOpen{URL: r.url, Topic: r.topic, Partitions: 1, Size: 100, Senders: producers, Count: each})
	if err != nil {
		return err
	}
	err = r.beside(ctx, l, func(ended <-chan struct{}, failed *error) error {
		if err := r.feed.start(); err != nil {
			return err
		}
		start := time.Now()
		p, err := r.feed.more()
		if err != nil {
			return err
		}
		into.Rate = append(into.Rate, float64(p.Count)/time.Since(start).Seconds())
		if err := r.quiet(ended, failed, p.Count); err != nil {
			return err
		}
		came, reported := r.ledger.count()
		into.Lost = append(into.Lost, float64(p.Count-came))
		into.Reported = append(into.Reported, float64(reported))
		return nil
	})
	_, stopErr := r.feed.stop() // also after an error: the publisher serves the next run
	if err != nil {
		return err
	}
	return stopErr
}

// quiet waits until all has come, or nothing has for a while.
func (r *run) quiet(ended <-chan struct{}, failed *error, all int64) error {
	timer := time.NewTimer(lossQuiet)
	defer timer.Stop()
	for {
		if came, _ := r.ledger.count(); came >= all {
			return nil
		}
		select {
		case <-r.ledger.came:
			timer.Reset(lossQuiet)
		case <-timer.C:
			return nil
		case <-ended:
			return waitFor(nil, ended, failed)
		}
	}
}

func (r lossResult) print(w io.Writer) {
	fmt.Fprintf(w, "\nbroker: %s, %s; %d messages of each producer\n\n", r.Broker, r.URL, r.Each)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "producers\tloop\tpublished/s\tlost\tleast\tmost\trounds without\treported")
	for _, c := range r.Cells {
		for _, l := range c.Loops {
			lost, reported := summarize(l.Lost), fmt.Sprintf("%.0f", summarize(l.Reported).Median)
			if l.Name != "danube" && l.Name != "runtime" {
				reported = ""
			}
			fmt.Fprintf(tw, "%d\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%d of %d\t%s\n", c.Producers, l.Name, summarize(l.Rate).Median,
				lost.Median, lost.Min, lost.Max, l.without(), len(l.Lost), reported)
		}
	}
	_ = tw.Flush()
}

// without counts the rounds in which nothing was lost.
func (l lossLoop) without() (n int) {
	for _, v := range l.Lost {
		if v == 0 {
			n++
		}
	}
	return n
}

func (r lossResult) targets() (list []target) {
	for _, c := range r.Cells {
		bare := c.Loops[0]
		for _, l := range c.Loops {
			if l.Name != "danube" && l.Name != "runtime" {
				continue
			}
			list = append(list, target{fmt.Sprintf("%d producers: %s, median loss", c.Producers, l.Name),
				fmt.Sprintf("at most the bare loop's %.0f", summarize(bare.Lost).Median), fmt.Sprintf("%.0f", summarize(l.Lost).Median)})
			if bare.without() >= 5 {
				list = append(list, target{fmt.Sprintf("%d producers: %s, rounds without a loss", c.Producers, l.Name),
					"at least 5, as the bare loop", fmt.Sprintf("%d of %d", l.without(), len(l.Lost))})
			}
		}
	}
	return list
}

func (lossResult) legend() string {
	return `
One topic, one Exclusive subscription of default settings, producers of bare stubs in a process of their own, each with
one send outstanding and nothing to wait for. lost is the median over the rounds, of all messages of a round, each
counted once; the publisher's own numbers are the truth. reported is what the client itself said will not come, known
once a later message has come: here, one more of each producer.
`
}
