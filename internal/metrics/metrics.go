// Package metrics holds the metrics of a connector under the names of the Rust
// crate danube-connect-core, so that one dashboard serves both.
package metrics

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Error types are a small closed set: an error's text would make a series of each.
const (
	ErrRetryable = "retryable"
	ErrInvalid   = "invalid_data"
	ErrFatal     = "fatal"
	ErrConfig    = "config"
	ErrPanic     = "panic"
	ErrCommit    = "commit"
)

// Set is all metrics of one connector.
type Set struct {
	registry  prometheus.Registerer
	health    prometheus.Collector
	connector string
	received  *prometheus.CounterVec
	processed *prometheus.CounterVec
	failed    *prometheus.CounterVec
	retried   *prometheus.CounterVec
	ambiguous *prometheus.CounterVec
	skipped   *prometheus.CounterVec
	dead      *prometheus.CounterVec
	nacked    *prometheus.CounterVec
	repeated  *prometheus.CounterVec
	missing   *prometheus.CounterVec
	late      *prometheus.CounterVec
	stampGaps *prometheus.CounterVec
	stampLate *prometheus.CounterVec
	restarts  *prometheus.CounterVec
	stalls    *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	batch     *prometheus.HistogramVec
	inflight  *prometheus.GaugeVec
}

// New registers the metrics of a connector; healthy is asked at each scrape, and
// topic is the one that the connector is configured with, for health alone. Several
// connectors may share a registry where their names differ.
func New(reg prometheus.Registerer, connector, topic string, healthy func() bool) (*Set, error) {
	labels := []string{"connector", "topic"}
	counter := func(name, help string, more ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "danube_connector_" + name, Help: help}, append(labels, more...))
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "danube_connector_" + name, Help: help, Buckets: buckets}, labels)
	}
	s := &Set{
		connector: connector,
		received:  counter("messages_received_total", "Messages received from the broker."),
		processed: counter("messages_processed_total", "Messages processed: by a sink, acknowledged by its connector; by a source, acknowledged by the broker."),
		failed:    counter("messages_failed_total", "Failed attempts and calls, by type of error.", "error_type"),
		retried:   counter("messages_retried_total", "Attempts to process or publish a message again."),
		ambiguous: counter("messages_ambiguous_total", "Messages of a source with an attempt that nobody answered before the last one, so that they may be in the topic twice."),
		skipped:   counter("messages_skipped_total", "Messages given up because on_error is skip."),
		dead:      counter("messages_dead_lettered_total", "Messages stored among the dead letters."),
		nacked:    counter("messages_nacked_total", "Messages given back to the broker, to be delivered again, because on_error is nack."),
		repeated:  counter("messages_repeated_total", "Messages that repeat one that had ended before, by what shows it.", "by"),
		missing:   counter("messages_missing_total", "Messages that the broker has skipped, as gaps in the offsets show."),
		late:      counter("messages_late_total", "Messages that came out of order, behind higher offsets: those that were counted as missing, or below the first that came at all."),
		stampGaps: counter("stamps_missing_total", "Messages that were published and have not come, as missing numbers of stamps show."),
		stampLate: counter("stamps_late_total", "Messages that came out of the order of their stamps: of those counted as missing, these have come."),
		restarts:  counter("numbering_restarts_total", "Times that a topic's offsets began again, as after a restart of its broker."),
		stalls:    counter("stalls_total", "Times that the broker has silently stopped to deliver, as its own metrics show."),
		duration: histogram("processing_duration_seconds", "Time for one message: a call of the connector by a sink, from acceptance to the broker's answer by a source.",
			[]float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}),
		batch:    histogram("batch_size", "Messages in each batch that a connector was given, or gave.", []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000}),
		inflight: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "danube_connector_inflight_messages", Help: "Messages in hand that are not settled."}, labels),
	}
	health := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "danube_connector_health", Help: "1 when the connector is ready, else 0.",
		ConstLabels: prometheus.Labels{"connector": connector, "topic": topic},
	}, func() float64 {
		if healthy() {
			return 1
		}
		return 0
	})
	s.registry, s.health = reg, health
	if err := reg.Register(health); err != nil { // first: it is the only one of this connector alone
		return nil, err
	}
	var errs []error
	for _, c := range []**prometheus.CounterVec{&s.received, &s.processed, &s.failed, &s.retried, &s.ambiguous, &s.skipped, &s.dead, &s.nacked, &s.repeated, &s.missing, &s.late, &s.stampGaps, &s.stampLate, &s.restarts, &s.stalls} {
		errs = append(errs, register(reg, c))
	}
	for _, h := range []**prometheus.HistogramVec{&s.duration, &s.batch} {
		errs = append(errs, register(reg, h))
	}
	if err := errors.Join(append(errs, register(reg, &s.inflight))...); err != nil {
		return nil, err
	}
	return s, nil
}

// Close takes away what is there only while the connector runs, so that another
// one of its name may follow. Its counts stay.
func (s *Set) Close() { s.registry.Unregister(s.health) }

// register registers a collector, or puts the one in its place that another connector
// of this registry has.
func register[C prometheus.Collector](reg prometheus.Registerer, c *C) error {
	err := reg.Register(*c)
	var taken prometheus.AlreadyRegisteredError
	if !errors.As(err, &taken) {
		return err
	}
	other, ok := taken.ExistingCollector.(C)
	if !ok {
		return err
	}
	*c = other
	return nil
}

// Topic is the metrics of one topic, looked up once.
type Topic struct {
	set       *Set
	topic     string
	Received  prometheus.Counter
	Processed prometheus.Counter
	Retried   prometheus.Counter
	Ambiguous prometheus.Counter
	Skipped   prometheus.Counter
	// DeadLettered counts what was stored among the dead letters.
	DeadLettered prometheus.Counter
	Nacked       prometheus.Counter
	// RepeatedStamp and RepeatedSource count what has the stamp, or the origin, of a
	// message before it.
	RepeatedStamp, RepeatedSource prometheus.Counter

	Missing prometheus.Counter
	Late    prometheus.Counter
	// StampsMissing and StampsLate count the same by the stamps of the messages.
	StampsMissing, StampsLate prometheus.Counter

	Restarts prometheus.Counter
	Stalls   prometheus.Counter
	Inflight prometheus.Gauge
	duration prometheus.Observer
	batch    prometheus.Observer
}

// Topic returns the metrics of a topic.
func (s *Set) Topic(topic string) *Topic {
	return &Topic{
		set: s, topic: topic,
		Received:     s.received.WithLabelValues(s.connector, topic),
		Processed:    s.processed.WithLabelValues(s.connector, topic),
		Retried:      s.retried.WithLabelValues(s.connector, topic),
		Ambiguous:    s.ambiguous.WithLabelValues(s.connector, topic),
		Skipped:      s.skipped.WithLabelValues(s.connector, topic),
		DeadLettered: s.dead.WithLabelValues(s.connector, topic),
		Nacked:       s.nacked.WithLabelValues(s.connector, topic),

		RepeatedStamp:  s.repeated.WithLabelValues(s.connector, topic, "stamp"),
		RepeatedSource: s.repeated.WithLabelValues(s.connector, topic, "source"),

		Missing: s.missing.WithLabelValues(s.connector, topic),
		Late:    s.late.WithLabelValues(s.connector, topic),

		StampsMissing: s.stampGaps.WithLabelValues(s.connector, topic),
		StampsLate:    s.stampLate.WithLabelValues(s.connector, topic),

		Restarts: s.restarts.WithLabelValues(s.connector, topic),
		Stalls:   s.stalls.WithLabelValues(s.connector, topic),
		Inflight: s.inflight.WithLabelValues(s.connector, topic),
		duration: s.duration.WithLabelValues(s.connector, topic),
		batch:    s.batch.WithLabelValues(s.connector, topic),
	}
}

// Failed counts a failure by its type, one of the constants.
func (t *Topic) Failed(errType string) {
	t.set.failed.WithLabelValues(t.set.connector, t.topic, errType).Inc()
}

// Took records the time that one message took.
func (t *Topic) Took(d time.Duration) { t.duration.Observe(d.Seconds()) }

// Batch records a batch's size.
func (t *Topic) Batch(n int) { t.batch.Observe(float64(n)) }
