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
)

// chaosBooks is what the external system of a chaos test has, over all runs of the
// sink. The good records of a key are numbered from 0 without a hole, so that a record
// is new, known, or too early; the bad ones make the connector panic.
type chaosBooks struct {
	t testing.TB

	down atomic.Int64 // until when the system is down, in Unix nanoseconds

	mu         sync.Mutex
	next       []int           // by key, the number that is to be written next
	floor      []int           // by key, next when the newest run was alone for the first time
	alone      bool            // whether it is
	mayRepeat  map[string]bool // written by a call that said that it had failed
	skipped    map[string]bool // passed over: to be among the dead letters
	written    int
	restarts   int // records written again because an earlier run's ack had not got through
	uncertain  int // because the connector had failed after it had written
	unexpected []string
}

func newChaosBooks(t testing.TB, keys int) *chaosBooks {
	return &chaosBooks{t: t, next: make([]int, keys), floor: make([]int, keys), alone: true, mayRepeat: map[string]bool{}, skipped: map[string]bool{}}
}

func (b *chaosBooks) errorf(format string, args ...any) {
	if len(b.unexpected) < 20 {
		b.unexpected = append(b.unexpected, fmt.Sprintf(format, args...))
	}
}

// write writes a record. again says that the call is going to fail all the same.
func (b *chaosBooks) write(payload string, again bool) {
	var key, n int
	if _, err := fmt.Sscan(payload, &key, &n); err != nil {
		b.t.Errorf("payload %q: %v", payload, err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch next := b.next[key]; {
	case n >= next: // what is between was given up, or the order is broken
		for i := next; i < n; i++ {
			b.skipped[fmt.Sprint(key, " ", i)] = true
		}
		b.next[key] = n + 1
		b.written++
	case b.skipped[payload]:
		b.errorf("%s was written after a later record of its key", payload)
		delete(b.skipped, payload)
		b.written++
	case b.mayRepeat[payload]:
		b.uncertain++
	case !b.alone || n < b.floor[key]:
		b.restarts++
	default:
		b.errorf("%s was written twice by one run", payload)
	}
	if again {
		b.mayRepeat[payload] = true
	}
}

// begin notes that a run begins, and settle that no other one is at work any more.
func (b *chaosBooks) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alone = false
}

func (b *chaosBooks) settle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	copy(b.floor, b.next)
	b.alone = true
}

func (b *chaosBooks) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.written + len(b.skipped)
}

// chaosSink is one run's connector.
type chaosSink struct {
	*chaosBooks
	inside atomic.Int64 // calls under way

	// How many of the next calls fail, are left hanging, or fail after they have written.
	fail, hang, late atomic.Int64
}

// take takes one of a number.
func take(n *atomic.Int64) bool {
	for {
		left := n.Load()
		if left <= 0 {
			return false
		}
		if n.CompareAndSwap(left, left-1) {
			return true
		}
	}
}

func (s *chaosSink) Initialize(context.Context, *Setup) error { return nil }
func (s *chaosSink) Shutdown(context.Context) error           { return nil }

func (s *chaosSink) HealthCheck(context.Context) error {
	if time.Now().UnixNano() < s.down.Load() {
		return errDown
	}
	return nil
}

// call writes records as one call of the connector.
func (s *chaosSink) call(ctx context.Context, recs ...*SinkRecord) error {
	s.inside.Add(1)
	defer s.inside.Add(-1)
	switch {
	case s.HealthCheck(ctx) != nil:
		return errDown
	case take(&s.fail):
		return errors.New("busy")
	case take(&s.hang):
		<-ctx.Done()
		return context.Cause(ctx)
	}
	again := take(&s.late)
	for _, rec := range recs {
		p := string(rec.Payload())
		if strings.HasPrefix(p, "bad") {
			panic("oh no") // the records before it are written, which nobody hears of
		}
		s.write(p, again || len(recs) > 1)
	}
	if again {
		return errors.New("connection reset")
	}
	for _, rec := range recs {
		s.forget(string(rec.Payload()))
	}
	return nil
}

// forget notes that the runtime has heard that a record is written.
func (b *chaosBooks) forget(payload string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.mayRepeat, payload)
}

func (s *chaosSink) Process(ctx context.Context, rec *SinkRecord) error { return s.call(ctx, rec) }

type chaosBatches struct{ *chaosSink }

func (s chaosBatches) ProcessBatch(ctx context.Context, b *Batch) error {
	return s.call(ctx, b.Records()...)
}

func (s *chaosSink) connector(batches bool) SinkConnector {
	if batches {
		return FromBatch(chaosBatches{s})
	}
	return s
}
