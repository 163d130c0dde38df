package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// memory is a store in memory that remembers how it was used.
type memory struct {
	load func() ([]Offset, error)
	save func(n int, newest []Offset) error // n counts from 1

	mu     sync.Mutex
	offset map[string]string
	saves  []time.Time
	closed int
}

func (m *memory) Load(context.Context) ([]Offset, error) {
	if m.load != nil {
		return m.load()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Offset
	for p, v := range m.offset {
		list = append(list, Offset{p, v})
	}
	return list, nil
}

func (m *memory) Save(_ context.Context, newest []Offset) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saves = append(m.saves, time.Now())
	if m.save != nil {
		if err := m.save(len(m.saves), newest); err != nil {
			return err
		}
	}
	if m.offset == nil {
		m.offset = make(map[string]string)
	}
	seen := make(map[string]bool)
	for _, o := range newest {
		if seen[o.Partition] {
			return Fatalf("Save was given partition %q twice", o.Partition)
		}
		seen[o.Partition] = true
		m.offset[o.Partition] = o.Value
	}
	return nil
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed++
	return nil
}

// at returns what is saved of a source partition.
func (m *memory) at(partition string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.offset[partition]
}

func (m *memory) times() []time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.saves)
}

// checkpointed runs a source with a store.
func (l *lab) checkpointed(c SourceConnector, store CheckpointStore, change ...func(*Config)) *run {
	l.t.Helper()
	rt := l.newSource(c, l.config(change...), WithCheckpoints(store))
	return l.start(rt.core, rt.Run)
}

func TestFailingSaveIsTriedAgain(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		full := errors.New("no space left on device")
		store := &memory{save: func(n int, _ []Offset) error {
			if n <= 3 {
				return full
			}
			return nil
		}}
		source := &committing{testSource: once(offsets("p", 1, 5)...)}
		r := l.checkpointed(source, store)
		l.until("tried", func() bool { return len(store.times()) == 2 })
		same(t, "committed before it is saved", source.all(), "[]")
		if why := fmt.Sprint(r.board.NotReady()); !strings.Contains(why, "no space left") {
			t.Errorf("readiness says %s", why)
		}
		l.until("committed", func() bool { return source.last("p") == "p@5" })
		same(t, "saved", store.at("p"), 5)
		same(t, "not ready because of", r.board.NotReady(), "map[]")
		same(t, "commit errors", r.metric("messages_failed_total", "error_type=commit"), 3)
		r.stopped()
	})
}

func TestSaveThatKeepsFailingEndsTheRun(t *testing.T) {
	two := 2
	for name, tc := range map[string]struct {
		err   error
		set   func(*Config)
		saves func(n int) bool
		took  time.Duration
	}{
		"for its time":     {errors.New("no space left on device"), func(*Config) {}, func(n int) bool { return n >= 4 }, commitBudget},
		"with max_retries": {errors.New("no space left on device"), func(c *Config) { c.MaxRetries = &two }, func(n int) bool { return n == 3 }, 10 * time.Second},
		"for good":         {Fatalf("no such table"), func(*Config) {}, func(n int) bool { return n == 1 }, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				l.topic("t", 0)
				store := &memory{save: func(int, []Offset) error { return tc.err }}
				source := &committing{testSource: once(offsets("p", 1, 5)...)}
				start := time.Now()
				r := l.checkpointed(source, store, tc.set)
				err := r.wait()
				if !errors.Is(err, tc.err) || ExitCode(err) != 1 || !strings.Contains(err.Error(), "up to p@") {
					t.Errorf("got %v (%d), want the error of Save and up to where", err, ExitCode(err))
				}
				if n := len(store.times()); !tc.saves(n) || time.Since(start) > tc.took+time.Second {
					t.Errorf("%d attempts in %v", n, time.Since(start))
				}
				same(t, "committed", source.all(), "[]")
				same(t, "closed", store.closed, 1)
			})
		})
	}
}

// What keeps the end from being clean is in the error, not only in the log.
func TestSaveThatFailsAtTheEndIsNamed(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		// The broker answers only when the source is finished: a save that fails before
		// that keeps Poll from being called again, and ends the run for itself.
		h := l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSendMessage}, Hang: true})
		store := &memory{save: func(int, []Offset) error { return errors.New("no space left on device") }}
		r := l.checkpointed(counter(5, 5), store, func(c *Config) { c.DrainTimeout = 5 * time.Second })
		l.must(h.Wait(t.Context(), 1))
		l.pause(time.Second)
		h.Remove()
		err := r.wait()
		if ExitCode(err) != 4 || !strings.Contains(fmt.Sprint(err), "5 offsets of published records were not committed") ||
			!strings.Contains(fmt.Sprint(err), "no space left on device") {
			t.Errorf("got %v (%d), want the drain deadline and why", err, ExitCode(err))
		}
	})
}

func TestSavesAreCoalesced(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		store := &memory{}
		source := counter(2, 1<<30)
		poll := source.poll
		source.poll = func(ctx context.Context, n int) ([]*SourceRecord, error) {
			l.pause(time.Millisecond)
			return poll(ctx, n)
		}
		r := l.checkpointed(source, store)
		l.pause(2 * time.Second)
		polls, saves := len(source.polled()), store.times()
		if polls < 1000 || len(saves) > 21 || len(saves) < 18 {
			t.Errorf("%d saves for %d polls in 2s, want about 20", len(saves), polls)
		}
		r.stopped()
		saves = store.times()
		for i := range saves[:len(saves)-1] { // the last one is that of the stop
			if i > 0 && saves[i].Sub(saves[i-1]) < saveEvery {
				t.Errorf("save %d comes %v after the one before", i, saves[i].Sub(saves[i-1]))
			}
		}
		same(t, "saved at the stop", store.at("p"), len(l.b.Messages(topic)))
	})
}

func TestTheLastSaveComesAtOnce(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		store := &memory{}
		start := time.Now()
		l.must(l.checkpointed(counter(10, 25), store).wait())
		same(t, "saved at io.EOF", store.at("p"), 25)
		if took := time.Since(start); took >= saveEvery {
			t.Errorf("the end took %v", took)
		}
	})
}

// A source that is finished waits for the broker as long as it takes; what it has until
// then is saved.
func TestWhatAFinishedSourceHasIsSavedMeanwhile(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		h := l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSendMessage}, Hang: true, Skip: 7})
		store := &memory{}
		r := l.checkpointed(counter(10, 10), store)
		l.must(h.Wait(t.Context(), 1))
		l.pause(10 * time.Second)
		same(t, "saved", store.at("p"), 7)
		h.Remove()
		l.must(r.wait())
		same(t, "saved", store.at("p"), 10)
	})
}

// A checkpoint is never ahead of the broker, whatever happens to the publishes.
func TestCheckpointIsNeverAheadOfTheBroker(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 3)
		requests := 0
		l.b.Fault(publishes(danubetest.Fault{When: func(danubetest.Call) bool { requests++; return requests%7 == 0 }}))
		stored := func() map[string]bool {
			have := make(map[string]bool)
			for _, m := range l.b.Messages(topic) {
				have[string(m.Payload)] = true
			}
			return have
		}
		store := &memory{}
		store.save = func(_ int, newest []Offset) error {
			have := stored()
			for _, o := range newest {
				n, err := o.Int()
				l.must(err)
				for i := range int(n) {
					if !have[fmt.Sprint(o.Partition, i+1)] {
						return Fatalf("%v is saved and %d is not published", o, i+1)
					}
				}
			}
			return nil
		}
		n := 0
		source := &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			l.pause(10 * time.Millisecond)
			if n++; n > 40 {
				return nil, io.EOF
			}
			return append(offsets("a", 5*n-4, 5*n), offsets("b", 2*n-1, 2*n)...), nil
		}}
		fault := l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSendMessage}, Topic: topic + "-part-1", Hang: true, Skip: 10})
		r := l.checkpointed(source, store)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		l.must(fault.Wait(ctx, 1))
		l.pause(time.Second)
		fault.Remove()
		l.must(r.wait())
		same(t, "saved of a", store.at("a"), 200)
		same(t, "saved of b", store.at("b"), 80)
		if len(store.times()) < 3 {
			t.Errorf("only %d saves", len(store.times()))
		}
	})
}
