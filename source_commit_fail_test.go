package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestSourceFailingCommitIsTriedAgain(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		source := &committing{testSource: once(offsets("p", 1, 3)...)}
		source.commit = func(n int, _ []Offset) error {
			if n < 3 {
				return errors.New("not now")
			}
			return nil
		}
		r := l.source(source)
		l.until("committed", func() bool { return source.last("p") == "p@3" })
		r.stopped()
		same(t, "committed", source.all(), "[p@1 p@2 p@3]")
		same(t, "failed", r.metric("messages_failed_total", "error_type=commit"), 2)
	})
}

func TestSourceCommitThatKeepsFailingEndsTheRun(t *testing.T) {
	for _, tc := range []struct {
		name  string
		err   func() error
		max   *int
		calls int64 // 0: as many as the time allows
	}{
		{"fatal", func() error { return Fatalf("read-only") }, nil, 1},
		{"invalid data", func() error { return InvalidDataf("what offset is that") }, nil, 1},
		{"panic", func() error { panic("oh no") }, nil, 1},
		{"MAX_RETRIES", func() error { return errors.New("down") }, new(2), 3},
		{"time", func() error { return errors.New("down") }, nil, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				l.topic("t", 0)
				next := 0
				source := &committing{testSource: &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
					next++
					return offsets("p", next, next), nil
				}}}
				source.commit = func(n int, _ []Offset) error {
					if n == 1 {
						return nil
					}
					return tc.err()
				}
				start := time.Now()
				r := l.source(source, func(c *Config) { c.MaxRetries = tc.max })
				err := r.wait()
				if ExitCode(err) != 1 || !strings.Contains(fmt.Sprint(err), "commit") {
					t.Errorf("got %v", err)
				}
				if took := time.Since(start); took > 31*time.Second {
					t.Errorf("it took %v", took)
				}
				if got := source.commits.Load() - 1; tc.calls > 0 && got != tc.calls || got < 1 {
					t.Errorf("%d failing calls, want %d", got, tc.calls)
				}
				// A commit behind the one that failed would skip what that one was for.
				for i, o := range source.all() {
					if o != OffsetInt("p", int64(i+1)) {
						t.Errorf("committed %v", source.all())
						break
					}
				}
				if tc.name == "panic" && l.log.count("stack=", "source_commit_fail_test.go") == 0 {
					t.Error("the stack is not in the log")
				}
			})
		})
	}
}

func TestSourceLastCommitThatHangsIsLeftBehind(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		release := make(chan struct{})
		source := &committing{testSource: &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			return offsets("p", 1, 3), io.EOF
		}}}
		source.commit = func(int, []Offset) error {
			<-release
			return nil
		}
		start := time.Now()
		r := l.source(source)
		err := r.wait()
		if took := time.Since(start); !errors.Is(err, ErrDrainDeadline) || !strings.Contains(fmt.Sprint(err), "Commit") || took > 26*time.Second {
			t.Errorf("got %v after %v, want the drain deadline and Commit", err, took)
		}
		same(t, "exit code", ExitCode(err), 4)
		close(release)
	})
}

func TestSourceHungCommitShowsOnHealthz(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		release := make(chan struct{})
		source := &committing{testSource: once(offsets("p", 1, 3)...)}
		source.commit = func(int, []Offset) error {
			<-release
			return nil
		}
		r := l.source(source)
		l.pause(35 * time.Second)
		same(t, "overdue after 35s", r.overdue(), "[]")
		l.pause(10 * time.Second)
		same(t, "overdue after 45s", r.overdue(), "[commit]")
		close(release)
		l.until("well again", func() bool { return len(r.overdue()) == 0 })
		r.stopped()
	})
}
