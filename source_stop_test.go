package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
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

func TestSourceStopWhileIdle(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		source := &testSource{}
		r := l.source(source).ready()
		err, took := r.stop()
		if err != nil || took > time.Second {
			t.Errorf("got %v after %v, want a clean stop at once", err, took)
		}
		same(t, "the connector's life", source.lifetime(), "initialize poll shutdown")
	})
}

func TestSourceStopEndsABlockingPoll(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		source := &testSource{poll: func(ctx context.Context, _ int) ([]*SourceRecord, error) {
			<-ctx.Done()
			return texts("", "last"), ctx.Err()
		}}
		r := l.source(source).ready()
		err, took := r.stop()
		if err != nil || took > time.Second {
			t.Errorf("got %v after %v, want a clean stop at once", err, took)
		}
		l.b.CheckPayloads(t, l.name("t"), "last")
	})
}

// A source that never gets tired must not keep its own stop from coming.
func TestSourceStopWhilePollReturnsMore(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		var polled atomic.Int64
		source := &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			time.Sleep(time.Millisecond)
			return texts("", fmt.Sprint(polled.Add(1))), nil
		}}
		r := l.source(source)
		_, err := l.b.WaitPublished(t.Context(), topic, 50)
		l.must(err)
		r.stopped()
		same(t, "published", len(l.b.Messages(topic)), polled.Load())
	})
}

func TestSourceStopDuringAHangingPublish(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSendMessage}, Hang: true, Skip: 3, Count: -1})
		source := &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			if n == 1 {
				return offsets("p", 1, 10), nil
			}
			return nil, nil
		}}}
		r := l.source(source)
		_, err := l.b.WaitPublished(t.Context(), topic, 3)
		l.must(err)
		err, took := r.stop()
		if !errors.Is(err, ErrDrainDeadline) || took < 20*time.Second || took > 22*time.Second {
			t.Errorf("got %v after %v, want the drain deadline after 20s", err, took)
		}
		same(t, "exit code", ExitCode(err), 4)
		if !strings.Contains(fmt.Sprint(err), "7 records") {
			t.Errorf("%v does not say what was left", err)
		}
		same(t, "committed", source.last("p"), "p@3")
		same(t, "the connector's life", source.lifetime(), "initialize poll shutdown")
		same(t, "in flight", r.metric("inflight_messages"), 0)
	})
}

// What one Poll brought may be more than there is room for.
func TestSourceStopCountsWhatFoundNoRoom(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Hang: true}))
		source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			return texts("", numbers(1, 3000)...), nil
		}}
		r := l.source(source)
		l.must(h.Wait(t.Context(), 1))
		err, _ := r.stop()
		if !errors.Is(err, ErrDrainDeadline) || !strings.Contains(fmt.Sprint(err), "3000 records") {
			t.Errorf("got %v, want the drain deadline and 3000 records", err)
		}
	})
}

// An error that is for good must show, also when it comes after the stop.
func TestSourcePublishThatFailsDuringTheDrainIsAnError(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Delay: time.Second, Err: errDenied}))
		source := &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			if n == 1 {
				return offsets("p", 1, 1), nil
			}
			return nil, nil
		}}}
		r := l.source(source)
		l.until("publishing", func() bool { return r.metric("inflight_messages") == 1 })
		err, _ := r.stop()
		if ExitCode(err) != 1 || !strings.Contains(fmt.Sprint(err), "no binding grants") {
			t.Errorf("got %v, want the broker's refusal", err)
		}
		same(t, "committed", source.last("p"), "")
		_ = h
	})
}

func TestSourcePollThatDoesNotReturnIsLeftBehind(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		release := make(chan struct{})
		source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			if n == 1 {
				return texts("", "1"), nil
			}
			<-release
			return texts("", "2"), nil
		}}
		r := l.source(source)
		_, err := l.b.WaitPublished(t.Context(), topic, 1)
		l.must(err)
		err, took := r.stop()
		if !errors.Is(err, ErrDrainDeadline) || took > 22*time.Second || !strings.Contains(fmt.Sprint(err), "Poll") {
			t.Errorf("got %v after %v, want the drain deadline and Poll", err, took)
		}
		same(t, "exit code", ExitCode(err), 4)
		same(t, "the connector's life", source.lifetime(), "initialize poll shutdown")
		close(release)
	})
}

func TestSourceSecondSignalForcesTheEnd(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Hang: true}))
		source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			return texts("", fmt.Sprint(n)), nil
		}}
		r := l.source(source)
		l.must(h.Wait(t.Context(), 1))
		r.signal(syscall.SIGINT, false)
		l.pause(time.Second)
		start := time.Now()
		r.signal(syscall.SIGINT, true)
		err := r.wait()
		var forced *ForcedError
		if !errors.As(err, &forced) || !strings.Contains(forced.Unsettled, "records were not published") || time.Since(start) > time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		same(t, "exit code", ExitCode(err), 130)
	})
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

func TestSourceEOFDrainsAndEndsCleanly(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		check := &testSink{}
		sink := l.sink(check)
		source := &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			if n == 3 {
				return offsets("p", 21, 30), io.EOF
			}
			return offsets("p", 10*n-9, 10*n), nil
		}}}
		r := l.source(source)
		if err := r.wait(); err != nil {
			t.Errorf("Run: %v, want nil", err)
		}
		same(t, "committed", source.last("p"), "p@30")
		same(t, "offsets committed", len(source.all()), 30)
		same(t, "the connector's life", source.lifetime(), "initialize poll shutdown")
		same(t, "polls", len(source.polled()), 3)
		l.until("all arrived", func() bool { return len(check.seen()) == 30 })
		sink.stopped()
		var want []string
		for _, n := range numbers(1, 30) {
			want = append(want, "p"+n)
		}
		same(t, "arrived", check.payloads(), want)
	})
}
