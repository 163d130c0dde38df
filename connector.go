package connect

import (
	"context"
	"time"
)

// SinkConnector writes records to an external system, one at a time. The runtime
// owns everything else: receiving, retries, acks, order.
//
// Initialize, Process and Shutdown are never called concurrently on a topic without
// partitions; with partitions, or with several topics, Process is called from one
// goroutine for each of them.
type SinkConnector interface {
	// Initialize is called once, before everything else. A retryable error is tried
	// again with backoff until the runtime is stopped; any other ends the runtime.
	// ctx ends when the runtime is stopped.
	Initialize(ctx context.Context, s *Setup) error
	// Process writes one record and returns when it is safe there: nil acknowledges
	// the message, so that the broker never delivers it again. It may block; ctx ends
	// when the time for this attempt is over or the runtime gives up waiting, and
	// Process should then return soon. An error is classified by [KindOf]: retryable
	// ones are tried again with backoff, in order, before any later record of the
	// partition; invalid data goes by the policy on_error; fatal ones end the runtime.
	// A panic goes by the policy on_error. In no case is a record acknowledged that
	// Process did not return nil for, except by on_error = "skip".
	Process(ctx context.Context, rec *SinkRecord) error
	// Shutdown is called once, after the last Process has returned, when Initialize
	// was called, whatever it returned. When Process does not come back at all, it is
	// called all the same once the drain deadline has passed. ctx ends when the
	// runtime stops waiting for it.
	Shutdown(ctx context.Context) error
}

// BatchSinkConnector writes records in batches; adapt it with [FromBatch].
type BatchSinkConnector interface {
	// Initialize is as in [SinkConnector].
	Initialize(ctx context.Context, s *Setup) error
	// ProcessBatch writes a batch, which holds records of one partition in order. nil
	// acknowledges every record that [Batch.Fail] was not called for. An error is for
	// the records that Fail was not called for: a retryable one sends them again, with
	// invalid data the runtime splits the batch until it has found the record.
	ProcessBatch(ctx context.Context, b *Batch) error
	// Shutdown is as in [SinkConnector].
	Shutdown(ctx context.Context) error
}

// SourceConnector reads records from an external system.
//
// Initialize, Poll, Commit (see [Committer]) and Shutdown are never called
// concurrently.
type SourceConnector interface {
	// Initialize is as in [SinkConnector].
	Initialize(ctx context.Context, s *Setup) error
	// Poll returns the next records, in the order in which they are to be published.
	// None means that there are none now; the runtime asks again after
	// poll_interval_ms. It may block for new ones, as long as it returns when ctx ends,
	// which is when the runtime stops. While it blocks nothing is committed or
	// saved: a source with offsets should return without records after a second or so.
	//
	// Records that come with an error are published all the same. io.EOF by itself, not
	// inside another error, means that the source is finished: the runtime publishes
	// what it has, however long the broker is away, and Run returns nil. A retryable
	// error is tried again with backoff, without limit; any other ends the runtime.
	//
	// A record must not be changed after it was returned.
	Poll(ctx context.Context) ([]*SourceRecord, error)
	// Shutdown is as in [SinkConnector]: called once, at the end.
	Shutdown(ctx context.Context) error
}

// StreamConnector pushes records; adapt it with [FromStream].
type StreamConnector interface {
	// Initialize is as in [SinkConnector].
	Initialize(ctx context.Context, s *Setup) error
	// Stream emits records until ctx ends, which is when the runtime stops, and then
	// returns. nil, or io.EOF, means that the source is finished. After a retryable
	// error it is called again, with backoff; any other ends the runtime. What was
	// emitted is published whatever Stream returns.
	Stream(ctx context.Context, e *Emitter) error
	// Shutdown is as in [SinkConnector].
	Shutdown(ctx context.Context) error
}

// Committer is implemented by sources that want to know how far they are: where to
// go on after a restart, which messages to delete upstream.
type Committer interface {
	// Commit is told the offsets of records that the broker has acknowledged, or that
	// on_error gave up: those of one source partition in the order of
	// emission and without a gap. An offset that several records share comes once, when
	// the last of them is there; a record without one holds up what was emitted after it.
	// It is called between two calls of Poll; with a [StreamConnector] concurrently with
	// Stream, but one at a time. A retryable error is tried again with backoff
	// (MAX_RETRIES times where set, else for 30 s); then, or with any other, the runtime
	// ends rather than drift.
	Commit(ctx context.Context, offsets []Offset) error
}

// Resumer is implemented by sources that go on where they were.
type Resumer interface {
	// Resume is called once, after Initialize and before everything else, with the
	// newest committed offset of each source partition; with none at the first start,
	// or without a checkpoint store. What was published and not committed before a
	// crash is published again. An error ends the runtime.
	Resume(ctx context.Context, offsets []Offset) error
}

// HealthChecker is implemented by connectors that can tell whether the external
// system can be used.
type HealthChecker interface {
	// HealthCheck is called every health_check_interval_ms, 30 s by default, concurrently
	// with everything else, with 10 s to answer. health_check_failure_threshold errors
	// in a row, one by default, make the connector not ready until the next nil. A sink
	// asks it, too, before it gives a record up: see on_error.
	HealthCheck(ctx context.Context) error
}

// ConsumerConfigurer is implemented by sinks that choose what they consume, in
// place of the configuration's topic and subscription.
type ConsumerConfigurer interface {
	// ConsumerConfigs is called once, after Initialize. It must name at least one
	// topic, and none twice. An error ends the runtime.
	ConsumerConfigs(ctx context.Context) ([]ConsumerConfig, error)
}

// ProducerConfigurer is implemented by sources that declare what they publish to,
// in place of the configuration's topic. Records for other topics are invalid data,
// unless undeclared_topics = "create".
type ProducerConfigurer interface {
	// ProducerConfigs is called once, after Initialize. It must name at least one
	// topic, and none twice. An error ends the runtime.
	ProducerConfigs(ctx context.Context) ([]ProducerConfig, error)
}

// ConsumerConfig is one topic that a sink consumes. The configuration's own values
// stand in for what is empty.
type ConsumerConfig struct {
	// Topic is the topic, all its partitions included.
	Topic string
	// Subscription is the subscription's name.
	Subscription string
	// ConsumerName is the consumer's name: by default the connector's, and with Shared
	// and KeyShared, where each process needs its own, with the host's name and a
	// random number added.
	ConsumerName string
	// Type is the subscription's type.
	Type SubscriptionType
	// CreateTopic creates the topic, without partitions, where it does not exist. By
	// default the sink waits for it.
	CreateTopic bool

	// Ordering, Concurrency, OnError, OnExhausted, NackDelay, BatchSize, BatchTimeout and
	// RateLimit are the topic's own where they are not zero.
	Ordering     Ordering
	Concurrency  int
	OnError      ErrorPolicy
	OnExhausted  ErrorPolicy
	NackDelay    time.Duration
	BatchSize    int
	BatchTimeout time.Duration
	RateLimit    int
}

// ProducerConfig is one topic that a source publishes to.
type ProducerConfig struct {
	// Topic is the topic.
	Topic string
	// Partitions is how many partitions it has, created where missing; 0 takes the
	// topic as it is.
	Partitions int
	// NonReliable is for a topic that keeps nothing for consumers that are behind.
	NonReliable bool
	// Schema is what the topic is written with; nil leaves it to [[schemas]] of the
	// configuration.
	Schema *SchemaConfig
}

// FromBatch makes a sink of a batch sink.
func FromBatch(c BatchSinkConnector) SinkConnector { return &batchSink{c} }

type batchSink struct{ BatchSinkConnector }

// Process is for whoever wraps the adapter; the runtime hands batches over whole.
func (s *batchSink) Process(ctx context.Context, rec *SinkRecord) error {
	b := newBatch([]*SinkRecord{rec})
	err := s.ProcessBatch(ctx, b)
	if own := b.close()[rec]; own != nil {
		return own
	}
	return err
}

// Unwrap gives the runtime the optional interfaces of the connector inside.
func (s *batchSink) Unwrap() any { return s.BatchSinkConnector }

// FromStream makes a source of a push source.
func FromStream(c StreamConnector) SourceConnector { return &streamSource{c} }

type streamSource struct{ StreamConnector }

// Poll is never called: the runtime runs Stream.
func (s *streamSource) Poll(context.Context) ([]*SourceRecord, error) {
	return nil, Fatalf("a connector of FromStream is run by a runtime, not polled")
}

// Unwrap gives the runtime the optional interfaces of the connector inside.
func (s *streamSource) Unwrap() any { return s.StreamConnector }

// SinkFunc is a sink of one function, for the smallest cases.
type SinkFunc func(ctx context.Context, rec *SinkRecord) error

// Initialize does nothing.
func (SinkFunc) Initialize(context.Context, *Setup) error { return nil }

// Process calls the function.
func (f SinkFunc) Process(ctx context.Context, rec *SinkRecord) error { return f(ctx, rec) }

// Shutdown does nothing.
func (SinkFunc) Shutdown(context.Context) error { return nil }

// SourceFunc is a source of one function, for the smallest cases.
type SourceFunc func(ctx context.Context) ([]*SourceRecord, error)

// Initialize does nothing.
func (SourceFunc) Initialize(context.Context, *Setup) error { return nil }

// Poll calls the function.
func (f SourceFunc) Poll(ctx context.Context) ([]*SourceRecord, error) { return f(ctx) }

// Shutdown does nothing.
func (SourceFunc) Shutdown(context.Context) error { return nil }
