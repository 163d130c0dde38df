package main

import (
	"context"
	"errors"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/bare"
)

// receiptLoops are what -mode latency compares on the side of sources: one record
// after the other at a fixed rate, each waiting for its receipt.
var receiptLoops = []loop{
	{"bare", bareReceipts, nil},
	{"danube", danubeReceipts, nil},
	{"runtime", runtimeReceipts, nil},
}

// paced calls send at the run's rate until the run is over, and times it.
func (r *run) paced(ctx context.Context, send func() error) error {
	tick := time.NewTicker(time.Second / time.Duration(r.rate))
	defer tick.Stop()
	for !r.over() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		start := time.Now()
		if err := send(); err != nil {
			return err
		}
		r.watch.sent(time.Since(start))
		r.add()
	}
	return nil
}

func bareReceipts(ctx context.Context, r *run) error {
	conn, err := bare.Dial(r.url)
	if err != nil {
		return err
	}
	defer conn.Close()
	p, err := bare.NewProducer(ctx, conn, r.topic, "bench")
	if err != nil {
		return err
	}
	return r.paced(ctx, func() error { return p.Send(ctx, r.payload) })
}

func danubeReceipts(ctx context.Context, r *run) error {
	client, err := danube.Open(danube.Config{Seeds: []string{r.url}, Logger: silent})
	if err != nil {
		return err
	}
	p, err := client.NewProducer(ctx, danube.ProducerConfig{Topic: r.topic, Name: "bench"})
	if err == nil {
		err = r.paced(ctx, func() error {
			_, err := p.Send(ctx, &danube.Outgoing{Payload: r.payload})
			return err
		})
	}
	return errors.Join(err, client.Close(ctx))
}

// receiptSource is a connector that emits one record and waits for its receipt.
type receiptSource struct{ run *run }

func (receiptSource) Initialize(context.Context, *connect.Setup) error { return nil }

func (receiptSource) Shutdown(context.Context) error { return nil }

func (s receiptSource) Stream(ctx context.Context, e *connect.Emitter) error {
	turn := 0
	return s.run.paced(ctx, func() error {
		turn ^= 1
		_, err := e.Emit(ctx, connect.NewRecord(s.run.topic, s.run.payload).WithOffset(positions[turn]))
		return err
	})
}

func runtimeReceipts(ctx context.Context, r *run) error {
	client, err := danube.Open(danube.Config{Seeds: []string{r.url}, Logger: silent})
	if err != nil {
		return err
	}
	w := &timedClient{Client: connect.DanubeClient(client), watch: r.watch}
	rt, err := connect.NewSourceRuntime(connect.FromStream(receiptSource{r}), append(runtimeOptions(r), connect.WithClient(w),
		connect.WithConfigChange(func(c *connect.Config) { c.DestinationTopic = r.topic }))...)
	if err != nil {
		return errors.Join(err, client.Close(ctx))
	}
	return errors.Join(rt.Run(ctx), client.Close(ctx))
}

// timedClient notes how long the client takes for a message, from when the runtime
// hands it over to when the client answers: one message at a time.
type timedClient struct {
	connect.Client
	watch *stopwatch
}

func (w *timedClient) NewProducer(ctx context.Context, cfg danube.ProducerConfig) (connect.Producer, error) {
	p, err := w.Client.NewProducer(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &timedProducer{Producer: p, watch: w.watch}, nil
}

type timedProducer struct {
	connect.Producer
	watch *stopwatch
}

func (p *timedProducer) SendAsync(ctx context.Context, m *danube.Outgoing, done func(danube.Receipt, error)) error {
	start := time.Now()
	return p.Producer.SendAsync(ctx, m, func(r danube.Receipt, err error) {
		p.watch.client(time.Since(start))
		done(r, err)
	})
}
