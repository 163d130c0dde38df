package connect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// publishes is a fault of SendMessage, until it is removed.
func publishes(f danubetest.Fault) danubetest.Fault {
	f.Methods = []danubetest.Method{danubetest.MethodSendMessage}
	f.Count = -1
	return f
}

// errDenied is an answer of the broker that no retry changes.
var errDenied = status.Error(codes.PermissionDenied, "no binding grants produce on the topic")

func texts(topic string, payloads ...string) []*SourceRecord {
	var list []*SourceRecord
	for _, p := range payloads {
		list = append(list, FromString(topic, p))
	}
	return list
}

// offsets returns records with the offsets from to to of a source partition.
func offsets(partition string, from, to int) []*SourceRecord {
	var list []*SourceRecord
	for i := from; i <= to; i++ {
		list = append(list, FromString("", fmt.Sprint(partition, i)).WithOffset(OffsetInt(partition, int64(i))))
	}
	return list
}

// committing is a source that commits.
type committing struct {
	*testSource
	commit func(n int, offsets []Offset) error // n counts calls from 1

	commits   atomic.Int64
	committed []Offset // guarded by mu of testSource
}

func (s *committing) Commit(ctx context.Context, offsets []Offset) error {
	n := int(s.commits.Add(1))
	if s.commit != nil {
		if err := s.commit(n, offsets); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed = append(s.committed, offsets...)
	return ctx.Err()
}

// all returns what was committed, in order.
func (s *committing) all() []Offset {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.committed)
}

// last returns the newest offset of a partition, empty when there is none.
func (s *committing) last(partition string) string {
	last := ""
	for _, o := range s.all() {
		if o.Partition == partition {
			last = o.String()
		}
	}
	return last
}

// testSource is a source of the functions given.
type testSource struct {
	initialize func(ctx context.Context, s *Setup) error
	poll       func(ctx context.Context, n int) ([]*SourceRecord, error) // n counts from 1
	shutdown   func(ctx context.Context) error

	mu    sync.Mutex
	polls []time.Time
	life  []string
}

func (s *testSource) lived(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.life); n == 0 || s.life[n-1] != what {
		s.life = append(s.life, what)
	}
}

func (s *testSource) Initialize(ctx context.Context, setup *Setup) error {
	s.lived("initialize")
	if s.initialize != nil {
		return s.initialize(ctx, setup)
	}
	return nil
}

func (s *testSource) Poll(ctx context.Context) ([]*SourceRecord, error) {
	s.lived("poll")
	s.mu.Lock()
	s.polls = append(s.polls, time.Now())
	n := len(s.polls)
	s.mu.Unlock()
	if s.poll == nil {
		return nil, nil
	}
	return s.poll(ctx, n)
}

func (s *testSource) Shutdown(ctx context.Context) error {
	s.lived("shutdown")
	if s.shutdown != nil {
		return s.shutdown(ctx)
	}
	return nil
}

func (s *testSource) lifetime() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.life, " ")
}

// polled returns when each Poll began.
func (s *testSource) polled() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.polls)
}

// once makes a source of one poll's records, idle after that.
func once(records ...*SourceRecord) *testSource {
	return &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
		if n == 1 {
			return records, nil
		}
		return nil, nil
	}}
}
