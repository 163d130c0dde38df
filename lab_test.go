package connect

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/ops"
)

// A lab is a broker and a client on it. A scenario is a function of it: onFake
// runs it in a bubble, on danubetest and in virtual time; onBoth runs it on a real
// broker as well, in real time, where DANUBE_SERVICE_URL names one.
type lab struct {
	t      *testing.T
	b      *danubetest.Broker // nil on a real broker
	client *danube.Client
	log    *logBook
	bubble bool
	suffix string // makes names unique on a broker that others use too

	requests atomic.Uint64

	mu        sync.Mutex
	producers map[string]*danube.Producer
}

func onFake(t *testing.T, scenario func(*testing.T, *lab), opts ...danubetest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := danubetest.Run(t, append([]danubetest.Option{danubetest.WithBufconn()}, opts...)...)
		l := &lab{t: t, b: b, bubble: true}
		l.open(danube.Config{Seeds: []string{b.URL()}, DialOptions: []grpc.DialOption{b.DialOption()}})
		scenario(t, l)
	})
}

// onTCP runs a scenario on danubetest in real time, for what needs sockets.
func onTCP(t *testing.T, scenario func(*testing.T, *lab), opts ...danubetest.Option) {
	t.Helper()
	b := danubetest.Run(t, opts...)
	l := &lab{t: t, b: b}
	l.open(danube.Config{Seeds: []string{b.URL()}})
	scenario(t, l)
}

func onBoth(t *testing.T, scenario func(*testing.T, *lab)) {
	t.Helper()
	t.Run("danubetest", func(t *testing.T) { onFake(t, scenario) })
	t.Run("broker", func(t *testing.T) {
		url := os.Getenv("DANUBE_SERVICE_URL")
		if url == "" {
			t.Skip("DANUBE_SERVICE_URL is not set: not run on a real broker")
		}
		l := &lab{t: t, suffix: "_" + rand.Text()[:10] + "_z"}
		l.open(danube.Config{Seeds: []string{url}})
		scenario(t, l)
	})
}

// open opens the client and closes it when the test ends: in a bubble, what it
// leaves behind fails the test.
func (l *lab) open(cfg danube.Config) {
	l.t.Helper()
	l.log = &logBook{start: time.Now()}
	l.producers = make(map[string]*danube.Producer)
	cfg.Logger = slog.New(l.log)
	c, err := danube.Open(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	l.client = c
	l.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = c.Close(ctx) // the scenario has ended; what it left is its own affair
		if l.t.Failed() {
			l.t.Log("the log:\n" + l.log.text())
		}
	})
}

// name makes a name of this lab's own.
func (l *lab) name(s string) string { return "/default/" + s + l.suffix }

// topic makes a topic exist, with partitions unless 0.
func (l *lab) topic(s string, partitions int) string {
	l.t.Helper()
	name := l.name(s)
	if l.b != nil {
		l.must(l.b.CreateTopic(name, danubetest.TopicConfig{Partitions: partitions}))
		return name
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	p, err := l.client.NewProducer(ctx, danube.ProducerConfig{Topic: name, Name: "lab", Partitions: partitions})
	l.must(err)
	l.mu.Lock()
	l.producers[name] = p
	l.mu.Unlock()
	return name
}

// publish puts messages into a topic that topic has made.
func (l *lab) publish(topic string, payloads ...string) {
	l.t.Helper()
	for _, p := range payloads {
		l.publishKey(topic, "", p)
	}
}

func (l *lab) publishKey(topic, key, payload string) {
	l.t.Helper()
	if l.b != nil {
		_, err := l.b.Publish(topic, []byte(payload), danubetest.PubOpts{Key: key, RequestID: l.requests.Add(1)})
		l.must(err)
		return
	}
	l.mu.Lock()
	p := l.producers[topic]
	l.mu.Unlock()
	_, err := p.Send(l.t.Context(), &danube.Outgoing{Payload: []byte(payload), Key: key})
	l.must(err)
}

// numbers returns the texts of from to to, for payloads.
func numbers(from, to int) []string {
	var list []string
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

// until waits for something to become true.
func (l *lab) until(what string, cond func() bool) {
	l.t.Helper()
	limit, every := time.Minute, 10*time.Millisecond
	if l.bubble {
		limit = 10 * time.Minute
	}
	end := time.Now().Add(limit)
	for !l.settle(cond) {
		if time.Now().After(end) {
			l.t.Fatalf("after %v: still not %s", limit, what)
		}
		l.pause(every)
	}
}

// settle asks a condition, in a bubble when everything that can run has run.
func (l *lab) settle(cond func() bool) bool {
	if l.bubble {
		synctest.Wait()
	}
	return cond()
}

// pause lets time pass, virtual time in a bubble.
func (l *lab) pause(d time.Duration) { <-time.After(d) }

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// config is a configuration on the lab's topic t.
func (l *lab) config(change ...func(*Config)) Config {
	c := DefaultConfig()
	c.ConnectorName = "c"
	c.SourceTopic, c.DestinationTopic, c.SubscriptionName = l.name("t"), l.name("t"), "s"
	c.MetricsPort = 0
	for _, f := range change {
		f(&c)
	}
	return c
}

func (l *lab) options(cfg Config, more ...Option) []Option {
	return append([]Option{WithConfig(cfg), WithClient(DanubeClient(l.client)), WithoutSignals(), WithLogger(slog.New(l.log))}, more...)
}

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
	return rt
}

func (l *lab) newSource(c SourceConnector, cfg Config, more ...Option) *SourceRuntime {
	l.t.Helper()
	rt, err := NewSourceRuntime(c, l.options(cfg, more...)...)
	l.must(err)
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

// logBook keeps what is logged, also by what outlives a test.
type logBook struct {
	start time.Time
	attrs []slog.Attr
	book  *logBook // where lines go; nil in the first

	mu    sync.Mutex
	lines []string
}

func (b *logBook) Enabled(context.Context, slog.Level) bool { return true }
func (b *logBook) WithGroup(string) slog.Handler            { return b }

func (b *logBook) root() *logBook {
	if b.book != nil {
		return b.book
	}
	return b
}

func (b *logBook) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logBook{start: b.start, attrs: append(slices.Clone(b.attrs), attrs...), book: b.root()}
}

func (b *logBook) Handle(_ context.Context, r slog.Record) error {
	line := fmt.Sprintf("%8v %v %s", r.Time.Sub(b.start).Round(time.Millisecond), r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		a.Value = a.Value.Resolve()
		line += " " + a.String()
		return true
	})
	root := b.root()
	root.mu.Lock()
	defer root.mu.Unlock()
	root.lines = append(root.lines, line)
	return nil
}

func (b *logBook) text() string {
	return strings.Join(b.all(), "\n")
}

func (b *logBook) all() []string {
	root := b.root()
	root.mu.Lock()
	defer root.mu.Unlock()
	return slices.Clone(root.lines)
}

// count says how many entries have all the parts.
func (b *logBook) count(parts ...string) int {
	n := 0
	for _, line := range b.all() {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			n++
		}
	}
	return n
}
