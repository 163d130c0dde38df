package connect

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"
)

// ordered is a sink that watches the order of each routing key, or of each partition
// where byKey is off. Payloads are numbers that grow.
type ordered struct {
	t        testing.TB
	byKey    bool
	anyOrder bool
	work     func(rec *SinkRecord) error // nil succeeds

	mu    sync.Mutex
	busy  map[string]int
	now   int // calls under way
	most  int // at once
	done  map[string]int
	last  map[string]int
	calls int
}

func newOrdered(t testing.TB, byKey bool) *ordered {
	return &ordered{t: t, byKey: byKey, busy: map[string]int{}, done: map[string]int{}, last: map[string]int{}}
}

func (s *ordered) of(rec *SinkRecord) string {
	key := fmt.Sprint(rec.Topic(), rec.Partition())
	if s.byKey {
		key += " " + rec.Key()
	}
	return key
}

func (s *ordered) Initialize(context.Context, *Setup) error { return nil }
func (s *ordered) Shutdown(context.Context) error           { return nil }

func (s *ordered) Process(_ context.Context, rec *SinkRecord) error {
	leave := s.enter(rec)
	defer leave()
	if s.work != nil {
		if err := s.work(rec); err != nil {
			return err
		}
	}
	s.written(rec)
	return nil
}

func (s *ordered) enter(recs ...*SinkRecord) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.now++
	s.most = max(s.most, s.now)
	mine := map[string]bool{}
	for _, rec := range recs {
		mine[s.of(rec)] = true
	}
	for key := range mine {
		if s.busy[key]++; s.busy[key] > 1 && !s.anyOrder {
			s.t.Errorf("%q is in two calls at once", key)
		}
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.now--
		for key := range mine {
			s.busy[key]--
		}
	}
}

func (s *ordered) written(rec *SinkRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	payload := string(rec.Payload())
	n, err := strconv.Atoi(payload)
	if err != nil {
		s.t.Errorf("payload %q", payload)
	}
	if last := s.last[s.of(rec)]; n < last && !s.anyOrder {
		s.t.Errorf("%q: %d was written after %d", s.of(rec), n, last)
	}
	s.last[s.of(rec)] = n
	s.done[payload]++
}

func (s *ordered) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.done)
}

// once fails the test for each record that was written more than once.
func (s *ordered) once() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for payload, n := range s.done {
		if n != 1 {
			s.t.Errorf("record %s was written %d times", payload, n)
		}
	}
}

// orderedBatch is the same for batches, of which each record may fail by name.
type orderedBatch struct{ *ordered }

func (s orderedBatch) ProcessBatch(_ context.Context, b *Batch) error {
	leave := s.enter(b.Records()...)
	defer leave()
	time.Sleep(time.Millisecond) // sleep: a connector takes its time
	failed := map[string]bool{}
	for _, rec := range b.Records() {
		if failed[s.of(rec)] || s.work(rec) != nil { // nothing may be written before it
			failed[s.of(rec)] = true
			if err := b.Fail(rec, errors.New("not this time")); err != nil {
				s.t.Error(err)
			}
			continue
		}
		s.written(rec)
	}
	return nil
}
