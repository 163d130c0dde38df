package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// testStream is a push source of one function; n counts its calls from 1.
type testStream struct {
	*testSource
	stream func(ctx context.Context, e *Emitter, n int) error
	calls  atomic.Int64
}

func (s *testStream) Stream(ctx context.Context, e *Emitter) error {
	s.lived("stream")
	return s.stream(ctx, e, int(s.calls.Add(1)))
}

func stream(f func(ctx context.Context, e *Emitter, n int) error) *testStream {
	return &testStream{testSource: &testSource{}, stream: f}
}

// committingStream commits as well.
type committingStream struct {
	*testStream
	*committing
}

func (s committingStream) Initialize(ctx context.Context, setup *Setup) error {
	return s.testStream.Initialize(ctx, setup)
}
func (s committingStream) Shutdown(ctx context.Context) error { return s.testStream.Shutdown(ctx) }

func TestStreamThatFailsIsCalledAgain(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		broken := fmt.Errorf("websocket: %w", io.EOF) // not the end of the source
		source := stream(func(ctx context.Context, e *Emitter, n int) error {
			if _, err := e.Emit(ctx, FromString("", fmt.Sprint(n))); err != nil {
				return err
			}
			if n < 3 {
				return broken
			}
			return io.EOF
		})
		r := l.source(FromStream(source))
		l.must(r.wait())
		l.b.CheckPayloads(t, topic, "1", "2", "3")
		same(t, "failed", r.metric("messages_failed_total", "error_type=retryable"), 2)
	})
}

func TestStreamThatEndsTheRun(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func() error
		code int
	}{
		{"nil", func() error { return nil }, 0},
		{"fatal", func() error { return Fatalf("port in use") }, 1},
		{"configuration", func() error { return InvalidConfigf("no port") }, 2},
		{"panic", func() error { panic("oh no") }, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				var late *Emitter
				source := stream(func(ctx context.Context, e *Emitter, _ int) error {
					late = e
					for _, p := range numbers(1, 100) {
						if err := e.EmitAsync(ctx, FromString("", p), nil); err != nil {
							return err
						}
					}
					return tc.end()
				})
				err := l.source(FromStream(source)).wait()
				same(t, "exit code", ExitCode(err), tc.code)
				l.b.CheckPayloads(t, topic, numbers(1, 100)...)
				same(t, "the connector's life", source.lifetime(), "initialize stream shutdown")
				if _, err := late.Emit(t.Context(), FromString("", "late")); !errors.Is(err, ErrNotEmitted) {
					t.Errorf("after the end: got %v, want ErrNotEmitted", err)
				}
			})
		})
	}
}

func TestStreamStops(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		check := &testSink{}
		sink := l.sink(check)
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			if _, err := e.Emit(ctx, FromString("", "first")); err != nil {
				return err
			}
			<-ctx.Done()
			// What came in before the end is still taken, with a context of its own.
			if _, err := e.Emit(context.WithoutCancel(ctx), FromString("", "last")); err != nil {
				t.Errorf("after the stop: %v", err)
			}
			return ctx.Err()
		})
		r := l.source(FromStream(source))
		l.until("running", func() bool { return len(check.seen()) == 1 })
		r.stopped()
		l.until("all arrived", func() bool { return len(check.seen()) == 2 })
		sink.stopped()
		same(t, "arrived", strings.Join(check.payloads(), " "), "first last")
	})
}

// A commit beside the stream must not hide that the stream has not returned.
func TestStreamThatDoesNotReturnIsLeftBehind(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		release := make(chan struct{})
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			for i := range 3 {
				if _, err := e.Emit(ctx, FromString("", "x").WithOffset(OffsetInt("p", int64(i)))); err != nil {
					return err
				}
			}
			<-release
			if _, err := e.Emit(context.Background(), FromString("", "late")); !errors.Is(err, ErrNotEmitted) {
				t.Errorf("after the end: got %v, want ErrNotEmitted", err)
			}
			return nil
		})
		with := committingStream{source, &committing{testSource: source.testSource}}
		r := l.source(FromStream(with))
		l.until("committed", func() bool { return with.last("p") == "p@2" })
		err, took := r.stop()
		if !errors.Is(err, ErrDrainDeadline) || !strings.Contains(fmt.Sprint(err), "Stream has not returned") || took > 22*time.Second {
			t.Errorf("got %v after %v, want the drain deadline and Stream", err, took)
		}
		same(t, "exit code", ExitCode(err), 4)
		close(release)
		synctest.Wait()
	})
}

// A stream that is wrapped is not seen as one, and says so instead of doing nothing.
func TestStreamMustBeGivenBare(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		inner := FromStream(stream(func(context.Context, *Emitter, int) error { return nil }))
		err := l.source(struct{ SourceConnector }{inner}).wait()
		if ExitCode(err) != 1 || !strings.Contains(fmt.Sprint(err), "FromStream") {
			t.Errorf("got %v", err)
		}
	})
}
