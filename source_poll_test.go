package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// No more records than a broker keeps for a subscription that is behind: the order is
// what this is about.
func TestSourcePublishesInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		check := &testSink{}
		sink := l.sink(check, seesAll)
		sent := 0
		source := &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			var list []*SourceRecord
			for range 50 {
				sent++
				list = append(list, FromString("", fmt.Sprint(sent)))
			}
			if sent == 200 {
				return list, io.EOF
			}
			return list, nil
		}}
		r := l.source(source)
		if err := r.wait(); err != nil {
			t.Errorf("Run: %v", err)
		}
		l.until("all arrived", func() bool { return len(check.seen()) >= 200 })
		sink.stopped()
		if !slices.Equal(check.payloads(), numbers(1, 200)) {
			t.Error("what arrived is not what was sent, in order")
		}
		same(t, "received", r.metric("messages_received_total"), 200)
		same(t, "processed", r.metric("messages_processed_total"), 200)
		same(t, "durations", r.metric("processing_duration_seconds"), 200)
		same(t, "batches", r.metric("batch_size"), 4)
		same(t, "in flight", r.metric("inflight_messages"), 0)
	})
}

func TestSourceWaitsOnlyAfterAnEmptyPoll(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			if n <= 3 {
				return texts("", fmt.Sprint(n)), nil
			}
			return nil, nil
		}}
		r := l.source(source, func(c *Config) { c.PollInterval = 250 * time.Millisecond })
		l.until("polled", func() bool { return len(source.polled()) == 6 })
		r.stopped()
		polls := source.polled()
		var waits []time.Duration
		for i, at := range polls[1:] {
			waits = append(waits, at.Sub(polls[i]))
		}
		same(t, "waits between polls", fmt.Sprint(waits[:3]), "[0s 0s 0s]")
		same(t, "waits after empty polls", fmt.Sprint(waits[3:]), "[250ms 250ms]")
	})
}

func TestSourceRetryablePollIsTriedAgain(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			switch n {
			case 1:
				return texts("", "1"), errors.New("reset by peer")
			case 2:
				return nil, RetryableAfter(errors.New("rate limit"), 40*time.Second)
			case 3:
				return texts("", "2"), io.EOF
			}
			return nil, Fatalf("polled again after the end")
		}}
		r := l.source(source)
		l.until("waiting", func() bool { return len(source.polled()) == 2 })
		if reasons := r.board.NotReady(); !strings.Contains(reasons["Poll"], "rate limit") {
			t.Errorf("not ready: %v, want Poll's error", reasons)
		}
		if err := r.wait(); err != nil {
			t.Errorf("Run: %v", err)
		}
		l.b.CheckPayloads(t, topic, "1", "2")
		polls := source.polled()
		if wait := polls[2].Sub(polls[1]); wait < 40*time.Second {
			t.Errorf("the third poll came %v after the second, want 40s", wait)
		}
		same(t, "failed", r.metric("messages_failed_total", "error_type=retryable"), 2)
	})
}

// An io.EOF inside another error is a connection that broke, as net/http reports
// it, not the end of the source.
func TestSourceWrappedEOFIsNotTheEnd(t *testing.T) {
	for _, broken := range []error{
		&url.Error{Op: "Get", URL: "http://example.com", Err: io.EOF},
		fmt.Errorf("fetch: %w", io.EOF),
		Retryable(io.EOF),
	} {
		onFake(t, func(t *testing.T, l *lab) {
			topic := l.topic("t", 0)
			source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
				if n == 1 {
					return nil, broken
				}
				return texts("", "1"), io.EOF
			}}
			if err := l.source(source).wait(); err != nil {
				t.Errorf("%v: Run: %v", broken, err)
			}
			if got := len(l.b.Messages(topic)); got != 1 {
				t.Errorf("%v: %d messages, want 1", broken, got)
			}
		})
	}
}

func TestSourcePollThatEndsTheRun(t *testing.T) {
	for _, tc := range []struct {
		name string
		poll func() error
		code int
		text string
	}{
		{"fatal", func() error { return Fatalf("no such table") }, 1, "no such table"},
		{"invalid data", func() error { return InvalidDataf("cannot read the page") }, 1, "cannot read the page"},
		{"configuration", func() error { return InvalidConfigf("wrong password") }, 2, "wrong password"},
		{"panic", func() error { panic("oh no") }, 1, "oh no"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
					if n == 1 {
						return texts("", "1", "2"), nil
					}
					return nil, tc.poll()
				}}
				err := l.source(source).wait()
				same(t, "exit code", ExitCode(err), tc.code)
				if !strings.Contains(fmt.Sprint(err), tc.text) || !strings.Contains(fmt.Sprint(err), "Poll") {
					t.Errorf("got %v", err)
				}
				if tc.name == "panic" && l.log.count("stack=", "source_poll_test.go") == 0 {
					t.Error("the stack is not in the log")
				}
				l.b.CheckPayloads(t, topic, "1", "2")
				same(t, "the connector's life", source.lifetime(), "initialize poll shutdown")
			})
		})
	}
}

func TestSourceNilRecordEndsTheRun(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		source := &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			return []*SourceRecord{FromString("", "1"), nil, FromString("", "3")}, nil
		}}
		err := l.source(source).wait()
		if ExitCode(err) != 1 || !strings.Contains(fmt.Sprint(err), "nil record") {
			t.Errorf("got %v", err)
		}
		l.b.CheckPayloads(t, topic, "1", "3")
	})
}

func TestSourceBackPressure(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Hang: true}))
		var made atomic.Int64
		source := &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			var list []*SourceRecord
			for range 100 {
				list = append(list, FromString("", fmt.Sprint(made.Add(1))))
			}
			if made.Load() == 3000 {
				return list, io.EOF
			}
			return list, nil
		}}
		r := l.source(source)
		l.must(h.Wait(t.Context(), 1))
		l.pause(30 * time.Second)
		if n := made.Load(); n > 1300 {
			t.Errorf("%d records were polled while the broker took none", n)
		}
		h.Remove()
		l.must(r.wait())
		same(t, "published", len(l.b.Messages(l.name("t"))), 3000)
	})
}
