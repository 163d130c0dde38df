package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// seconds returns the sum of a histogram's observations.
func (r *run) seconds(name string) float64 {
	r.l.t.Helper()
	families, err := r.registry.Gather()
	r.l.must(err)
	sum := 0.0
	for _, f := range families {
		if f.GetName() == "danube_connector_"+name {
			for _, m := range f.GetMetric() {
				sum += m.GetHistogram().GetSampleSum()
			}
		}
	}
	return sum
}

func TestSinkMetricsTellTheTruth(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		hold := make(chan struct{})
		sink := &testSink{process: func(_ context.Context, p processed) error {
			time.Sleep(100 * time.Millisecond)
			switch {
			case p.payload == "2" && p.attempt < 3:
				return errors.New("busy")
			case p.payload == "3":
				return InvalidDataf("no")
			case p.payload == "4":
				panic("oh no")
			case p.payload == "6":
				<-hold
			}
			return nil
		}}
		r := l.sink(sink, func(c *Config) { c.OnError = OnErrorSkip })
		l.publish(topic, numbers(1, 8)...)
		l.until("in the sixth", func() bool { return len(sink.seen()) == 8 })
		of := "topic=" + topic
		for name, want := range map[string]float64{
			"messages_received_total":  8,
			"messages_processed_total": 3,
			"messages_skipped_total":   2,
			"messages_retried_total":   2,
			"inflight_messages":        3,
			"health":                   1,
		} {
			same(t, name, r.metric(name, of, "connector=c"), want)
		}
		for kind, want := range map[string]float64{"retryable": 2, "invalid_data": 1, "panic": 1, "fatal": 0} {
			same(t, "failed as "+kind, r.metric("messages_failed_total", of, "error_type="+kind), want)
		}
		close(hold)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 8))
		same(t, "in flight at the end", r.metric("inflight_messages"), 0)
		same(t, "processed at the end", r.metric("messages_processed_total"), 6)
		// The time of a record is that of its call, without the waits between.
		same(t, "durations", r.metric("processing_duration_seconds"), 6)
		if got := r.seconds("processing_duration_seconds"); got < 0.5 || got > 1 {
			t.Errorf("six calls of 100 ms took %v s together", got)
		}
		r.stopped()
	})
}

// A busy topic must not keep the batches of another one waiting.
func TestBatchesOfTopicsDoNotWaitForEachOther(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		busy, quiet := l.topic("busy", 0), l.topic("quiet", 0)
		sink := batchOfTopics{batch(func(_ context.Context, b *Batch, _ int) error {
			if b.Topic() == busy {
				time.Sleep(3 * time.Second)
			}
			return nil
		}), func(context.Context) ([]ConsumerConfig, error) {
			return []ConsumerConfig{{Topic: busy}, {Topic: quiet}}, nil
		}}
		r := l.sink(FromBatch(sink), batches(1000, time.Minute))
		l.publish(busy, numbers(1, 100)...)
		l.pause(time.Second)
		start := time.Now()
		l.publish(quiet, "1")
		l.must(l.b.WaitAcked(t.Context(), quiet, "s", 1))
		if took := time.Since(start); took > 10*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		r.stopped()
	})
}

func TestRuntimesShareARegistry(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		reg := prometheus.NewRegistry()
		own := prometheus.NewCounter(prometheus.CounterOpts{Name: "rows_total"})
		sink := &testSink{initialize: func(_ context.Context, s *Setup) error { return s.Registerer().Register(own) }}
		rt := l.newSink(sink, l.config(), WithRegistry(reg))
		r := l.start(rt.core, rt.Run).ready()
		src := l.newSource(SourceFunc(func(context.Context) ([]*SourceRecord, error) {
			return texts("", "1", "2"), io.EOF
		}), l.config(func(c *Config) { c.ConnectorName = "d" }), WithRegistry(reg))
		l.must(l.start(src.core, src.Run).wait())
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 2))
		same(t, "received by the sink", r.metric("messages_received_total", "connector=c"), 2)
		same(t, "received by the source", r.metric("messages_received_total", "connector=d"), 2)
		r.stopped()

		_, err := NewSinkRuntime(&testSink{}, l.options(l.config(), WithRegistry(reg))...)
		l.must(err) // the one before is over
		_, err = NewSinkRuntime(&testSink{}, l.options(l.config(), WithRegistry(reg))...)
		if ExitCode(err) != 2 {
			t.Errorf("two of one name at once: got %v, want a configuration error", err)
		}
		if families, _ := reg.Gather(); fmt.Sprint(families) == "" {
			t.Error("nothing gathered")
		}
	})
}
