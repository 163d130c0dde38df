package connect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// processed is one call of Process, as a test sees it.
type processed struct {
	rec     *SinkRecord
	payload string
	attempt int // of this payload, from 1
	at      time.Time
}

// testSink is a sink that remembers what it was asked; the functions decide.
type testSink struct {
	initialize func(ctx context.Context, s *Setup) error
	process    func(ctx context.Context, p processed) error
	shutdown   func(ctx context.Context) error

	mu    sync.Mutex
	calls []processed
	life  []string // initialize, process, shutdown; repetitions left out
}

func (s *testSink) lived(what string) {
	if n := len(s.life); n == 0 || s.life[n-1] != what {
		s.life = append(s.life, what)
	}
}

func (s *testSink) Initialize(ctx context.Context, setup *Setup) error {
	s.mu.Lock()
	s.lived("initialize")
	s.mu.Unlock()
	if s.initialize != nil {
		return s.initialize(ctx, setup)
	}
	return nil
}

func (s *testSink) enter(rec *SinkRecord) processed {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lived("process")
	p := processed{rec: rec, payload: string(rec.Payload()), attempt: 1, at: time.Now()}
	for _, c := range s.calls {
		if c.payload == p.payload {
			p.attempt++
		}
	}
	s.calls = append(s.calls, p)
	return p
}

func (s *testSink) Process(ctx context.Context, rec *SinkRecord) error {
	p := s.enter(rec)
	if s.process != nil {
		return s.process(ctx, p)
	}
	return nil
}

func (s *testSink) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.lived("shutdown")
	s.mu.Unlock()
	if s.shutdown != nil {
		return s.shutdown(ctx)
	}
	return nil
}

func (s *testSink) seen() []processed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// payloads returns what Process was called with, in order.
func (s *testSink) payloads() []string {
	var list []string
	for _, c := range s.seen() {
		list = append(list, c.payload)
	}
	return list
}

func (s *testSink) lifetime() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.life, " ")
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
