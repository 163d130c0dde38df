package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// resuming is a source that goes on where it was.
type resuming struct {
	*testSource
	resume func(ctx context.Context, offsets []Offset) error

	resumed [][]Offset // guarded by mu of testSource
}

func (s *resuming) Resume(ctx context.Context, offsets []Offset) error {
	s.lived("resume")
	s.mu.Lock()
	s.resumed = append(s.resumed, slices.Clone(offsets))
	s.mu.Unlock()
	if s.resume != nil {
		return s.resume(ctx, offsets)
	}
	return nil
}

// counter publishes the numbers from where it was, as many at each poll as it is told,
// and is finished behind the last one.
func counter(each, last int) *resuming {
	next := 1
	s := &resuming{}
	s.resume = func(_ context.Context, offsets []Offset) error {
		for _, o := range offsets {
			n, err := o.Int()
			if err != nil {
				return err
			}
			next = int(n) + 1
		}
		return nil
	}
	s.testSource = &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
		from := next
		next = min(next+each, last+1)
		if from == next {
			return nil, io.EOF
		}
		return offsets("p", from, next-1), nil
	}}
	return s
}

func TestCheckpointFileSurvivesRestarts(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		check := &testSink{}
		sink := l.sink(check, seesAll)
		file := filepath.Join(t.TempDir(), "source.checkpoint")
		var resumed [][]Offset
		for _, last := range []int{10, 10, 25, 200} {
			source := counter(7, last)
			r := l.source(source, func(c *Config) { c.CheckpointFile = file })
			if err := r.wait(); err != nil {
				t.Fatal(err)
			}
			same(t, "the connector's life", source.lifetime(), "initialize resume poll shutdown")
			resumed = append(resumed, source.resumed...)
		}
		same(t, "resumed with", resumed, "[[] [p@10] [p@10] [p@25]]")
		l.until("all arrived", func() bool { return len(check.seen()) >= 200 })
		sink.stopped()
		same(t, "arrived", check.payloads(), "[p"+strings.Join(numbers(1, 200), " p")+"]")
	})
}

func TestCheckpointOfAStopInTheMiddle(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		file := filepath.Join(t.TempDir(), "source.checkpoint")
		for i := range 3 {
			source := counter(1, 1<<30)
			r := l.source(source, func(c *Config) { c.CheckpointFile = file })
			_, err := l.b.WaitPublished(t.Context(), topic, 100*(i+1))
			l.must(err)
			r.stopped()
		}
		messages := l.b.Messages(topic)
		for i, m := range messages { // what a clean stop has published, it has committed
			if got, want := string(m.Payload), fmt.Sprint("p", i+1); got != want {
				t.Fatalf("message %d is %s, want %s", i, got, want)
			}
		}
	})
}

func TestResumeWithoutACheckpoint(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		source := counter(1, 3)
		r := l.source(source)
		l.must(r.wait())
		same(t, "resumed with", source.resumed, "[[]]")
		same(t, "warnings", l.log.count("WARN", "no checkpoint_file is configured"), 1)
	})
}

func TestResumeThatFailsEndsTheRun(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		code int
	}{
		"an error":      {errors.New("the log has moved on"), 1},
		"configuration": {InvalidConfigf("no such table"), 2},
	} {
		t.Run(name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				l.topic("t", 0)
				store := &memory{offset: map[string]string{"p": "7"}}
				source := counter(1, 3)
				source.resume = func(context.Context, []Offset) error { return tc.err }
				r := l.checkpointed(source, store)
				err := r.wait()
				if !errors.Is(err, tc.err) {
					t.Errorf("got %v, want it to be %v", err, tc.err)
				}
				same(t, "exit code", ExitCode(err), tc.code)
				same(t, "resumed with", source.resumed, "[[p@7]]")
				same(t, "the connector's life", source.lifetime(), "initialize resume shutdown")
				same(t, "closed", store.closed, 1)
			})
		})
	}
}

func TestCheckpointFileThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "source.checkpoint")
	write := func(text string) { must(t, os.WriteFile(path, []byte(text), 0o644)) }
	for _, tc := range []struct {
		name    string
		prepare func() (cleanup func())
		want    []string
	}{
		{"damaged", func() func() { write("danube-connect-checkpoint 1\n{}\n"); return nil }, []string{"damaged", "remove it to start from the beginning"}},
		{"something else", func() func() { write("a line of my own\n"); return nil }, []string{"not a checkpoint", "remove it"}},
		{"of another connector", func() func() {
			must(t, os.RemoveAll(path))
			s, err := FileCheckpoints(path, "another")
			must(t, err)
			must(t, s.Save(t.Context(), []Offset{{"p", "1"}}))
			must(t, s.Close())
			return nil
		}, []string{`connector "another"`, `this one is "c"`, "give each its own file"}},
		{"in use", func() func() {
			must(t, os.RemoveAll(path))
			s, err := FileCheckpoints(path, "c")
			must(t, err)
			return func() { must(t, s.Close()) }
		}, []string{"another process has it open", "stop that one"}},
		{"in no directory", func() func() { must(t, os.RemoveAll(dir)); return nil }, []string{"no such file or directory", "create it"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if cleanup := tc.prepare(); cleanup != nil {
				defer cleanup()
			}
			onFake(t, func(t *testing.T, l *lab) {
				l.topic("t", 0)
				source := counter(1, 3)
				r := l.source(source, func(c *Config) { c.CheckpointFile = path })
				err := r.wait()
				same(t, "exit code", ExitCode(err), 2)
				for _, want := range append(tc.want, path) {
					if !strings.Contains(fmt.Sprint(err), want) {
						t.Errorf("%v does not say %q", err, want)
					}
				}
				same(t, "the connector's life", source.lifetime(), "initialize shutdown")
			})
		})
	}
}

func TestCheckpointStoreGivenInCode(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		store := &memory{}
		l.must(l.checkpointed(counter(3, 10), store).wait())
		same(t, "saved", store.at("p"), 10)
		same(t, "closed", store.closed, 1)

		store.load = func() ([]Offset, error) { return nil, errors.New("the database is away") }
		err := l.checkpointed(counter(3, 10), store).wait()
		if ExitCode(err) != 1 || !strings.Contains(fmt.Sprint(err), "load checkpoints: fatal: the database is away") {
			t.Errorf("got %v (%d), want the error of Load", err, ExitCode(err))
		}
		same(t, "closed", store.closed, 2)

		store.load = func() ([]Offset, error) { panic("a bug") }
		err = l.checkpointed(counter(3, 10), store).wait()
		if ExitCode(err) != 1 || !strings.Contains(fmt.Sprint(err), "panic: a bug") {
			t.Errorf("got %v (%d), want the panic of Load", err, ExitCode(err))
		}
		same(t, "closed", store.closed, 3)
	})
}

// The store is the runtime's from the start on.
func TestCheckpointStoreIsClosedWhenTheConnectorDoesNotStart(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		store := &memory{}
		source := counter(1, 3)
		source.initialize = func(context.Context, *Setup) error { return Fatalf("no such thing") }
		err := l.checkpointed(source, store).wait()
		same(t, "exit code", ExitCode(err), 1)
		same(t, "closed", store.closed, 1)
	})
}

func TestTwoCheckpointStoresAreAnError(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		cfg := l.config(func(c *Config) { c.CheckpointFile, c.RateLimit = "x.checkpoint", -1 })
		_, err := NewSourceRuntime(counter(1, 3), l.options(cfg, WithCheckpoints(&memory{}))...)
		same(t, "exit code", ExitCode(err), 2)
		for _, want := range []string{"checkpoint_file", "WithCheckpoints", "rate_limit"} { // all problems at once
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%v does not say %q", err, want)
			}
		}
	})
}
