package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// sourceAtWork is a run with its runtime, for what only that can do.
type sourceAtWork struct {
	*run
	rt *SourceRuntime
}

func (l *lab) sourceRuntime(c SourceConnector, change ...func(*Config)) sourceAtWork {
	l.t.Helper()
	rt := l.newSource(c, l.config(change...))
	return sourceAtWork{l.start(rt.core, rt.Run), rt}
}

func TestPausedSourceDoesNotPoll(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		source := &committing{testSource: &testSource{poll: func(ctx context.Context, n int) ([]*SourceRecord, error) {
			l.pause(time.Second) // a poll is under way when the pause comes
			if n == 3 {
				return nil, nil
			}
			return offsets("p", n, n), nil
		}}}
		r := l.sourceRuntime(source, func(c *Config) { c.PollInterval = time.Hour })
		l.until("polling", func() bool { return len(source.polled()) == 1 })
		r.rt.Pause()
		r.rt.Pause()
		l.pause(time.Minute)
		same(t, "polls", len(source.polled()), 1)
		l.b.CheckPayloads(t, topic, "p1")
		same(t, "committed", source.all(), "[p@1]")
		same(t, "not ready because of", r.board.NotReady(), "map[paused:paused by the operator]")
		same(t, "calls that hang", r.overdue(), "[]")
		r.rt.Resume()
		l.pause(5 * time.Second) // the poll comes with Resume, not an interval later
		same(t, "polls", len(source.polled()), 3)
		same(t, "not ready because of", r.board.NotReady(), "map[]")
		r.rt.Pause()
		l.pause(time.Second)
		if err, took := r.stop(); err != nil || took > 0 {
			t.Errorf("got %v after %v, want a clean stop at once", err, took)
		}
		l.b.CheckPayloads(t, topic, "p1", "p2")
	})
}

func TestPausedSourceThatWaitsToTryAgain(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			if n == 1 {
				return nil, RetryableAfter(errors.New("busy"), time.Minute)
			}
			return nil, io.EOF
		}}
		start := time.Now()
		r := l.sourceRuntime(source)
		l.until("polled", func() bool { return len(source.polled()) == 1 })
		r.rt.Pause()
		l.pause(10 * time.Second)
		r.rt.Resume() // is no reason to ask earlier
		l.must(r.wait())
		if took := time.Since(start); took < time.Minute {
			t.Errorf("asked again after %v", took)
		}
	})
}

func TestPausedSourceKeepsEmitWaiting(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		var emitted atomic.Int64
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			for i := 1; i <= 20; i++ {
				if _, err := e.Emit(ctx, FromString("", fmt.Sprint(i))); err != nil {
					return err
				}
				emitted.Store(int64(i))
				l.pause(time.Second)
			}
			return nil
		})
		r := l.sourceRuntime(FromStream(source))
		l.until("emitting", func() bool { return emitted.Load() == 5 })
		r.rt.Pause()
		l.pause(time.Minute)
		same(t, "emitted", emitted.Load(), 5)
		r.rt.Resume()
		l.must(r.wait())
		l.b.CheckPayloads(t, topic, numbers(1, 20)...)
	})
}

// A caller with a deadline of its own, as a web server is, must hear soon that
// nothing comes of it: at its deadline, and at a stop.
func TestEmitWhilePausedEndsWithItsContextAndWithTheRun(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		var first, second error
		var took time.Duration
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			<-time.After(time.Second)
			short, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, first = e.Emit(short, FromString("", "1"))
			start := time.Now()
			_, second = e.Emit(context.Background(), FromString("", "2"))
			took = time.Since(start)
			return ctx.Err()
		})
		r := l.sourceRuntime(FromStream(source))
		r.rt.Pause()
		l.pause(10 * time.Second)
		err, stop := r.stop()
		if err != nil || stop > 0 {
			t.Errorf("got %v after %v, want a clean stop at once", err, stop)
		}
		if !errors.Is(first, ErrNotEmitted) || !errors.Is(first, context.DeadlineExceeded) {
			t.Errorf("at the deadline: %v", first)
		}
		if !errors.Is(second, ErrNotEmitted) || errors.Is(second, ErrOutcomeUnknown) || took != 8*time.Second {
			t.Errorf("at the stop: %v after %v", second, took)
		}
		same(t, "published", len(l.b.Messages(topic)), 0)
	})
}

func TestSourceRateLimit(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		a, b := l.topic("a", 0), l.topic("b", 2)
		source := &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			var list []*SourceRecord
			for i := range 500 {
				list = append(list, FromString(a, fmt.Sprint(i)), FromString(b, fmt.Sprint(i)), Progress(OffsetInt("p", int64(i))))
			}
			return list, io.EOF
		}}
		start := time.Now()
		r := l.source(source, func(c *Config) { c.RateLimit, c.DrainTimeout = 100, time.Minute })
		l.must(r.wait())
		if took := time.Since(start); took < 4900*time.Millisecond || took > 6*time.Second {
			t.Errorf("it took %v", took)
		}
		for _, topic := range []string{a, b} { // each has the rate for itself
			messages := l.b.Messages(topic)
			same(t, "published to "+topic, len(messages), 500)
			slices.SortFunc(messages, func(a, b danubetest.Message) int { return a.StoredAt.Compare(b.StoredAt) })
			for i, m := range messages { // in no second, the first one included
				if i >= 102 && m.StoredAt.Sub(messages[i-102].StoredAt) < time.Second {
					t.Fatalf("%s: records %d to %d came within %v", topic, i-102, i, m.StoredAt.Sub(messages[i-102].StoredAt))
				}
			}
		}
	})
}

func TestEmitAgainstTheRateLimit(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			for i := range 3 {
				short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				_, err := e.Emit(short, FromString("", fmt.Sprint(i)))
				cancel()
				switch {
				case i == 0 && err != nil:
					t.Errorf("the first: %v", err)
				case i > 0 && (!errors.Is(err, ErrNotEmitted) || !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "nil")):
					t.Errorf("over the limit: %v", err)
				}
			}
			return nil
		})
		l.must(l.source(FromStream(source), func(c *Config) { c.RateLimit = 1 }).wait())
		l.b.CheckPayloads(t, topic, "0")
	})
}

// As a web server does it: many at once, each with a deadline, while the broker does
// not answer for a while. Who was told that the record is not emitted can be sure of it,
// who was told that it is, too.
func TestEmitUnderBackPressure(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		h := l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSendMessage}, Hang: true, Skip: 100})
		var mu sync.Mutex
		answers := make(map[string]string)
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			var wg sync.WaitGroup
			for i := range 3000 {
				wg.Go(func() {
					<-time.After(time.Duration(i) * time.Millisecond)
					request, cancel := context.WithTimeout(context.Background(), time.Second)
					defer cancel()
					name := fmt.Sprint(i)
					_, err := e.Emit(request, FromString("", name).WithOffset(OffsetInt(name, 1)))
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						answers[name] = "done"
					case errors.Is(err, ErrNotEmitted) && !errors.Is(err, ErrOutcomeUnknown):
						answers[name] = "not emitted"
					case errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, ErrNotEmitted):
						answers[name] = "unknown"
					default:
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			wg.Wait()
			return nil
		})
		done := committingStream{source, &committing{testSource: source.testSource}}
		r := l.source(FromStream(done))
		l.must(h.Wait(t.Context(), 1))
		l.pause(2500 * time.Millisecond)
		h.Remove()
		l.must(r.wait())
		published := make(map[string]int)
		for _, m := range l.b.Messages(topic) {
			published[string(m.Payload)]++
		}
		count := make(map[string]int)
		for name, answer := range answers {
			count[answer]++
			if want := map[string]int{"done": 1, "unknown": 1}[answer]; published[name] != want {
				t.Errorf("%s was answered with %s, and is %d times in the topic", name, answer, published[name])
			}
		}
		for _, answer := range []string{"done", "not emitted", "unknown"} {
			if count[answer] < 50 {
				t.Errorf("%d were %s", count[answer], answer)
			}
		}
		same(t, "committed", len(done.all()), len(published))
		for _, o := range done.all() {
			if published[o.Partition] != 1 {
				t.Errorf("%v was committed and is not there", o)
			}
		}
	})
}
