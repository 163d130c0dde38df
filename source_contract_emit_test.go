package connect

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

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

// EmitAsync waits for room: 64 records or 16 MiB of a partition.
func TestEmitAsyncIsBounded(t *testing.T) {
	for name, tc := range map[string]struct{ size, room int }{
		"records": {1, 64},
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
