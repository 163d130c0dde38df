package main

import (
	"context"
	"errors"
	"sync"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/bare"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// subscription is that of every sink; each run has a topic of its own.
const subscription = "bench"

// acksInFlight is what the client has by default, for the bare loop.
const acksInFlight = 10

// bareSink has one stream for each partition and acks in goroutines beside it.
func bareSink(ctx context.Context, r *run, opened func()) error {
	return bareSinkAcking(acksInFlight)(ctx, r, opened)
}

// bareSinkAcking is the same with a number of acks in flight.
func bareSinkAcking(inFlight int) func(ctx context.Context, r *run, opened func()) error {
	return func(ctx context.Context, r *run, opened func()) error { return runBareSink(ctx, r, opened, inFlight) }
}

func runBareSink(ctx context.Context, r *run, opened func(), inFlight int) error {
	conn, err := bare.Dial(r.url)
	if err != nil {
		return err
	}
	defer conn.Close()
	var consumers []*bare.Consumer
	for _, topic := range bare.WireTopics(r.topic, r.cell.Partitions) {
		c, err := bare.NewConsumer(ctx, conn, topic, subscription, "bench")
		if err != nil {
			return err
		}
		consumers = append(consumers, c)
	}
	errs := make([]error, len(consumers))
	var wg sync.WaitGroup
	for i, c := range consumers {
		wg.Go(func() {
			errs[i] = c.Run(ctx, inFlight, func(m *danubepb.StreamMessage) { r.settled(int32(i), m.GetPayload()) })
		})
	}
	opened()
	wg.Wait()
	return errors.Join(errs...)
}

// danubeSink has a consumer that acknowledges in its handler.
func danubeSink(ctx context.Context, r *run, opened func()) error {
	client, err := danube.Open(danube.Config{Seeds: []string{r.url}, Logger: silent})
	if err != nil {
		return err
	}
	defer client.Close(ctx)
	var (
		c     *danube.Consumer
		ready = make(chan struct{})
		once  sync.Once
		fail  = make(chan error, 1)
	)
	c, err = client.NewConsumer(ctx, danube.ConsumerConfig{
		Topic: r.topic, Subscription: subscription, Name: "bench", OnAnomaly: r.onAnomaly(),
		Handler: func(m *danube.Message) {
			<-ready
			r.settled(m.Partition, m.Payload)
			if err := c.Ack(m); err != nil {
				once.Do(func() { fail <- err })
			}
		},
	})
	if err != nil {
		return err
	}
	close(ready)
	opened()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.Done():
		return c.Err()
	case err := <-fail:
		return err
	}
}

// runtimeSink is a SinkRuntime with a connector that does nothing.
func runtimeSink(ctx context.Context, r *run, opened func()) error {
	return runSinkRuntime(ctx, r, opened, connect.SinkFunc(func(_ context.Context, rec *connect.SinkRecord) error {
		r.settled(rec.Partition(), rec.Payload())
		return nil
	}), func(*connect.Config) {})
}

func runSinkRuntime(ctx context.Context, r *run, opened func(), sink connect.SinkConnector, change func(*connect.Config)) error {
	client, err := danube.Open(danube.Config{Seeds: []string{r.url}, Logger: silent})
	if err != nil {
		return err
	}
	defer client.Close(ctx)
	w := &watchedClient{Client: connect.DanubeClient(client), opened: opened, anomaly: r.onAnomaly()}
	if r.watch != nil {
		w.arrived = r.watch.arrive
	}
	rt, err := connect.NewSinkRuntime(sink, append(runtimeOptions(r), connect.WithClient(w), connect.WithConfigChange(func(c *connect.Config) {
		c.SourceTopic, c.SubscriptionName = r.topic, subscription
		change(c)
	}))...)
	if err != nil {
		return err
	}
	return rt.Run(ctx)
}

// onAnomaly is who hears of what is missing, nil where nobody asks.
func (r *run) onAnomaly() func(danube.Anomaly) {
	if r.ledger == nil {
		return nil
	}
	return r.ledger.anomaly
}

// watchedClient tells when a runtime has subscribed, which is when its publisher may
// start, and, where asked, when a message came and what will not come.
type watchedClient struct {
	connect.Client
	opened  func()
	arrived func(*danube.Message) // nil in what is measured for speed
	anomaly func(danube.Anomaly)  // the same
}

func (w *watchedClient) NewConsumer(ctx context.Context, cfg danube.ConsumerConfig) (connect.Consumer, error) {
	if w.arrived != nil {
		next := cfg.Handler
		cfg.Handler = func(m *danube.Message) {
			w.arrived(m)
			next(m)
		}
	}
	if w.anomaly != nil {
		next := cfg.OnAnomaly
		cfg.OnAnomaly = func(a danube.Anomaly) {
			w.anomaly(a)
			next(a)
		}
	}
	c, err := w.Client.NewConsumer(ctx, cfg)
	if err == nil {
		w.opened()
	}
	return c, err
}
