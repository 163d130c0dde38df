package connect

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// A paused source neither polls nor takes what is emitted; what it has goes on.
func TestSourcePausesAndResumes(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		w.hold(payload("p3"))
		source := &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			l.pause(5 * time.Millisecond)
			return offsets("p", n, n), nil
		}}}
		r := l.sourceRuntime(source, quick)
		l.until("publishing", func() bool { return source.last("p") == "p@2" })
		r.rt.Pause()
		l.until("paused", func() bool {
			before := len(source.polled())
			l.pause(100 * time.Millisecond)
			return len(source.polled()) == before
		})
		n := len(source.polled())
		w.let()
		l.until("what it has committed", func() bool { return source.last("p") == fmt.Sprint("p@", n) })
		same(t, "polls", len(source.polled()), n)
		r.rt.Resume()
		l.until("polling", func() bool { return len(source.polled()) > n })
		if err, _ := r.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// rate_limit holds from the first record on.
func TestSourceKeepsToTheRateLimit(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		var mu sync.Mutex
		var sent []time.Time
		w.set(func(_ context.Context, _ publish, send func() error) error {
			mu.Lock()
			sent = append(sent, time.Now())
			mu.Unlock()
			return send()
		})
		l.must(l.source(polled(keyed(1, 50, 1)), quick, func(c *Config) { c.RateLimit = 100 }).wait())
		if !l.bubble {
			return // on a busy machine, what waits for the broker goes out at once
		}
		if took := sent[49].Sub(sent[0]); took < 460*time.Millisecond {
			t.Errorf("50 records came within %v", took)
		}
		if early := sent[10].Sub(sent[0]); early < 70*time.Millisecond {
			t.Errorf("the first 10 came within %v", early)
		}
	})
}
