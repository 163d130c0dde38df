package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// The sentences of docs/delivery.md about sources, on danubetest and on a real broker.

// quick are settings for scenarios in real time.
func quick(c *Config) {
	c.RetryBackoff, c.MaxBackoff = 10*time.Millisecond, 50*time.Millisecond
	c.PollInterval = 5 * time.Millisecond
}

// keyed returns records from to to of one source partition, on n keys by turns.
func keyed(from, to, n int) []*SourceRecord {
	var list []*SourceRecord
	for i := from; i <= to; i++ {
		list = append(list, FromString("", fmt.Sprint(i)).WithKey(fmt.Sprint("k", i%n)).WithOffset(OffsetInt("p", int64(i))))
	}
	return list
}

// polled makes a source of the lists, one for each poll, that is finished behind them.
func polled(lists ...[]*SourceRecord) *committing {
	return &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
		if n > len(lists) {
			return nil, io.EOF
		}
		return lists[n-1], nil
	}}}
}

// Whatever goes wrong on the way, every record gets to the topic; of each key they come
// in order for the first time, a repeated one is marked by its stamp, and all are
// committed once, in order.
func TestSourcePublishesWhatItAccepted(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		check := &testSink{}
		sink := l.sink(check, seesAll)
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(1, 2))
		requests, failures, ambiguous, twice := map[string]uint64{}, 0, 0, map[string]bool{}
		w.set(func(ctx context.Context, p publish, send func() error) error {
			mu.Lock()
			n := random.IntN(10)
			if first, ok := requests[p.payload]; ok && first != p.request {
				t.Errorf("%s: request id %d, then %d", p.payload, first, p.request)
			}
			requests[p.payload] = p.request
			fails, applied := n < 4, n < 2
			if fails {
				failures++
			}
			if applied {
				ambiguous++
			}
			if applied || n == 3 { // after this answer, too, nobody knows
				twice[p.payload] = true
			}
			mu.Unlock()
			switch {
			case applied:
				if err := send(); err != nil {
					return err
				}
				return status.Error(codes.Unavailable, "the connection broke")
			case n == 2:
				return status.Error(codes.ResourceExhausted, "too busy")
			case n == 3:
				return status.Error(codes.PermissionDenied, "Unable to publish the message: the wal writer is behind")
			}
			return send()
		})
		source := polled(keyed(1, 30, 4), keyed(31, 60, 4))
		r := l.source(source, quick)
		l.must(r.wait())
		l.until("all arrived", func() bool { return len(check.seen()) >= 60+ambiguous })
		sink.stopped()
		same(t, "committed", source.all(), offsetsOf("p", 1, 60))
		same(t, "retried", r.metric("messages_retried_total"), failures)
		same(t, "ambiguous", r.metric("messages_ambiguous_total"), len(twice))
		last, stamps := map[string]int{}, map[string]string{}
		for _, c := range check.seen() {
			n, stamp := 0, c.rec.Attributes()[danube.AttrStamp]
			_, err := fmt.Sscan(c.payload, &n)
			l.must(err)
			switch before := stamps[c.payload]; {
			case before == "":
				stamps[c.payload] = stamp
				if n < last[c.rec.Key()] {
					t.Errorf("key %s: %d came for the first time after %d", c.rec.Key(), n, last[c.rec.Key()])
				}
				last[c.rec.Key()] = n
			case before != stamp:
				t.Errorf("%s is there twice, with the stamps %s and %s", c.payload, before, stamp)
			}
		}
		same(t, "different records", len(stamps), 60)
		if failures == 0 || ambiguous == 0 {
			t.Errorf("%d failures, %d of them ambiguous: the test shows nothing", failures, ambiguous)
		}
	})
}

func offsetsOf(partition string, from, to int) (list []Offset) {
	for i := from; i <= to; i++ {
		list = append(list, OffsetInt(partition, int64(i)))
	}
	return list
}

// An answer that no retry changes stops the connector, and nothing from there on counts.
func TestSourceStopsWhereItCannotPublish(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		w.set(func(_ context.Context, p publish, send func() error) error {
			if p.payload == "5" {
				return errDenied
			}
			return send()
		})
		source := polled(keyed(1, 10, 1))
		err := l.source(source, quick).wait()
		same(t, "exit code", ExitCode(err), 1)
		if !strings.Contains(fmt.Sprint(err), "no binding grants") || !strings.Contains(fmt.Sprint(err), "p@5") {
			t.Errorf("%v does not name the record and the reason", err)
		}
		same(t, "committed", source.all(), offsetsOf("p", 1, 4))
	})
}

// While the broker does not answer, polling waits: what is in hand is bounded by records
// and by bytes.
func TestSourcePollingWaitsForTheBroker(t *testing.T) {
	for name, tc := range map[string]struct{ size, polls int }{
		"records": {1, 256/100 + 2},
		"bytes":   {1 << 20, 2},
	} {
		t.Run(name, func(t *testing.T) {
			onWire(t, func(t *testing.T, l *lab, w *wire) {
				w.hold(all)
				body := make([]byte, tc.size)
				source := &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
					var list []*SourceRecord
					for i := range 100 {
						list = append(list, NewRecord("", body).WithOffset(OffsetInt("p", int64(100*n+i))))
					}
					return list, nil
				}}}
				r := l.source(source, quick, func(c *Config) { c.DrainTimeout = 50 * time.Millisecond })
				l.until("waiting", func() bool { return r.metric("inflight_messages") > 10 })
				l.pause(300 * time.Millisecond)
				if n := len(source.polled()); n > tc.polls {
					t.Errorf("%d polls, want at most %d", n, tc.polls)
				}
				err, _ := r.stop()
				same(t, "exit code", ExitCode(err), 4)
				same(t, "committed", len(source.all()), 0)
			})
		})
	}
}

// One publish is under way for each partition, and all partitions are busy at once.
func TestSourceHasOnePublishUnderWayForEachPartition(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		a, b := l.topic("a", 4), l.topic("b", 0)
		var mu sync.Mutex
		now, most, together := map[string]int{}, 0, 0
		w.set(func(_ context.Context, p publish, send func() error) error {
			mu.Lock()
			now[p.topic]++
			most = max(most, now[p.topic])
			busy := 0
			for _, n := range now {
				busy += min(n, 1)
			}
			together = max(together, busy)
			mu.Unlock()
			l.pause(20 * time.Millisecond)
			err := send()
			mu.Lock()
			now[p.topic]--
			mu.Unlock()
			return err
		})
		var list []*SourceRecord
		for i := range 50 {
			list = append(list, FromString(a, fmt.Sprint(i)), FromString(b, fmt.Sprint(i)))
		}
		r := l.source(polled(list), quick)
		l.must(r.wait())
		same(t, "processed", r.metric("messages_processed_total"), 100)
		same(t, "most at once for one partition", most, 1)
		same(t, "partitions at once", together, 5)
	})
}

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

// Each way to be a bad record, by each policy: it fails alone, or stops the connector
// before anything behind it counts; it is logged and counted in any case.
func TestSourceBadRecordsFailAlone(t *testing.T) {
	bad := map[string]func(l *lab) *SourceRecord{
		"undeclared":       func(l *lab) *SourceRecord { return FromString(l.name("other"), "bad") },
		"too large":        func(*lab) *SourceRecord { return NewRecord("", make([]byte, 4<<20)) },
		"no text":          func(*lab) *SourceRecord { return FromString("", "bad").WithKey("\xff") },
		"not serialisable": func(*lab) *SourceRecord { return FromValue("", func() {}) },
	}
	for what, record := range bad {
		for _, policy := range []ErrorPolicy{OnErrorStop, OnErrorSkip, OnErrorDeadLetter} {
			t.Run(what+", "+string(policy), func(t *testing.T) {
				onBoth(t, func(t *testing.T, l *lab) {
					topic := l.topic("t", 0)
					check := &testSink{}
					sink := l.sink(check, seesAll)
					file := filepath.Join(t.TempDir(), "dead.jsonl")
					source := declaring{between(record(l)), topics(topic)}
					r := l.source(source, quick, func(c *Config) {
						c.OnError = policy
						if policy == OnErrorDeadLetter {
							c.DeadLetterFile = file
						}
					})
					err := r.wait()
					same(t, "failed", r.metric("messages_failed_total", "error_type=invalid_data"), 1)
					if n := l.log.count("as on_error says", "offset=p@bad0"); n != 1 {
						t.Errorf("%d lines of the log name the record, want 1", n)
					}
					if policy == OnErrorStop {
						same(t, "exit code", ExitCode(err), 5)
						same(t, "committed", source.last("p"), "p@2")
						sink.stopped()
						return
					}
					l.must(err)
					same(t, "committed", source.all(), "[p@1 p@2 p@bad0 p@3 p@4]")
					l.until("the good ones arrived", func() bool { return len(check.seen()) == 4 })
					sink.stopped()
					same(t, "arrived", check.payloads(), "[p1 p2 p3 p4]")
					same(t, "skipped", r.metric("messages_skipped_total"), map[ErrorPolicy]int{OnErrorSkip: 1}[policy])
					same(t, "dead letters", r.metric("messages_dead_lettered_total"), map[ErrorPolicy]int{OnErrorDeadLetter: 1}[policy])
					if _, err := os.Stat(file); policy == OnErrorDeadLetter {
						l.must(err)
						same(t, "letters", len(filed(t, file)), 1)
					}
				})
			})
		}
	}
}

// A paused source neither polls nor takes what is emitted; what it has goes on.
func TestSourcePausesAndResumes(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		w.hold(payload("p3"))
		source := &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			l.pause(5 * time.Millisecond)
			return offsets("p", n, n), nil
		}}}
		r := l.sourceRuntime(source, quick)
		l.until("publishing", func() bool { return source.last("p") == "p@2" })
		r.rt.Pause()
		l.until("paused", func() bool {
			before := len(source.polled())
			l.pause(100 * time.Millisecond)
			return len(source.polled()) == before
		})
		n := len(source.polled())
		w.let()
		l.until("what it has committed", func() bool { return source.last("p") == fmt.Sprint("p@", n) })
		same(t, "polls", len(source.polled()), n)
		r.rt.Resume()
		l.until("polling", func() bool { return len(source.polled()) > n })
		if err, _ := r.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// rate_limit holds from the first record on.
func TestSourceKeepsToTheRateLimit(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		var mu sync.Mutex
		var sent []time.Time
		w.set(func(_ context.Context, _ publish, send func() error) error {
			mu.Lock()
			sent = append(sent, time.Now())
			mu.Unlock()
			return send()
		})
		l.must(l.source(polled(keyed(1, 50, 1)), quick, func(c *Config) { c.RateLimit = 100 }).wait())
		if !l.bubble {
			return // on a busy machine, what waits for the broker goes out at once
		}
		if took := sent[49].Sub(sent[0]); took < 460*time.Millisecond {
			t.Errorf("50 records came within %v", took)
		}
		if early := sent[10].Sub(sent[0]); early < 70*time.Millisecond {
			t.Errorf("the first 10 came within %v", early)
		}
	})
}

// Emit returns when the broker has the record; a context that ends says with its error
// whether the record will be published.
func TestEmitTellsTheTruth(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		check := &testSink{}
		sink := l.sink(check, seesAll)
		w.hold(payload("slow"))
		result := make(chan error, 1)
		var held atomic.Bool
		held.Store(true)
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			short := func() context.Context {
				c, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
				context.AfterFunc(c, cancel)
				return c
			}
			if r, err := e.Emit(ctx, FromString("", "first")); err != nil || r.Attempts != 1 {
				t.Errorf("first: %+v, %v", r, err)
			}
			go func() {
				_, err := e.Emit(ctx, FromString("", "slow"))
				if held.Load() {
					t.Error("Emit has returned, and the broker does not have the record")
				}
				result <- err
			}()
			l.pause(20 * time.Millisecond)
			if _, err := e.Emit(short(), FromString("", "unknown")); !errors.Is(err, ErrOutcomeUnknown) || errors.Is(err, ErrNotEmitted) {
				t.Errorf("behind a slow one: %v", err)
			}
			ended, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := e.Emit(ended, FromString("", "never")); !errors.Is(err, ErrNotEmitted) || errors.Is(err, ErrOutcomeUnknown) {
				t.Errorf("with an ended context: %v", err)
			}
			l.pause(50 * time.Millisecond)
			held.Store(false)
			w.let()
			if err := <-result; err != nil {
				t.Errorf("slow: %v", err)
			}
			return nil
		})
		l.must(l.source(FromStream(source), quick).wait())
		l.until("all arrived", func() bool { return len(check.seen()) == 3 })
		sink.stopped()
		same(t, "arrived", check.payloads(), "[first slow unknown]")
	})
}

// EmitAsync waits for room: 256 records or 16 MiB of a partition.
func TestEmitAsyncIsBounded(t *testing.T) {
	for name, tc := range map[string]struct{ size, room int }{
		"records": {1, 256},
		"bytes":   {1 << 20, 16},
	} {
		t.Run(name, func(t *testing.T) {
			onWire(t, func(t *testing.T, l *lab, w *wire) {
				w.hold(all)
				var accepted, done, bad atomic.Int64
				body := make([]byte, tc.size)
				source := stream(func(ctx context.Context, e *Emitter, _ int) error {
					short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
					defer cancel()
					for {
						err := e.EmitAsync(short, NewRecord("", body), func(_ Receipt, err error) {
							done.Add(1)
							if err != nil {
								bad.Add(1)
							}
						})
						if err != nil {
							if !errors.Is(err, ErrNotEmitted) || !errors.Is(err, context.DeadlineExceeded) {
								t.Errorf("without room: %v", err)
							}
							break
						}
						accepted.Add(1)
					}
					w.let()
					return nil
				})
				l.must(l.source(FromStream(source), quick).wait())
				// One more is on its way: that is what the broker has not answered.
				if n := accepted.Load(); n != int64(tc.room) && n != int64(tc.room)+1 {
					t.Errorf("%d were accepted, want %d", n, tc.room)
				}
				same(t, "done", done.Load(), accepted.Load())
				same(t, "done with an error", bad.Load(), 0)
			})
		})
	}
}

// A stop ends polling and settles what was accepted; what the drain deadline cuts off is
// named and not committed; Shutdown is called in any case.
func TestSourceStopSettlesWhatItAccepted(t *testing.T) {
	for name, tc := range map[string]struct {
		lets bool // the broker answers before the deadline
		code int
		end  string
	}{
		"in time": {true, 0, "p@20"}, "too late": {false, 4, "p@3"},
	} {
		t.Run(name, func(t *testing.T) {
			onWire(t, func(t *testing.T, l *lab, w *wire) {
				w.hold(payload("p4"))
				path := filepath.Join(t.TempDir(), "checkpoint")
				source := &committing{testSource: once(offsets("p", 1, 20)...)}
				r := l.source(source, quick, func(c *Config) { c.DrainTimeout, c.CheckpointFile = 2*time.Second, path })
				l.until("committed", func() bool { return source.last("p") == "p@3" })
				if tc.lets {
					time.AfterFunc(500*time.Millisecond, w.let)
				}
				err, took := r.stop()
				same(t, "exit code", ExitCode(err), tc.code)
				if took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
				if !tc.lets && !strings.Contains(fmt.Sprint(err), "17 records were not published, and not committed") {
					t.Errorf("%v does not say what is left", err)
				}
				same(t, "committed", source.last("p"), tc.end)
				store, err := FileCheckpoints(path, "c")
				l.must(err)
				saved, err := store.Load(t.Context())
				l.must(errors.Join(err, store.Close()))
				same(t, "saved", saved, "["+tc.end+"]")
				same(t, "the connector's life", source.lifetime(), "initialize poll shutdown")
			})
		})
	}
}

// A second signal ends a source at once, and the error says what was not settled.
func TestSourceSecondSignalNamesWhatIsLeft(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		w.hold(payload("p4"))
		source := &committing{testSource: once(offsets("p", 1, 20)...)}
		r := l.source(source, quick)
		l.until("committed", func() bool { return source.last("p") == "p@3" })
		r.signal(syscall.SIGTERM, false)
		l.pause(100 * time.Millisecond)
		start := time.Now()
		r.signal(syscall.SIGTERM, true)
		err := r.wait()
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		var forced *ForcedError
		if !errors.As(err, &forced) || !strings.Contains(forced.Unsettled, "17 records were not published") {
			t.Errorf("got %v", err)
		}
		same(t, "exit code", ExitCode(err), 143)
		same(t, "committed", source.last("p"), "p@3")
		same(t, "the connector's life", source.lifetime(), "initialize poll shutdown")
	})
}
