package connect

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// Commit gets offsets in the order of emission, never one behind a record that the broker
// has not acknowledged, whatever was acknowledged behind it.
func TestSourceCommitsUpToTheFirstThatTheBrokerLacks(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		topic := l.topic("parts", 4)
		w.hold(payload("5"))
		list := keyed(1, 10, 4)
		for _, r := range list[:5] {
			r.Topic = topic
		}
		list = append(list, Progress(OffsetInt("p", 11)), FromString("", "q1").WithOffset(OffsetInt("q", 1)), Progress(OffsetInt("q", 2)))
		list = slices.Insert(list, 2, FromString(topic, "2b").WithOffset(OffsetInt("p", 2))) // shares its offset
		source := &committing{testSource: once(list...)}
		r := l.source(source, quick)
		l.until("the rest published", func() bool { return r.metric("messages_processed_total", "topic="+l.name("t")) == 6 })
		l.until("committed", func() bool { return source.last("q") == "q@2" && source.last("p") == "p@4" })
		l.pause(100 * time.Millisecond)
		same(t, "committed of p", source.last("p"), "p@4")
		w.let()
		l.until("all committed", func() bool { return source.last("p") == "p@11" })
		r.stopped()
		var p []Offset
		for _, o := range source.all() {
			if o.Partition == "p" {
				p = append(p, o)
			}
		}
		same(t, "committed of p", p, offsetsOf("p", 1, 11))
	})
}

// A Commit that fails is tried again, and when that does not help the connector stops
// rather than drift.
func TestSourceStopsWhenCommitKeepsFailing(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		retries := 2
		for _, good := range []int{3, 99} { // the call that succeeds
			source := polled(keyed(1, 3, 1))
			source.commit = func(n int, _ []Offset) error {
				if n < good {
					return errors.New("the database is away")
				}
				return nil
			}
			err := l.source(source, quick, func(c *Config) { c.MaxRetries = &retries }).wait()
			if good == 3 {
				l.must(err)
				same(t, "committed", source.last("p"), "p@3")
				continue
			}
			same(t, "exit code", ExitCode(err), 1)
			if !strings.Contains(fmt.Sprint(err), "the database is away") {
				t.Errorf("got %v", err)
			}
			same(t, "committed", len(source.all()), 0)
			same(t, "calls", source.commits.Load(), 3)
		}
	})
}

// forgetful is a store whose saves get lost from some point on, as in a crash.
type forgetful struct {
	CheckpointStore
	lost atomic.Bool
}

func (s *forgetful) Save(ctx context.Context, newest []Offset) error {
	if s.lost.Load() {
		return nil
	}
	return s.CheckpointStore.Save(ctx, newest)
}

// What was published and not saved before a crash is published again, under the same
// x-connect-source and another stamp.
func TestSourceReplayIsRecognisable(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		check := &testSink{}
		sink := l.sink(check, seesAll)
		path := filepath.Join(t.TempDir(), "checkpoint")
		store := func() *forgetful {
			s, err := FileCheckpoints(path, "c")
			l.must(err)
			return &forgetful{CheckpointStore: s}
		}
		first := store()
		source := counter(1, 20)
		poll := source.poll
		source.poll = func(ctx context.Context, n int) ([]*SourceRecord, error) {
			if n == 11 {
				first.lost.Store(true)
			}
			l.pause(saveEvery + time.Millisecond) // there is a save between two polls
			return poll(ctx, n)
		}
		rt := l.newSource(source, l.config(quick), WithCheckpoints(first))
		l.must(l.start(rt.core, rt.Run).wait())
		again := counter(20, 20)
		rt = l.newSource(again, l.config(quick), WithCheckpoints(store()))
		l.must(l.start(rt.core, rt.Run).wait())
		if len(again.resumed) != 1 || len(again.resumed[0]) != 1 {
			t.Fatalf("resumed with %v", again.resumed)
		}
		from, err := again.resumed[0][0].Int()
		l.must(err)
		if from < 8 || from > 11 {
			t.Errorf("resumed at %d, want what was saved last", from)
		}
		l.until("all arrived", func() bool { return len(check.seen()) == 20+20-int(from) })
		sink.stopped()
		stamps := map[string]string{}
		for i, c := range check.seen() {
			origin, stamp := c.rec.Attributes()[danube.AttrSource], c.rec.Attributes()[danube.AttrStamp]
			n := i + 1
			if i >= 20 {
				n = int(from) + i - 19
			}
			same(t, "payload", c.payload, fmt.Sprint("p", n))
			same(t, "origin", origin, fmt.Sprintf("c/p@%d#0", n))
			if before, ok := stamps[origin]; ok != (i >= 20) || before == stamp {
				t.Errorf("%s: stamps %q and %q", origin, before, stamp)
			}
			stamps[origin] = stamp
		}
	})
}

// Nothing younger than commit_lag_ms is committed.
func TestSourceCommitsBehindTheLag(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		const lag = 300 * time.Millisecond
		var mu sync.Mutex
		stored := map[string]time.Time{}
		w.set(func(_ context.Context, p publish, send func() error) error {
			err := send()
			mu.Lock()
			defer mu.Unlock()
			stored[p.payload] = time.Now()
			return err
		})
		source := polled(keyed(1, 3, 1), nil, keyed(4, 6, 1))
		source.commit = func(_ int, list []Offset) error {
			mu.Lock()
			defer mu.Unlock()
			for _, o := range list {
				if age := time.Since(stored[o.Value]); age < lag {
					t.Errorf("%v was committed %v after the broker had it", o, age)
				}
			}
			return nil
		}
		l.must(l.source(source, quick, func(c *Config) { c.CommitLag, c.PollInterval = lag, lag/2 }).wait())
		same(t, "committed", source.all(), offsetsOf("p", 1, 6))
	})
}
