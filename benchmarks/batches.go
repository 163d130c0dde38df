package main

import (
	"context"
	"fmt"
	"io"

	connect "github.com/danube-messaging/danube-connect-go"
)

const (
	// batchWindow is W of this mode: with less, the window would be all in hand before a
	// batch is full.
	batchWindow = 1000
	// batchRecords is how many records a batch has.
	batchRecords = 100
)

// batchesResult is the speed of a sink that takes batches.
type batchesResult struct{ throughput }

// batches measures batches against a bare loop that takes messages one by one.
func batches(ctx context.Context, b *bench, f flags, log io.Writer) (printable, error) {
	list := []loop{{"bare", nil, bareSink}, {"batches", nil, batchSink}}
	res := batchesResult{throughput{Broker: b.broker.name, URL: b.broker.url}}
	for _, c := range f.cells {
		if c.Side != sink {
			continue
		}
		r, err := b.measureCell(ctx, c, list, f.settings, log)
		if err != nil {
			return nil, err
		}
		res.Cells = append(res.Cells, r)
	}
	if len(res.Cells) == 0 {
		return nil, fmt.Errorf("-mode batches measures sinks, and -only left none")
	}
	return res, nil
}

// batchWriter is a connector that does nothing with its batches.
type batchWriter struct{ run *run }

func (batchWriter) Initialize(context.Context, *connect.Setup) error { return nil }

func (batchWriter) Shutdown(context.Context) error { return nil }

func (w batchWriter) ProcessBatch(_ context.Context, b *connect.Batch) error {
	for _, rec := range b.Records() {
		w.run.settled(rec.Partition(), rec.Payload())
	}
	return nil
}

func batchSink(ctx context.Context, r *run, opened func()) error {
	return runSinkRuntime(ctx, r, opened, connect.FromBatch(batchWriter{r}), func(c *connect.Config) { c.BatchSize = batchRecords })
}

func (r batchesResult) targets() (list []target) {
	for _, c := range r.Cells {
		if bare, own := c.loop("bare"), c.loop("batches"); bare != nil && own != nil {
			got := summarize(ratios(own.values(byRate), bare.values(byRate)))
			list = append(list, target{fmt.Sprintf("%s: batches of %d, speed against bare", c.cell, batchRecords), "at least 0.95", got.spread("%.2f")})
		}
	}
	return list
}
