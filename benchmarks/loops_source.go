package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/bare"
)

// silent keeps logging out of the figures and of the table.
var silent = slog.New(slog.DiscardHandler)

// bareSource has one goroutine for each partition, with one send outstanding.
func bareSource(ctx context.Context, r *run) error { return bareSends(ctx, r, nil) }

// attributedSource is the same with two attributes like those that the runtime adds to
// each message: what they cost on the wire and at the broker, no client can avoid.
func attributedSource(ctx context.Context, r *run) error {
	return bareSends(ctx, r, map[string]string{
		danube.AttrStamp:  "bench/1790000000-1a2b3c/1000000",
		danube.AttrSource: "bench/@there#0",
	})
}

func bareSends(ctx context.Context, r *run, attributes map[string]string) error {
	conn, err := bare.Dial(r.url)
	if err != nil {
		return err
	}
	defer conn.Close()
	var producers []*bare.Producer
	for _, topic := range bare.WireTopics(r.topic, r.cell.Partitions) {
		p, err := bare.NewProducer(ctx, conn, topic, "bench")
		if err != nil {
			return err
		}
		if err := p.Attach(attributes); err != nil {
			return err
		}
		producers = append(producers, p)
	}
	errs := make([]error, len(producers))
	var wg sync.WaitGroup
	for i, p := range producers {
		wg.Go(func() {
			for !r.over() && errs[i] == nil {
				errs[i] = p.Send(ctx, r.payload)
				r.add()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// danubeSource gives one producer as much as it takes.
func danubeSource(ctx context.Context, r *run) error {
	client, err := danube.Open(danube.Config{Seeds: []string{r.url}, Logger: silent})
	if err != nil {
		return err
	}
	p, err := client.NewProducer(ctx, danube.ProducerConfig{Topic: r.topic, Name: "bench", Partitions: partitionsOf(r.cell)})
	if err != nil {
		return errors.Join(err, client.Close(ctx))
	}
	var (
		once   sync.Once
		failed error
	)
	done := func(_ danube.Receipt, err error) {
		if err != nil && !r.over() {
			once.Do(func() { failed = err })
		}
		r.add()
	}
	for !r.over() {
		// One Outgoing for each record, as an application has it.
		if err := p.SendAsync(ctx, &danube.Outgoing{Payload: r.payload}, done); err != nil {
			return errors.Join(err, failed, client.Close(ctx))
		}
	}
	return errors.Join(client.Close(ctx), failed)
}

// partitionsOf is how a client is told: a topic that is not partitioned has none.
func partitionsOf(c cell) int {
	if c.Partitions <= 1 {
		return 0
	}
	return c.Partitions
}

// pollBatch is how many records the source returns at once.
const pollBatch = 64

// pollSource is a source with offsets that is never short of records, until the
// measured ones are through.
type pollSource struct {
	run   *run
	batch []*connect.SourceRecord
	turn  int
}

// positions take turns as offsets: the runtime asks only whether two neighbours
// differ, and making a new one for each record is the connector's work, not its.
var positions = [2]connect.Offset{{Value: "here"}, {Value: "there"}}

func (s *pollSource) Initialize(context.Context, *connect.Setup) error { return nil }

func (s *pollSource) Shutdown(context.Context) error { return nil }

func (s *pollSource) ProducerConfigs(context.Context) ([]connect.ProducerConfig, error) {
	return []connect.ProducerConfig{{Topic: s.run.topic, Partitions: partitionsOf(s.run.cell), NonReliable: s.run.nonReliable}}, nil
}

// Poll counts the batch before, which the producer has accepted. Of what it accepts
// some wait for each partition (danube.ProducerConfig.MaxPending), as many at the end of
// what is measured as at its start. Counting the answers instead would take a function around each record's done,
// more than what the runtime itself adds.
func (s *pollSource) Poll(context.Context) ([]*connect.SourceRecord, error) {
	s.run.addAll(len(s.batch))
	if s.run.over() {
		return nil, io.EOF
	}
	s.batch = s.batch[:0]
	for range min(pollBatch, max(1, (s.run.end-s.run.warm)/8)) {
		s.turn ^= 1
		s.batch = append(s.batch, connect.NewRecord(s.run.topic, s.run.payload).WithOffset(positions[s.turn]))
	}
	return s.batch, nil
}

func (s *pollSource) Commit(context.Context, []connect.Offset) error { return nil }

// runtimeSource is a SourceRuntime with such a connector.
func runtimeSource(ctx context.Context, r *run) error {
	return runSourceRuntime(ctx, r, func(*connect.Config) {})
}

// unstampedSource is the same without the attributes that each message gets.
func unstampedSource(ctx context.Context, r *run) error {
	return runSourceRuntime(ctx, r, func(c *connect.Config) { c.Stamps = false })
}

func runSourceRuntime(ctx context.Context, r *run, change func(*connect.Config)) error {
	client, err := danube.Open(danube.Config{Seeds: []string{r.url}, Logger: silent})
	if err != nil {
		return err
	}
	opts := append(runtimeOptions(r), connect.WithClient(connect.DanubeClient(client)), connect.WithConfigChange(func(c *connect.Config) {
		c.DestinationTopic = r.topic
		change(c)
	}))
	rt, err := connect.NewSourceRuntime(&pollSource{run: r}, opts...)
	if err != nil {
		return errors.Join(err, client.Close(ctx))
	}
	return errors.Join(rt.Run(ctx), client.Close(ctx))
}

// runtimeOptions are the defaults, but for what would meet other processes: a port,
// signals, the terminal.
func runtimeOptions(r *run) []connect.Option {
	c := connect.DefaultConfig()
	c.ServiceURL = r.url
	c.ConnectorName = "bench"
	c.MetricsPort = 0
	return []connect.Option{connect.WithConfig(c), connect.WithLogger(silent), connect.WithoutSignals()}
}
