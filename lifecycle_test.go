package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestInitializeThatFailsRetryablyIsTriedAgain(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		var calls atomic.Int64
		sink := &testSink{initialize: func(_ context.Context, s *Setup) error {
			same(t, "name", s.Name(), "c")
			if calls.Add(1) < 4 {
				return RetryableAfter(errors.New("the database is booting"), 10*time.Second)
			}
			return nil
		}}
		start := time.Now()
		r := l.begin(sink)
		l.until("failed", func() bool { return calls.Load() == 1 })
		if reasons := r.board.NotReady(); !strings.Contains(reasons["start"], "booting") {
			t.Errorf("not ready: %v, want the error", reasons)
		}
		r.ready()
		same(t, "calls", calls.Load(), 4)
		if took := time.Since(start); took < 30*time.Second {
			t.Errorf("ready after %v, want 30s and more", took)
		}
		l.publish(topic, "1")
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 1))
		r.stopped()
	})
}

func TestInitializeThatIsStoppedWhileItWaits(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		sink := &testSink{initialize: func(context.Context, *Setup) error {
			return RetryableAfter(errors.New("booting"), time.Hour)
		}}
		r := l.begin(sink)
		l.pause(time.Second)
		err, took := r.stop()
		if err != nil || took > time.Second {
			t.Errorf("got %v after %v, want a clean stop at once", err, took)
		}
		same(t, "the connector's life", sink.lifetime(), "initialize shutdown")
	})
}

func TestInitializeThatEndsTheRun(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  func() error
		code int
		text string
	}{
		{"fatal", func() error { return Fatalf("no such host") }, 1, "no such host"},
		{"invalid data", func() error { return InvalidDataf("what is that") }, 1, "what is that"},
		{"configuration", func() error { return &ConfigError{Key: "url", Value: "x", Problem: "expected a URL"} }, 2, "expected a URL"},
		{"panic", func() error { panic("oh no") }, 1, "oh no"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				l.topic("t", 0)
				sink := &testSink{initialize: func(context.Context, *Setup) error { return tc.err() }}
				err := l.begin(sink).wait()
				same(t, "exit code", ExitCode(err), tc.code)
				if !strings.Contains(fmt.Sprint(err), tc.text) {
					t.Errorf("got %v", err)
				}
				same(t, "the connector's life", sink.lifetime(), "initialize shutdown")
				if tc.name == "panic" && l.log.count("stack=", "lifecycle_test.go") == 0 {
					t.Error("the stack is not in the log")
				}
				same(t, "consumers", len(l.b.Consumers()), 0)
			})
		})
	}
}

// What the connector cannot do in time must not keep the process.
func TestCallsThatHangAtTheStop(t *testing.T) {
	for _, tc := range []struct {
		name  string
		begin func(l *lab, release <-chan struct{}) *run
	}{
		{"Initialize", func(l *lab, release <-chan struct{}) *run {
			return l.begin(&testSink{initialize: func(context.Context, *Setup) error { <-release; return nil }})
		}},
		{"ConsumerConfigs", func(l *lab, release <-chan struct{}) *run {
			return l.begin(topicsSink{&testSink{}, func(context.Context) ([]ConsumerConfig, error) { <-release; return nil, nil }})
		}},
		{"Shutdown", func(l *lab, release <-chan struct{}) *run {
			return l.begin(&testSink{shutdown: func(context.Context) error { <-release; return nil }})
		}},
		{"ProducerConfigs", func(l *lab, release <-chan struct{}) *run {
			return l.source(declaring{&committing{testSource: once()}, func(context.Context) ([]ProducerConfig, error) { <-release; return nil, nil }})
		}},
		{"Resume", func(l *lab, release <-chan struct{}) *run {
			return l.source(&resuming{testSource: once(), resume: func(context.Context, []Offset) error { <-release; return nil }})
		}},
		{"Poll", func(l *lab, release <-chan struct{}) *run {
			return l.source(&testSource{poll: func(context.Context, int) ([]*SourceRecord, error) { <-release; return nil, nil }})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				l.topic("t", 0)
				release := make(chan struct{})
				r := tc.begin(l, release)
				l.pause(time.Second)
				err, took := r.stop()
				if !errors.Is(err, ErrDrainDeadline) || !strings.Contains(fmt.Sprint(err), tc.name) {
					t.Errorf("got %v, want the drain deadline and %s", err, tc.name)
				}
				if took < 20*time.Second || took > 26*time.Second {
					t.Errorf("it took %v, want the drain's 20s and a moment", took)
				}
				same(t, "exit code", ExitCode(err), 4)
				close(release)
			})
			onFake(t, func(t *testing.T, l *lab) {
				l.topic("t", 0)
				release := make(chan struct{})
				r := tc.begin(l, release)
				l.pause(time.Second)
				r.signal(syscall.SIGTERM, false)
				l.pause(time.Second)
				start := time.Now()
				r.signal(syscall.SIGTERM, true)
				err := r.wait()
				if took := time.Since(start); ExitCode(err) != 143 || took > time.Second {
					t.Errorf("second signal: got %v after %v", err, took)
				}
				close(release)
			})
		})
	}
}

// A Process that hangs takes up the whole drain; Shutdown is owed some time still,
// and both together must fit into what a supervisor gives.
func TestShutdownAfterAnExhaustedDrain(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		release := make(chan struct{})
		var got atomic.Int64
		sink := &testSink{process: hang(release), shutdown: func(ctx context.Context) error {
			start := time.Now()
			<-ctx.Done()
			got.Store(int64(time.Since(start)))
			return nil
		}}
		r := l.sink(sink)
		l.publish(topic, "1")
		l.until("in Process", func() bool { return len(sink.seen()) == 1 })
		err, took := r.stop()
		if !errors.Is(err, ErrDrainDeadline) || took > 28*time.Second {
			t.Errorf("got %v after %v, want the drain deadline in less than 28s", err, took)
		}
		synctest.Wait()
		if got := time.Duration(got.Load()); got < 4*time.Second {
			t.Errorf("Shutdown got %v", got)
		}
		close(release)
	})
}

func TestShutdownErrorsAreJoined(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		first, second := Fatalf("the table is gone"), errors.New("cannot flush")
		sink := fails("1", first)
		sink.shutdown = func(context.Context) error { return second }
		r := l.sink(sink)
		l.publish(topic, "1")
		err := r.wait()
		if !errors.Is(err, first) || !errors.Is(err, second) {
			t.Errorf("got %v, want both errors", err)
		}
		same(t, "exit code", ExitCode(err), 1)

		alone := &testSink{shutdown: func(context.Context) error { panic("oh no") }}
		r = l.sink(alone)
		err, _ = r.stop()
		if ExitCode(err) != 1 || !strings.Contains(fmt.Sprint(err), "oh no") {
			t.Errorf("got %v", err)
		}
		if l.log.count("stack=", "lifecycle_test.go") == 0 {
			t.Error("the stack is not in the log")
		}
	})
}

func TestRunTwice(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		sink := &testSink{}
		rt := l.newSink(sink, l.config())
		r := l.start(rt.core, rt.Run).ready()
		if err := rt.Run(t.Context()); ExitCode(err) != 1 || !strings.Contains(fmt.Sprint(err), "twice") {
			t.Errorf("during the first: got %v", err)
		}
		if r.ended() {
			t.Error("the second Run ended the first")
		}
		r.stopped()
		if err := rt.Run(t.Context()); err == nil {
			t.Error("after the first: no error")
		}
		same(t, "the connector's life", sink.lifetime(), "initialize shutdown")
	})
}

func TestRunWithAnEndedContext(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		sink := &testSink{}
		rt := l.newSink(sink, l.config())
		l.must(rt.Run(ctx))
		source := &testSource{}
		src := l.newSource(source, l.config())
		l.must(src.Run(ctx))
	})
}
