package danube

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// However many close at once, it happens once, all hear the same, and it takes no longer
// than the least patient of them waits. In a bubble it shows, too, that nobody waits in a
// mutex, which would stop the time.
func TestEndingOfSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e ending
		runs := 0
		start := time.Now()
		var wg sync.WaitGroup
		for _, d := range []time.Duration{time.Hour, time.Minute, 2 * time.Minute} {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			wg.Go(func() {
				err := e.end(ctx, func(ctx context.Context) error {
					runs++
					<-ctx.Done()
					return context.Cause(ctx)
				})
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
				}
			})
		}
		wg.Wait()
		if d := time.Since(start); runs != 1 || d != time.Minute {
			t.Errorf("it ran %d times and took %v, want once and a minute", runs, d)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.end(ended, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("later: got %v, want the same", err)
		}
	})
}
