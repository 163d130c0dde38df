package connect

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// ledger stands between a sink and what settles its records, and knows each delivery
// by its message: every one of them is another.
type ledger struct {
	t testing.TB

	mu      sync.Mutex
	settled map[*danube.Message]string
	written map[*danube.Message]bool // Process has returned nil
	free    int                      // settled without
	byName  map[string]bool          // payloads that are written or were given up
}

func newLedger(t testing.TB) *ledger {
	return &ledger{t: t, settled: map[*danube.Message]string{}, written: map[*danube.Message]bool{}, byName: map[string]bool{}}
}

func (l *ledger) between(c Consumer) settler { return &ledgerSettler{l, ackSettler{c}} }

type ledgerSettler struct {
	*ledger
	next settler
}

func (s *ledgerSettler) note(m *danube.Message, how string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, twice := s.settled[m]; twice {
		s.t.Errorf("offset %d of %s was %s and is %s", m.Offset, m.WireTopic, was, how)
	}
	s.settled[m] = how
	if how == "settled" {
		if s.byName[string(m.Payload)] = true; !s.written[m] {
			s.free++
		}
	} else if s.written[m] {
		s.t.Errorf("offset %d of %s was written and is given back", m.Offset, m.WireTopic)
	}
}

func (s *ledgerSettler) settle(m *danube.Message) error {
	s.note(m, "settled")
	return s.next.settle(m)
}

func (s *ledgerSettler) giveBack(ctx context.Context, m *danube.Message, delay time.Duration, reason string) error {
	s.note(m, "given back")
	return s.next.giveBack(ctx, m, delay, reason)
}

// fate is a connector whose calls end in all the ways there are.
type fate struct {
	*ledger
	rate  int          // one call in so many goes wrong
	down  atomic.Int64 // until when all do, in Unix nanoseconds
	rndMu sync.Mutex
	rnd   *rand.Rand
}

func (f *fate) roll(n int) int {
	f.rndMu.Lock()
	defer f.rndMu.Unlock()
	return f.rnd.IntN(n)
}

func (f *fate) Initialize(context.Context, *Setup) error { return nil }
func (f *fate) Shutdown(context.Context) error           { return nil }

// outcome decides about one call; nil writes.
func (f *fate) outcome(ctx context.Context) error {
	if err := f.health(); err != nil {
		return err
	}
	if f.rate == 0 || f.roll(f.rate) > 0 {
		return nil
	}
	switch f.roll(12) {
	case 0, 1, 2:
		return errors.New("busy")
	case 3:
		return RetryableAfter(errors.New("later"), time.Duration(f.roll(40))*time.Second)
	case 4, 5:
		return InvalidDataf("no")
	case 6, 7:
		panic("oh no")
	case 8:
		<-ctx.Done()
		return context.Cause(ctx)
	case 9: // it does not look at its context
		time.Sleep(time.Duration(f.roll(60)) * time.Second)
		return errors.New("too late")
	case 10: // and succeeds all the same
		time.Sleep(time.Duration(f.roll(60)) * time.Second)
		return nil
	}
	if f.roll(4) == 0 {
		return Fatalf("enough")
	}
	return errors.New("busy")
}

func (f *fate) wrote(recs ...*SinkRecord) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range recs {
		f.written[r.msg] = true
	}
}

func (f *fate) Process(ctx context.Context, rec *SinkRecord) error {
	if err := f.outcome(ctx); err != nil {
		return err
	}
	f.wrote(rec)
	return nil
}

type fateBatch struct{ *fate }

func (f fateBatch) ProcessBatch(ctx context.Context, b *Batch) error {
	err := f.outcome(ctx)
	if err != nil && f.roll(2) == 0 {
		return err // the whole batch
	}
	for _, rec := range b.Records() {
		if err != nil && f.roll(3) == 0 {
			if e := b.Fail(rec, err); e != nil {
				f.t.Error(e)
			}
			continue
		}
		f.wrote(rec)
	}
	return nil
}

type (
	fateChecked      struct{ *fate }
	fateBatchChecked struct{ fateBatch }
)

func (f *fate) health() error {
	if time.Now().UnixNano() < f.down.Load() {
		return errDown
	}
	return nil
}

func (f fateChecked) HealthCheck(context.Context) error      { return f.health() }
func (f fateBatchChecked) HealthCheck(context.Context) error { return f.health() }

// connector returns one of the four.
func (f *fate) connector(health, batches bool) SinkConnector {
	switch {
	case health && batches:
		return FromBatch(fateBatchChecked{fateBatch{f}})
	case batches:
		return FromBatch(fateBatch{f})
	case health:
		return fateChecked{f}
	}
	return f
}

// trouble makes something go wrong with the broker.
func (l *lab) trouble(roll func(int) int) {
	unavailable := status.Error(codes.Unavailable, "trouble")
	switch roll(7) {
	case 0:
		l.b.DropStreams([]danubetest.StreamEnd{danubetest.StreamUnavailable, danubetest.StreamInternal}[roll(2)])
	case 1:
		l.b.Stop()
		l.pause(time.Duration(roll(8000)) * time.Millisecond)
		l.must(l.b.Start())
	case 2:
		f := danubetest.AckLost("s")
		f.AfterApply, f.Optional, f.Count = roll(2) == 0, true, 1+roll(5)
		l.b.Fault(f)
	case 3:
		l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodNack}, Err: unavailable, Optional: true, AfterApply: roll(2) == 0})
	case 4: // of dead letters
		l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSendMessage}, Err: unavailable, Optional: true, AfterApply: roll(2) == 0, Count: 1 + roll(3)})
	case 5:
		l.b.CloseClient("c")
	case 6:
		l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodDelivery}, EndStream: danubetest.StreamUnavailable, Skip: roll(10), Optional: true})
	}
}

// Whatever becomes of the calls into the connector, of the broker and of the sink: each
// delivery ends in exactly one way, what was not written is not acknowledged unless its
// policy says so, and nothing is lost.
func TestSinkEveryDeliveryEndsOnce(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			onFake(t, func(t *testing.T, l *lab) { everyDelivery(t, l, rnd) },
				danubetest.WithMaxUnacked(3+rnd.IntN(40)), danubetest.WithFailurePolicy("", danubetest.FailurePolicy{MaxRedeliveries: 10000}))
		})
	}
}

func everyDelivery(t *testing.T, l *lab, rnd *rand.Rand) {
	const n = 300
	topic := l.topic("t", rnd.IntN(4))
	books := newLedger(t)
	policy := []ErrorPolicy{OnErrorSkip, OnErrorDeadLetter, OnErrorStop, OnErrorNack}[rnd.IntN(4)]
	ordering := []Ordering{OrderPartition, OrderKey, OrderNone}[rnd.IntN(3)]
	if policy == OnErrorNack {
		ordering = OrderNone
	}
	health, batches := rnd.IntN(2) == 0, rnd.IntN(2) == 0
	what := fmt.Sprintf("on_error %s, ordering %s, health check %v, batches %v", policy, ordering, health, batches)
	start := func(rate int) (*fate, *SinkRuntime, *run) {
		f := &fate{ledger: books, rate: rate, rnd: rand.New(rand.NewPCG(rnd.Uint64(), 1))}
		rt := l.newSink(f.connector(health, batches), l.config(func(c *Config) {
			c.OnError, c.Ordering, c.Concurrency = policy, ordering, 1+rnd.IntN(5)
			c.BatchSize, c.BatchTimeout = 1+rnd.IntN(20), time.Duration(rnd.IntN(50))*time.Millisecond
			c.DrainTimeout = time.Duration(1+rnd.IntN(30)) * time.Second
			if policy != OnErrorSkip {
				c.DeadLetterTopic = l.name("dead")
			}
			if rnd.IntN(2) == 0 {
				retries := rnd.IntN(4)
				c.MaxRetries = &retries
			}
		}))
		rt.newSettler = books.between
		return f, rt, l.start(rt.core, rt.Run)
	}
	// audit looks at the accounts of a run that has ended.
	audit := func(rt *SinkRuntime, r *run) {
		t.Helper()
		received, ended := r.metric("messages_received_total"), int64(0)
		for _, route := range rt.routes {
			for how := acked; int(how) < endings; how++ {
				ended += route.ends[how].Load()
			}
		}
		same(t, what+": received and ended", ended, received)
		same(t, what+": in flight", r.metric("inflight_messages"), 0)
		if r.err != nil && strings.Contains(r.err.Error(), "fault of the SDK") {
			t.Error(r.err)
		}
	}
	_, _, first := start(0) // which makes the subscription
	first.ready().stopped()
	free := int64(0) // settled without having been written, as the runs say
	published := 0
	for published < n || rnd.IntN(3) > 0 {
		f, rt, r := start(2 + rnd.IntN(20))
		for range 1 + rnd.IntN(6) {
			if published < n {
				for range min(n-published, 1+rnd.IntN(60)) {
					l.publishKey(topic, fmt.Sprint(rnd.IntN(5)), fmt.Sprint(published))
					published++
				}
			}
			l.pause(time.Duration(rnd.IntN(40000)) * time.Millisecond)
			switch rnd.IntN(5) {
			case 0:
				rt.Pause()
				l.pause(time.Duration(rnd.IntN(40)) * time.Second)
				rt.Resume()
			case 1, 2:
				l.trouble(rnd.IntN)
			case 3:
				lasts := time.Duration(rnd.IntN(900)) * time.Second
				f.down.Store(time.Now().Add(lasts).UnixNano())
				l.pause(lasts)
			}
		}
		r.stop()                 // in the middle of everything; it may have ended by itself
		l.pause(2 * time.Minute) // calls that were left behind come back
		audit(rt, r)
		for _, route := range rt.routes {
			free += route.ends[skipped].Load() + route.ends[deadLettered].Load()
		}
	}
	// Then all is well, and what is left is written.
	_, rt, r := start(0)
	r.ready()
	l.until("all settled", func() bool {
		books.mu.Lock()
		defer books.mu.Unlock()
		return len(books.byName) == n
	})
	// Settled is not all: what the broker has not heard of comes once more.
	l.must(l.b.WaitSubscription(t.Context(), topic, "s", func(s danubetest.SubscriptionInfo) bool { return s.Pending+s.InFlight == 0 }))
	l.until("nothing in hand", func() bool { return r.metric("inflight_messages") == 0 })
	r.stopped()
	audit(rt, r)
	l.b.CheckNoUnacked(t, topic, "s")
	same(t, what+": settled without having been written", books.free, free)
}
