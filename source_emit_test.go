package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestEmitReturnsWhenTheBrokerHasTheRecord(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Hang: true}))
		var returned atomic.Bool
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			receipt, err := e.Emit(ctx, FromString("", "1"))
			if err != nil || receipt.Topic != topic || receipt.Attempts != 1 || receipt.Ambiguous {
				t.Errorf("receipt %+v, error %v", receipt, err)
			}
			returned.Store(true)
			return nil
		})
		r := l.source(FromStream(source))
		l.must(h.Wait(t.Context(), 1))
		l.pause(10 * time.Second)
		if returned.Load() {
			t.Error("Emit returned before the broker had answered")
		}
		h.Remove()
		l.must(r.wait())
		l.b.CheckPayloads(t, topic, "1")
		same(t, "the connector's life", source.lifetime(), "initialize stream shutdown")
	})
}

func TestEmitWithAnEndedContext(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Hang: true}))
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			cause := errors.New("the client has hung up")
			early, cancel := context.WithCancelCause(ctx)
			cancel(cause)
			if _, err := e.Emit(early, FromString("", "never")); !errors.Is(err, ErrNotEmitted) || !errors.Is(err, cause) || errors.Is(err, ErrOutcomeUnknown) {
				t.Errorf("before: got %v, want ErrNotEmitted and the cause", err)
			}
			late, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Second, func() { cancel(cause) })
			if _, err := e.Emit(late, FromString("", "1")); !errors.Is(err, ErrOutcomeUnknown) || !errors.Is(err, cause) || errors.Is(err, ErrNotEmitted) {
				t.Errorf("after: got %v, want ErrOutcomeUnknown and the cause", err)
			}
			h.Remove()
			_, err := e.Emit(ctx, FromString("", "2"))
			return err
		})
		l.must(l.source(FromStream(source)).wait())
		l.b.CheckPayloads(t, topic, "1", "2")
	})
}

func TestEmitAsyncWaitsForRoom(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Hang: true}))
		var accepted, answered atomic.Int64
		var mu sync.Mutex
		var order []int
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			for i := range 3000 {
				err := e.EmitAsync(ctx, FromString("", fmt.Sprint(i)), func(_ Receipt, err error) {
					if err != nil {
						t.Errorf("record %d: %v", i, err)
					}
					answered.Add(1)
					mu.Lock()
					defer mu.Unlock()
					order = append(order, i)
				})
				if err != nil {
					return err
				}
				accepted.Add(1)
			}
			return nil
		})
		r := l.source(FromStream(source))
		l.must(h.Wait(t.Context(), 1))
		l.pause(10 * time.Second)
		if n := accepted.Load(); n < 64 || n > 100 {
			t.Errorf("%d records were accepted while the broker took none, want about 64", n)
		}
		h.Remove()
		l.must(r.wait())
		same(t, "answered", answered.Load(), 3000)
		same(t, "published", len(l.b.Messages(topic)), 3000)
		for i, n := range order {
			if i != n {
				t.Fatalf("answer %d was for record %d", i, n)
			}
		}
	})
}

func TestEmitAsyncThatWaitsEndsWithItsContext(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Hang: true}))
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			for i := 0; ; i++ {
				err := e.EmitAsync(short, FromString("", fmt.Sprint(i)).WithOffset(OffsetInt("p", int64(i))), func(Receipt, error) {})
				if err == nil {
					continue
				}
				if !errors.Is(err, ErrNotEmitted) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want ErrNotEmitted and the deadline", err)
				}
				h.Remove()
				return nil
			}
		})
		with := committingStream{source, &committing{testSource: source.testSource}}
		l.must(l.source(FromStream(with)).wait())
		n := len(l.b.Messages(topic))
		if n < 64 {
			t.Errorf("%d messages", n)
		}
		same(t, "committed", len(with.all()), n)
	})
}

func TestEmitFromManyGoroutines(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		check := &testSink{}
		sink := l.sink(check, seesAll)
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			var wg sync.WaitGroup
			for g := range 10 {
				wg.Go(func() {
					for i := range 20 {
						if _, err := e.Emit(ctx, FromString("", fmt.Sprintf("%d %d", g, i))); err != nil {
							t.Errorf("%d %d: %v", g, i, err)
						}
					}
				})
			}
			wg.Wait()
			return nil
		})
		if err := l.source(FromStream(source)).wait(); err != nil {
			t.Errorf("Run: %v", err)
		}
		l.until("all arrived", func() bool { return len(check.seen()) == 200 })
		sink.stopped()
		next := map[int]int{}
		for _, p := range check.payloads() {
			var g, i int
			_, err := fmt.Sscan(p, &g, &i)
			l.must(err)
			if next[g] != i {
				t.Errorf("goroutine %d: %d came when %d was next", g, i, next[g])
			}
			next[g] = i + 1
		}
	})
}

// A topic that many name at once is opened once, or what one producer holds would
// overtake what the other does.
func TestEmitToANewTopicOpensItOnce(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("new", 0)
		l.topic("t", 0)
		h := l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodCreateProducer}, Topic: topic, Observe: true, Count: -1})
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			var wg sync.WaitGroup
			for i := range 50 {
				wg.Go(func() {
					if err := e.EmitAsync(ctx, FromString(topic, fmt.Sprint(i)), nil); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			return nil
		})
		l.must(l.source(FromStream(source)).wait())
		same(t, "published", len(l.b.Messages(topic)), 50)
		same(t, "producers created", h.Hits(), 1)
	})
}

func TestEmitThatTheDrainCutsOff(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Hang: true}))
		ends := make(chan error, 2)
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			for i := range 2 {
				if err := e.EmitAsync(ctx, FromString("", fmt.Sprint(i)), func(_ Receipt, err error) { ends <- err }); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return nil
		})
		r := l.source(FromStream(source))
		l.must(h.Wait(t.Context(), 1))
		err, took := r.stop()
		first, second := <-ends, <-ends
		if !errors.Is(err, ErrDrainDeadline) || took > 22*time.Second {
			t.Errorf("got %v after %v", err, took)
		}
		if !errors.Is(first, ErrOutcomeUnknown) || errors.Is(first, ErrNotEmitted) {
			t.Errorf("the record that was out: %v, want ErrOutcomeUnknown", first)
		}
		if !errors.Is(second, ErrNotEmitted) || errors.Is(second, ErrOutcomeUnknown) {
			t.Errorf("the record behind it: %v, want ErrNotEmitted", second)
		}
	})
}

func TestEmitBadRecords(t *testing.T) {
	for _, policy := range []ErrorPolicy{OnErrorStop, OnErrorSkip} {
		t.Run(string(policy), func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				source := stream(func(ctx context.Context, e *Emitter, _ int) error {
					if err := e.EmitAsync(ctx, nil, nil); !errors.Is(err, ErrNotEmitted) || !IsInvalidData(err) {
						t.Errorf("nil: %v", err)
					}
					if _, err := e.Emit(ctx, NewRecord("", make([]byte, 5<<20))); !IsInvalidData(err) || !errors.Is(err, danube.ErrTooLarge) {
						t.Errorf("oversized: %v", err)
					} else if errors.Is(err, ErrStoppedByPolicy) != (policy == OnErrorStop) {
						t.Errorf("with %s: %v", policy, err)
					}
					if policy == OnErrorStop {
						<-ctx.Done()
						return ctx.Err()
					}
					_, err := e.Emit(ctx, FromString("", "good"))
					return err
				})
				err := l.source(FromStream(source), func(c *Config) { c.OnError = policy }).wait()
				if policy == OnErrorStop {
					same(t, "exit code", ExitCode(err), 5)
					return
				}
				l.must(err)
				l.b.CheckPayloads(t, topic, "good")
			})
		})
	}
}

func TestEmitAsyncDoneThatPanicsEndsTheRun(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		published := []string{"1"}
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			if err := e.EmitAsync(ctx, FromString("", "1"), func(Receipt, error) { panic("oh no") }); err != nil {
				return err
			}
			if err := e.EmitAsync(ctx, FromString("", "2"), nil); err != nil {
				return err // the run has ended already
			}
			published = append(published, "2")
			<-ctx.Done()
			return ctx.Err()
		})
		err := l.source(FromStream(source)).wait()
		if ExitCode(err) != 1 || !strings.Contains(fmt.Sprint(err), "oh no") {
			t.Errorf("got %v", err)
		}
		l.b.CheckPayloads(t, topic, published...)
		if l.log.count("stack=", "source_emit_test.go") == 0 {
			t.Error("the stack is not in the log")
		}
	})
}
