package connect

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// What Poll or Stream ends with after the stop is not lost, unless it only says that it
// was stopped.
func TestSourceErrorsAtTheStop(t *testing.T) {
	for _, tt := range []struct {
		name   string
		end    func(ctx context.Context) error
		code   int
		logged string
	}{
		{"fatal", func(context.Context) error { return Fatalf("the file system is gone") }, 1, "the file system is gone"},
		{"panic", func(context.Context) error { panic("boom") }, 1, "boom"},
		{"retryable", func(context.Context) error { return fmt.Errorf("connection lost") }, 0, "connection lost"},
		{"its context", func(ctx context.Context) error { return fmt.Errorf("read: %w", ctx.Err()) }, 0, ""},
		{"its context, fatal", func(ctx context.Context) error { return Fatal(context.Cause(ctx)) }, 0, ""},
		{"nothing", func(context.Context) error { return nil }, 0, ""},
	} {
		for what, source := range map[string]SourceConnector{
			"Poll": &testSource{poll: func(ctx context.Context, _ int) ([]*SourceRecord, error) {
				<-ctx.Done()
				return nil, tt.end(ctx)
			}},
			"Stream": FromStream(stream(func(ctx context.Context, _ *Emitter, _ int) error {
				<-ctx.Done()
				return tt.end(ctx)
			})),
		} {
			t.Run(tt.name+", "+what, func(t *testing.T) {
				onFake(t, func(t *testing.T, l *lab) {
					l.topic("t", 0)
					r := l.source(source)
					l.pause(time.Second)
					err, _ := r.stop()
					same(t, "exit code", ExitCode(err), tt.code)
					if tt.code != 0 && !strings.Contains(err.Error(), what) {
						t.Errorf("%v does not name %s", err, what)
					}
					if text := l.log.text(); tt.logged == "" && strings.Contains(text, "failed while the connector stops") || !strings.Contains(text, tt.logged) {
						t.Errorf("want %q in the log: %s", tt.logged, text)
					}
				})
			})
		}
	}
}

// A broker that refuses for good during the drain: the error says why.
func TestSourceRefusedDuringTheDrain(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Hang: true}))
		r := l.source(once(offsets("p", 1, 3)...))
		l.must(h.Wait(t.Context(), 1))
		l.pause(time.Second)
		r.cancel()
		l.pause(time.Second)
		l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodCreateProducer}, Err: errDenied, Count: -1})
		l.b.Stop()
		l.pause(time.Second)
		h.Remove()
		l.must(l.b.Start())
		if err := r.wait(); ExitCode(err) != 1 || !strings.Contains(fmt.Sprint(err), "no binding grants") {
			t.Errorf("exit code %d, %v", ExitCode(err), err)
		}
	})
}

// A record whose topic cannot be is bad and fails alone. A permission that is missing is
// not the record's fault: skipping all of them would lose them.
func TestSourceTopicsThatCannotBe(t *testing.T) {
	for name, tt := range map[string]struct {
		err   error
		alone bool
	}{
		"namespace":  {status.Error(codes.Unavailable, "Unable to find the namespace nope"), true},
		"conflict":   {status.Error(codes.FailedPrecondition, "dispatch strategy does not match"), true},
		"permission": {errDenied, false},
	} {
		t.Run(name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodCreateProducer}, Topic: "/default/nope", Err: tt.err, Count: -1})
				source := &committing{testSource: once(
					FromString("", "1").WithOffset(OffsetInt("p", 1)),
					FromString("/default/nope", "2").WithOffset(OffsetInt("p", 2)),
					FromString("", "3").WithOffset(OffsetInt("p", 3)))}
				r := l.source(source, func(c *Config) { c.OnError = OnErrorSkip; c.UndeclaredTopics = TopicsCreate })
				l.pause(10 * time.Second)
				same(t, "ended", r.ended(), !tt.alone)
				err, _ := r.stop()
				if tt.alone {
					l.must(err)
					l.b.CheckPayloads(t, topic, "1", "3")
					same(t, "committed", source.all(), "[p@1 p@2 p@3]")
					return
				}
				same(t, "exit code", ExitCode(err), 2)
				same(t, "committed", source.all(), "[p@1]")
			})
		})
	}
}

type decorated struct{ SourceConnector }

func (d decorated) Unwrap() any { return d.SourceConnector }

// A decorator around FromStream leaves it a stream.
func TestDecoratedStream(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			_, err := e.Emit(ctx, FromString("", "1"))
			return err
		})
		l.must(l.source(decorated{FromStream(source)}).wait())
		l.b.CheckPayloads(t, topic, "1")
	})
}
