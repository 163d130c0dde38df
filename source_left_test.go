package connect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// forcedAfter stops a run, and forces its end some seconds later; its error comes within
// a moment, whatever hangs.
func (r *run) forcedAfter(d time.Duration) error {
	r.l.t.Helper()
	r.cancel()
	r.l.pause(d)
	r.signalled(syscall.SIGINT, true)
	r.l.pause(10 * time.Second)
	if !r.ended() {
		r.l.t.Fatal("Run has not returned 10 s after the forced end")
	}
	return r.err
}

// leaves stops a run in which something hangs: Run returns all the same, and its error
// names what was left behind.
func (r *run) leaves(what string) {
	r.l.t.Helper()
	r.l.pause(time.Second)
	err, _ := r.stop()
	if !errors.Is(err, ErrDrainDeadline) || !strings.Contains(err.Error(), what) {
		r.l.t.Errorf("got %v, want that %s", err, what)
	}
}

// badStore is a store whose Close is the author's.
type badStore struct {
	memory
	close func() error
}

func (s *badStore) Close() error { return s.close() }

func TestCheckpointStoreWhoseClosePanics(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		source := once(offsets("p", 1, 1)...)
		r := l.checkpointed(source, &badStore{close: func() error { panic("boom") }})
		l.pause(time.Second)
		err, _ := r.stop()
		if !isPanic(err) || !strings.Contains(err.Error(), "close checkpoints") {
			t.Errorf("got %v", err)
		}
		same(t, "life", source.lifetime(), "initialize poll shutdown")
	})
}

func TestCheckpointStoreWhoseCloseHangs(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		free := make(chan struct{})
		defer close(free)
		source := once(offsets("p", 1, 1)...)
		r := l.checkpointed(source, &badStore{close: func() error { <-free; return nil }}, func(c *Config) { c.DrainTimeout = time.Second })
		r.leaves("the checkpoint store's Close has not returned")
		same(t, "life", source.lifetime(), "initialize poll shutdown")
	})
}

// The done of EmitAsync must not block; one that does is left behind.
func TestStreamWhoseDoneBlocks(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		free := make(chan struct{})
		defer close(free)
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			_ = e.EmitAsync(ctx, FromString("", "1"), func(Receipt, error) { <-free })
			<-ctx.Done()
			return nil
		})
		r := l.source(FromStream(source), func(c *Config) { c.DrainTimeout = time.Second })
		r.leaves("the done of EmitAsync has not returned")
		same(t, "life", source.lifetime(), "initialize stream shutdown")
	})
}

type hangingJSON struct{ free chan struct{} }

func (m hangingJSON) MarshalJSON() ([]byte, error) { <-m.free; return []byte("1"), nil }

func TestSourceWhoseValueHangs(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		free := make(chan struct{})
		defer close(free)
		r := l.source(once(FromValue("", hangingJSON{free})), func(c *Config) { c.DrainTimeout = time.Second })
		r.leaves("MarshalJSON, has not returned")
	})
}

// stubborn is a client that ignores its context.
type stubborn struct {
	instant
	free chan struct{}
}

func (c stubborn) NewProducer(context.Context, danube.ProducerConfig) (Producer, error) {
	<-c.free
	return nil, errors.New("late")
}

func TestSourceOnAClientThatIgnoresItsContext(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		free := make(chan struct{})
		defer close(free)
		source := &testSource{}
		r := l.sourceOn(stubborn{free: free}, source)
		l.pause(time.Second)
		err := r.forcedAfter(5 * time.Second)
		if !errors.Is(err, ErrDrainDeadline) || !strings.Contains(err.Error(), "/default/t") {
			t.Errorf("got %v", err)
		}
		same(t, "life", source.lifetime(), "initialize shutdown")
	})
}

// What the broker has is saved also when Poll does not return: the store is not the
// connector's. Commit is not called beside Poll, and the error says so.
func TestSourceWhosePollHangsIsSaved(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		// So that nothing is published yet, and could be committed, when Poll is called again.
		defer l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSendMessage}, Delay: time.Millisecond, Count: -1}).Remove()
		free := make(chan struct{})
		defer close(free)
		source := &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			if n == 1 {
				return offsets("p", 1, 50), nil
			}
			<-free
			return nil, nil
		}}}
		store := &memory{}
		r := l.checkpointed(source, store, func(c *Config) { c.DrainTimeout = time.Second })
		l.pause(time.Second)
		err, _ := r.stop()
		same(t, "saved", store.at("p"), "50")
		same(t, "committed", source.all(), "[]")
		if !strings.Contains(fmt.Sprint(err), "50 offsets of published records were not committed: Poll has not returned") {
			t.Errorf("got %v", err)
		}
	})
}

// A Poll that comes back while the drain saves for it does not save beside it.
func TestSourceWhosePollComesBackLate(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		source := &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			if n == 1 {
				return offsets("p", 1, 50), nil
			}
			l.pause(10 * time.Second)
			return nil, nil
		}}}
		var saving atomic.Int32
		store := &memory{}
		store.save = func(int, []Offset) error {
			store.mu.Unlock() // or one would wait for the other here
			defer store.mu.Lock()
			if saving.Add(1) != 1 {
				t.Error("two saves at once")
			}
			l.pause(300 * time.Millisecond)
			saving.Add(-1)
			return nil
		}
		r := l.checkpointed(source, store, func(c *Config) { c.DrainTimeout = 8 * time.Second })
		l.pause(time.Second)
		_, _ = r.stop()
		l.pause(10 * time.Second) // until Poll has come back in any case
		same(t, "saved", store.at("p"), "50")
	})
}

// A second signal while Commit is between two attempts: nothing else commits beside it,
// least of all what is behind.
func TestSourceForcedBetweenTwoCommits(t *testing.T) {
	for i := range 50 {
		onFake(t, func(t *testing.T, l *lab) {
			l.topic("t", 0)
			n := 0
			source := &committing{testSource: &testSource{}}
			pushing := stream(func(ctx context.Context, e *Emitter, _ int) error {
				for ctx.Err() == nil {
					n++
					_, _ = e.Emit(ctx, FromString("", "x").WithOffset(OffsetInt("p", int64(n))))
					select {
					case <-time.After(100 * time.Millisecond):
					case <-ctx.Done():
					}
				}
				return nil
			})
			source.commit = func(k int, _ []Offset) error {
				if k < 3 {
					return errors.New("later")
				}
				return nil
			}
			r := l.source(FromStream(committingStream{pushing, source}), func(c *Config) { c.RetryBackoff = time.Second; c.MaxBackoff = time.Second })
			l.pause(700 * time.Millisecond)
			r.signal(syscall.SIGINT, false)
			l.pause(time.Duration(i) * 4 * time.Microsecond)
			r.signal(syscall.SIGINT, true)
			_ = r.wait()
			if all := source.all(); len(all) > 0 && all[0].Value != "1" {
				t.Errorf("committed %v although that of 1 failed", all)
			}
		})
	}
}

// A value that holds itself has no text; fmt would end the process with it.
func TestSourceDeadLetterOfAValueThatHoldsItself(t *testing.T) {
	const inside = "DANUBE_TEST_CYCLE"
	if os.Getenv(inside) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), inside+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%.500s", err, out)
		}
		return
	}
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		m := map[string]any{}
		m["self"] = m
		path := filepath.Join(t.TempDir(), "dead")
		r := l.source(once(FromValue("", m).WithOffset(OffsetInt("p", 1))), func(c *Config) { c.DeadLetterFile = path })
		l.pause(time.Second)
		_, _ = r.stop()
		if text, err := os.ReadFile(path); err != nil || len(text) == 0 {
			t.Errorf("%q, %v", text, err)
		}
	})
}
