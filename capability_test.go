package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

type wrongCommit struct{ *testSource }

func (wrongCommit) Commit(context.Context, ...string) (int, error) { return 0, nil }

type wrongConfigs struct{ *testSink }

func (wrongConfigs) ConsumerConfigs() []ConsumerConfig { return nil }

type wrongHealth struct{ *testSink }

func (wrongHealth) HealthCheck(context.Context) bool { return true }

func TestOptionalMethodsWithAnotherSignatureAreErrors(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		for _, tc := range []struct {
			name  string
			err   error
			parts []string
		}{
			{"Commit", second(NewSourceRuntime(wrongCommit{&testSource{}}, l.options(l.config())...)),
				[]string{"wrongCommit.Commit", "func(context.Context, []string) (int, error)", "want func(context.Context, []connect.Offset) error"}},
			{"ConsumerConfigs", second(NewSinkRuntime(wrongConfigs{&testSink{}}, l.options(l.config())...)),
				[]string{"wrongConfigs.ConsumerConfigs", "func() []connect.ConsumerConfig", "want func(context.Context) ([]connect.ConsumerConfig, error)"}},
			{"HealthCheck under a decorator", second(NewSinkRuntime(decorator{wrongHealth{&testSink{}}}, l.options(l.config())...)),
				[]string{"wrongHealth.HealthCheck", "func(context.Context) bool", "want func(context.Context) error"}},
		} {
			same(t, tc.name+": exit code", ExitCode(tc.err), 2)
			for _, part := range tc.parts {
				if !strings.Contains(fmt.Sprint(tc.err), part) {
					t.Errorf("%s: %v does not contain %q", tc.name, tc.err, part)
				}
			}
		}
		// The names mean something in their own kind of connector only.
		_, err := NewSinkRuntime(sinkThatCommits{&testSink{}}, l.options(l.config())...)
		l.must(err)
	})
}

func second[T any](_ T, err error) error { return err }

type sinkThatCommits struct{ *testSink }

func (sinkThatCommits) Commit(tx int) bool { return tx > 0 }

// decorator hides everything but what a sink must have.
type decorator struct{ inner SinkConnector }

func (d decorator) Initialize(ctx context.Context, s *Setup) error { return d.inner.Initialize(ctx, s) }
func (d decorator) Process(ctx context.Context, r *SinkRecord) error {
	return d.inner.Process(ctx, r)
}
func (d decorator) Shutdown(ctx context.Context) error { return d.inner.Shutdown(ctx) }
func (d decorator) Unwrap() any                        { return d.inner }

// healthy is a sink with a health check.
type healthy struct {
	topicsSink
	check func(ctx context.Context, n int) error
	calls atomic.Int64
}

func (h *healthy) HealthCheck(ctx context.Context) error {
	return h.check(ctx, int(h.calls.Add(1)))
}

func TestDecoratorsKeepOptionalMethods(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("chosen", 0)
		sink := &healthy{
			topicsSink: topicsSink{&testSink{}, func(context.Context) ([]ConsumerConfig, error) {
				return []ConsumerConfig{{Topic: topic}}, nil
			}},
			check: func(context.Context, int) error { return nil },
		}
		cfg := l.config(func(c *Config) { c.SourceTopic = "" }) // the connector's own
		rt := l.newSink(decorator{decorator{sink}}, cfg)
		r := l.start(rt.core, rt.Run).ready()
		l.publish(topic, "1")
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 1))
		r.stopped()
		same(t, "health checks", sink.calls.Load(), 1)
		if l.log.count("connector configured", "HealthCheck", "ConsumerConfigs") != 1 {
			t.Error("the log does not say what was found")
		}
	})
}

func TestHealthCheckDecidesReadiness(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		release := make(chan struct{})
		sink := &healthy{
			topicsSink: topicsSink{&testSink{}, func(context.Context) ([]ConsumerConfig, error) { return []ConsumerConfig{{}}, nil }},
			check: func(ctx context.Context, n int) error {
				if left := time.Until(deadline(ctx)); left != healthTimeout {
					t.Errorf("a check has %v, want %v", left, healthTimeout)
				}
				switch n {
				case 2:
					return errors.New("no connection")
				case 4:
					panic("oh no")
				case 6:
					<-release // and its context is ignored
				}
				return nil
			},
		}
		r := l.sink(sink, func(c *Config) { c.HealthThreshold = 1 })
		reason := func() string { return r.board.NotReady()["health check"] }
		at := func(d time.Duration, want string) {
			t.Helper()
			l.pause(d)
			if got := reason(); (want == "") != (got == "") || !strings.Contains(got, want) {
				t.Errorf("check %d: not ready because %q, want %q", sink.calls.Load(), got, want)
			}
		}
		every := r.cfg.HealthInterval
		at(time.Second, "")
		at(every, "no connection")
		same(t, "health", r.metric("health"), 0)
		at(every, "")
		same(t, "health", r.metric("health"), 1)
		at(every, "oh no")
		at(every, "")
		at(every, "")                                     // the sixth check hangs
		at(healthTimeout+time.Second, "has not returned") // it ignores its deadline
		l.publish(topic, "1")
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 1)) // and holds nothing up
		close(release)
		at(every, "")
		r.stopped()
	})
}

func deadline(ctx context.Context) time.Time {
	end, _ := ctx.Deadline()
	return end
}
