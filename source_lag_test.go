package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// lagging configures a commit lag.
func lagging(d time.Duration) func(*Config) {
	return func(c *Config) { c.CommitLag = d }
}

// timed is a source that notes when it was told what.
type timed struct {
	*testSource
	told []toldOffset // guarded by mu of testSource
}

type toldOffset struct {
	Offset
	at time.Time
}

func (s *timed) Commit(_ context.Context, offsets []Offset) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range offsets {
		s.told = append(s.told, toldOffset{o, time.Now()})
	}
	return nil
}

func (s *timed) all() []toldOffset {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.told)
}

// checkAge fails the test unless every offset was told at least lag, and at most a
// second more, after the broker had stored its record.
func checkAge(t *testing.T, l *lab, topic string, told []toldOffset, lag time.Duration) {
	t.Helper()
	stored := make(map[string]time.Time)
	for _, m := range l.b.Messages(topic) {
		stored[string(m.Payload)] = m.StoredAt
	}
	for _, o := range told {
		at, ok := stored[o.Partition+o.Value]
		if age := o.at.Sub(at); !ok || age < lag || age > lag+time.Second {
			t.Fatalf("%v was committed at an age of %v", o.Offset, age)
		}
	}
}

func TestNothingYoungerThanTheLagIsCommitted(t *testing.T) {
	const lag = 5 * time.Second
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 2)
		n := 0
		source := &timed{testSource: &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			l.pause(50 * time.Millisecond)
			n += 2
			return append(offsets("a", n-1, n), offsets("b", n-1, n)...), nil
		}}}
		store := &memory{}
		r := l.checkpointed(source, store, lagging(lag))
		l.until("committed", func() bool { return len(source.all()) >= 400 })
		if saved, said := store.at("a"), source.all(); !strings.Contains(fmt.Sprint(said), "a@"+saved) {
			t.Errorf("a@%s is saved and was not committed", saved)
		}
		start := time.Now()
		err, took := r.stop()
		if err != nil || took < lag || took > lag+time.Second {
			t.Errorf("got %v after %v, want a clean stop once the last commit is old enough", err, took)
		}
		if saves := store.times(); time.Since(start) < lag || saves[len(saves)-1].Before(start.Add(lag-time.Second)) {
			t.Errorf("the last save came %v after the stop", saves[len(saves)-1].Sub(start))
		}
		checkAge(t, l, topic, source.all(), lag)
		same(t, "all committed", len(source.all()), len(l.b.Messages(topic)))
		same(t, "saved", store.at("a"), n)
	})
}

func TestTheTailIsCommittedAfterEOF(t *testing.T) {
	const lag = 5 * time.Second
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		source := &timed{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			l.pause(time.Second)
			if n == 5 {
				return offsets("p", 5, 5), io.EOF
			}
			return offsets("p", n, n), nil
		}}}
		start := time.Now()
		r := l.source(source, lagging(lag))
		l.must(r.wait())
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("it took %v, want 5s of records and 5s of waiting", took)
		}
		checkAge(t, l, topic, source.all(), lag)
		same(t, "committed", len(source.all()), 5)
	})
}

// Old enough is counted from when everything up to there was published.
func TestTheLagOfAGap(t *testing.T) {
	const lag = 5 * time.Second
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 2)
		h := l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSendMessage}, Topic: topic + "-part-0", Hang: true})
		source := &timed{testSource: once(offsets("p", 1, 2)...)}
		r := l.source(source, lagging(lag))
		l.must(h.Wait(t.Context(), 1))
		l.pause(time.Minute)
		same(t, "committed", len(source.all()), 0)
		h.Remove()
		freed := time.Now()
		l.until("committed", func() bool { return len(source.all()) == 2 })
		if took := time.Since(freed); took < lag || took > lag+time.Second {
			t.Errorf("committed after %v", took)
		}
		r.stopped()
	})
}

// The lag is waited for, not the next poll or record.
func TestTheLagEndsByItself(t *testing.T) {
	const lag = 5 * time.Second
	for _, tc := range []struct {
		name   string
		source SourceConnector
	}{
		{"between polls", once(offsets("p", 1, 3)...)},
		{"beside a stream", FromStream(stream(func(ctx context.Context, e *Emitter, _ int) error {
			for _, r := range offsets("p", 1, 3) {
				if _, err := e.Emit(ctx, r); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return ctx.Err()
		}))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				l.topic("t", 0)
				store := &memory{}
				r := l.checkpointed(tc.source, store, lagging(lag), func(c *Config) { c.PollInterval = time.Hour })
				l.pause(lag - time.Millisecond)
				same(t, "saved before", store.at("p"), "")
				l.pause(time.Second)
				same(t, "saved after", store.at("p"), 3)
				_, took := r.stop()
				if took > 0 {
					t.Errorf("the stop took %v, with nothing left to commit", took)
				}
			})
		})
	}
}

// A drain that is too short for the lag says so; a configuration that never leaves
// time for it is an error.
func TestTheLagAndTheDrainDeadline(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		cfg := l.config(lagging(20 * time.Second))
		_, err := NewSourceRuntime(once(), l.options(cfg)...)
		if ExitCode(err) != 2 || !strings.Contains(fmt.Sprint(err), "commit_lag_ms") || !strings.Contains(fmt.Sprint(err), "drain_timeout_ms") {
			t.Errorf("got %v (%d), want both keys", err, ExitCode(err))
		}

		source := &timed{testSource: once(offsets("p", 1, 4)...)}
		slow := l.b.Fault(publishes(danubetest.Fault{Delay: time.Second}))
		r := l.source(source, lagging(15*time.Second), func(c *Config) { c.DrainTimeout = 16 * time.Second })
		l.must(slow.Wait(t.Context(), 1))
		err, took := r.stop() // the records take four of the 16 seconds
		if !errors.Is(err, ErrDrainDeadline) || took > 18*time.Second ||
			!strings.Contains(fmt.Sprint(err), "3 offsets of published records were not committed: commit_lag_ms") {
			t.Errorf("got %v after %v", err, took)
		}
		same(t, "exit code", ExitCode(err), 4)
		same(t, "committed", len(source.all()), 1)
	})
}

// What waits for its commit no longer needs its payload: at full speed that would be
// more memory than there is.
func TestTheLagKeepsNoPayloads(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		records := offsets("p", 1, 100)
		var published []weak.Pointer[SourceRecord]
		for _, r := range records {
			published = append(published, weak.Make(r))
		}
		source := &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			list := records
			records = nil
			return list, nil
		}}
		r := l.source(source, lagging(15*time.Second))
		l.until("published", func() bool { return r.metric("messages_processed_total") == 100 })
		l.pause(time.Second)
		runtime.GC()
		left := 0
		for _, p := range published {
			if p.Value() != nil {
				left++
			}
		}
		if left > 1 { // the producer may remember its last
			t.Errorf("%d of 100 records are still in memory", left)
		}
		r.stopped()
	})
}
