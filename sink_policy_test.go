package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// fails makes a sink that fails with an error at one payload.
func fails(payload string, err error) *testSink {
	return &testSink{process: func(_ context.Context, p processed) error {
		if p.payload == payload {
			return err
		}
		return nil
	}}
}

func TestSinkThatStopsLeavesTheRecordAndAllBehindIt(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		code int
		is   error
	}{
		{"invalid data", InvalidDataf("no such customer"), 5, ErrStoppedByPolicy},
		{"fatal", Fatalf("the table is gone"), 1, nil},
		{"configuration", &ConfigError{Key: "table", Problem: "no such table"}, 2, nil},
		{"retries used up", errors.New("down"), 5, ErrStoppedByPolicy},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				sink := fails("3", tc.err)
				once := func(c *Config) { c.MaxRetries, c.RetryBackoff = new(1), 10*time.Millisecond }
				r := l.sink(sink, once)
				l.publish(topic, numbers(1, 6)...)
				err := r.wait()
				same(t, "exit code", ExitCode(err), tc.code)
				if !errors.Is(err, tc.err) || tc.is != nil && !errors.Is(err, tc.is) {
					t.Errorf("got %v", err)
				}
				if !strings.Contains(fmt.Sprint(err), topic) {
					t.Errorf("%v does not name the record", err)
				}
				if got := strings.Join(sink.payloads(), " "); got != "1 2 3" && got != "1 2 3 3" {
					t.Errorf("seen: %s", got)
				}
				same(t, "the connector's life", sink.lifetime(), "initialize process shutdown")
				same(t, "in flight", r.metric("inflight_messages"), 0)

				next := &testSink{}
				r = l.sink(next, once)
				l.until("delivered again", func() bool { return len(next.seen()) == 4 })
				r.stopped()
				same(t, "delivered again", strings.Join(next.payloads(), " "), "3 4 5 6")
			})
		})
	}
}

func TestSinkThatSkipsGoesOn(t *testing.T) {
	for _, tc := range []struct {
		name, label string
		err         error
		calls       int
	}{
		{"invalid data", "invalid_data", InvalidDataf("no such customer"), 6},
		{"retries used up", "retryable", errors.New("down"), 7},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				sink := fails("3", tc.err)
				r := l.sink(sink, func(c *Config) {
					c.OnError, c.MaxRetries, c.RetryBackoff = OnErrorSkip, new(1), 10*time.Millisecond
				})
				l.publish(topic, numbers(1, 6)...)
				l.until("all processed", func() bool { return len(sink.seen()) == tc.calls })
				if l.b != nil {
					l.must(l.b.WaitAcked(t.Context(), topic, "s", 6))
				}
				r.stopped()
				same(t, "skipped", r.metric("messages_skipped_total"), 1)
				same(t, "processed", r.metric("messages_processed_total"), 5)
				same(t, "failed", r.metric("messages_failed_total", "error_type="+tc.label), tc.calls-5)
				same(t, "in flight", r.metric("inflight_messages"), 0)
				if l.log.count("ERROR", "given up", "offset=2", tc.err.Error()) != 1 {
					t.Error("the log does not say which record was given up, and why")
				}
			})
		})
	}
}

func TestSinkPanicGoesByPolicy(t *testing.T) {
	for _, policy := range []ErrorPolicy{OnErrorStop, OnErrorSkip} {
		t.Run(string(policy), func(t *testing.T) {
			onProfiles(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				sink := &testSink{process: func(_ context.Context, p processed) error {
					if p.payload == "2" {
						var m map[string]int
						//lint:ignore SA5000 the panic is the point
						m["x"] = 1
					}
					return nil
				}}
				r := l.sink(sink, func(c *Config) { c.OnError = policy })
				l.publish(topic, numbers(1, 3)...)
				if policy == OnErrorSkip {
					l.must(l.b.WaitAcked(t.Context(), topic, "s", 3))
					r.stopped()
					same(t, "seen", strings.Join(sink.payloads(), " "), "1 2 3")
				} else {
					err := r.wait()
					var p *PanicError
					if !errors.As(err, &p) || !errors.Is(err, ErrStoppedByPolicy) {
						t.Errorf("got %v", err)
					}
					same(t, "exit code", ExitCode(err), 5)
					same(t, "seen", strings.Join(sink.payloads(), " "), "1 2")
					sub, _ := l.b.Subscription(topic, "s")
					same(t, "acked", sub.Acked, 1)
				}
				same(t, "failed", r.metric("messages_failed_total", "error_type=panic"), 1)
				if l.log.count("stack=", "sink_policy_test.go", "nil map") == 0 {
					t.Error("the stack is not in the log")
				}
				same(t, "the connector's life", sink.lifetime(), "initialize process shutdown")
			})
		})
	}
}

// What one partition stops for must not make another one lose or skip anything.
func TestSinkStopOfOnePartitionKeepsTheOthersWhole(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 2)
		fatal := Fatalf("bad")
		sink := &testSink{process: func(_ context.Context, p processed) error {
			time.Sleep(time.Second)
			if p.payload == "5" {
				return fatal
			}
			return nil
		}}
		r := l.sink(sink)
		l.publish(topic, numbers(1, 12)...)
		if err := r.wait(); !errors.Is(err, fatal) {
			t.Errorf("got %v", err)
		}
		next := &testSink{}
		r = l.sink(next)
		l.must(l.b.WaitIdle(t.Context(), topic, "s"))
		r.stopped()
		done := map[string]int{}
		for _, p := range append(sink.payloads(), next.payloads()...) {
			done[p]++
		}
		for _, p := range numbers(1, 12) {
			want := 1
			if p == "5" {
				want = 2
			}
			same(t, "calls for "+p, done[p], want)
		}
	})
}
