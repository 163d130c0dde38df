package connect

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/ops"
)

// run is a runtime at work.
type run struct {
	*core
	l      *lab
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func (l *lab) newSink(c SinkConnector, cfg Config, more ...Option) *SinkRuntime {
	l.t.Helper()
	rt, err := NewSinkRuntime(c, l.options(cfg, more...)...)
	l.must(err)
	rt.noCursor = !l.cursors
	return rt
}

func (l *lab) newSource(c SourceConnector, cfg Config, more ...Option) *SourceRuntime {
	l.t.Helper()
	rt, err := NewSourceRuntime(c, l.options(cfg, more...)...)
	l.must(err)
	rt.noCursor = !l.cursors
	return rt
}

func (l *lab) start(k *core, run1 func(context.Context) error) *run {
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{core: k, l: l, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = run1(ctx)
	}()
	l.t.Cleanup(cancel)
	return r
}

// sink runs a sink on the lab's topic t and returns when it is ready.
func (l *lab) sink(c SinkConnector, change ...func(*Config)) *run {
	l.t.Helper()
	rt := l.newSink(c, l.config(change...))
	return l.start(rt.core, rt.Run).ready()
}

// seesAll makes a sink process what was published twice as often.
func seesAll(c *Config) { c.Dedupe = DedupeOff }

// source runs a source to the lab's topic t.
func (l *lab) source(c SourceConnector, change ...func(*Config)) *run {
	l.t.Helper()
	rt := l.newSource(c, l.config(change...))
	return l.start(rt.core, rt.Run)
}

// ready waits until the runtime says that it is, or has ended.
func (r *run) ready() *run {
	r.l.t.Helper()
	r.l.until("ready", func() bool { return r.board.NotReady() == nil || r.ended() })
	return r
}

func (r *run) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// wait waits for the end of Run and returns its error.
func (r *run) wait() error {
	r.l.t.Helper()
	select {
	case <-r.done:
		return r.err
	case <-time.After(10 * time.Minute):
		r.l.t.Fatal("Run has not returned")
		return nil
	}
}

// stop ends the run and returns its error, and how long that took.
//
//lint:ignore ST1008 the error is what callers want
func (r *run) stop() (error, time.Duration) {
	r.l.t.Helper()
	start := time.Now()
	r.cancel()
	return r.wait(), time.Since(start)
}

// signal is a signal to the process.
func (r *run) signal(s os.Signal, again bool) {
	r.l.t.Helper()
	r.l.until("begun", func() bool { return r.board.NotReady()["start"] != "not started" })
	r.signalled(s, again)
}

// stopped ends the run, which must be clean.
func (r *run) stopped() {
	r.l.t.Helper()
	if err, _ := r.stop(); err != nil {
		r.l.t.Fatalf("Run: %v, want nil", err)
	}
}

// metric returns the value of a metric, the sum over its series that have all the
// labels "name=value"; of histograms, the count.
func (r *run) metric(name string, labels ...string) float64 {
	r.l.t.Helper()
	families, err := r.registry.Gather()
	r.l.must(err)
	sum := 0.0
	for _, f := range families {
		if f.GetName() != "danube_connector_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			var have []string
			for _, p := range m.GetLabel() {
				have = append(have, p.GetName()+"="+p.GetValue())
			}
			if !slices.ContainsFunc(labels, func(s string) bool { return !slices.Contains(have, s) }) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

// overdue returns what /healthz complains about now.
func (r *run) overdue() []string {
	var list []string
	for name := range r.board.Overdue(time.Now(), ops.Grace) {
		list = append(list, name)
	}
	return list
}

// begin runs a sink without waiting until it is ready.
func (l *lab) begin(c SinkConnector, change ...func(*Config)) *run {
	l.t.Helper()
	rt := l.newSink(c, l.config(change...))
	return l.start(rt.core, rt.Run)
}
