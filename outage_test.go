package connect

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// system is an external system that can be down, and a connector that writes to it.
type system struct {
	*ordered
	down atomic.Bool
	bad  func(rec *SinkRecord) bool // records that it never takes; may be nil

	mu       sync.Mutex
	attempts map[string]int // by payload
	checks   int
}

var errDown = errors.New("connection refused")

func newSystem(t testing.TB) *system {
	s := &system{ordered: newOrdered(t, false), attempts: map[string]int{}}
	s.work = func(rec *SinkRecord) error {
		s.mu.Lock()
		s.attempts[string(rec.Payload())]++
		s.mu.Unlock()
		if s.down.Load() {
			return errDown
		}
		if s.bad != nil && s.bad(rec) {
			return errors.New("constraint violated")
		}
		return nil
	}
	return s
}

// checked is a system with a health check.
type checked struct{ *system }

func (s checked) HealthCheck(context.Context) error {
	s.mu.Lock()
	s.checks++
	s.mu.Unlock()
	if s.down.Load() {
		return errDown
	}
	return nil
}

// wholeBatches writes batches, all of it or nothing.
type wholeBatches struct{ *system }

func (s wholeBatches) ProcessBatch(_ context.Context, b *Batch) error {
	leave := s.enter(b.Records()...)
	defer leave()
	for _, rec := range b.Records() {
		if err := s.work(rec); err != nil {
			return err
		}
	}
	for _, rec := range b.Records() {
		s.written(rec)
	}
	return nil
}

type checkedBatches struct{ wholeBatches }

func (s checkedBatches) HealthCheck(ctx context.Context) error {
	return checked{s.system}.HealthCheck(ctx)
}

// connector returns one of the four.
func (s *system) connector(health, batches bool) SinkConnector {
	switch {
	case health && batches:
		return FromBatch(checkedBatches{wholeBatches{s}})
	case batches:
		return FromBatch(wholeBatches{s})
	case health:
		return checked{s}
	}
	return s
}

// outageTest is a sink whose external system goes down for a while.
type outageTest struct {
	health, batches bool
	partitions      int
	ackTimeout      time.Duration // that the sink counts with
	lasts           time.Duration
	messages        int // published meanwhile
}

func (o outageTest) String() string {
	return fmt.Sprintf("health check %v, batches %v, %d partitions", o.health, o.batches, o.partitions)
}

// onReal runs a scenario on the real broker that the environment names.
func onReal(t *testing.T, scenario func(*testing.T, *lab)) {
	l := &lab{t: t, suffix: "_" + rand.Text()[:10] + "_z"}
	l.open(danube.Config{Seeds: []string{os.Getenv("DANUBE_SERVICE_URL")}})
	scenario(t, l)
}

// streams says whether the lab's topic t has open streams, and closed ones.
func (l *lab) streams() (open, closed bool) {
	for _, c := range l.b.Consumers() {
		if strings.HasPrefix(c.Topic, l.name("t")) {
			open, closed = open || c.Streaming, closed || !c.Streaming
		}
	}
	return open, closed
}

// run is the whole course: up, down, up again, and everything is there, once and in
// order, with no dead letter and no subscription blocked.
func (o outageTest) run(t *testing.T, l *lab) {
	topic := l.topic("t", o.partitions)
	sys := newSystem(t)
	r := l.sink(sys.connector(o.health, o.batches), l.deadTopic, func(c *Config) {
		c.AckTimeout, c.MaxBackoff, c.BatchSize = o.ackTimeout, o.ackTimeout/2, 4
	})
	const before = 20
	l.publish(topic, numbers(0, before-1)...)
	l.until("the first written", func() bool { return sys.count() == before })

	sys.down.Store(true)
	start := time.Now()
	var heldAt, shutAt time.Duration
	for i := range o.messages {
		l.publish(topic, fmt.Sprint(before+i))
		l.pause(o.lasts / time.Duration(o.messages))
		if why := r.notReady(); heldAt == 0 && strings.Contains(why, "external system of "+topic+": ") && strings.Contains(why, errDown.Error()) {
			heldAt = time.Since(start)
		}
		if shutAt == 0 && l.log.count("closing the streams") > 0 {
			shutAt = time.Since(start)
		}
	}
	if l.b != nil {
		if open, closed := l.streams(); open || !closed {
			t.Errorf("streams at the end of the outage: open %v, closed %v", open, closed)
		}
	}
	// A record's time ends 5 s before the ack timeout, but is at least 10 s; without a
	// health check a second one has to spend its own.
	begins := max(o.ackTimeout-retryMargin, retryLeast)
	slack := 2*o.lasts/time.Duration(o.messages) + time.Second
	if !o.health {
		slack += retryLeast
	}
	if heldAt < begins || heldAt > begins+slack {
		t.Errorf("not ready for the outage after %v, want %v to %v", heldAt, begins, begins+slack)
	}
	if d := shutAt - heldAt - o.ackTimeout/2; d < -slack || d > slack+o.ackTimeout/4 {
		t.Errorf("streams closed %v after the hold began, want half the ack timeout", shutAt-heldAt)
	}
	tried := sys.calls
	sys.down.Store(false)
	all := before + o.messages
	l.until("all written", func() bool { return sys.count() == all })
	l.until("ready", func() bool { return r.notReady() == "" })
	l.until("nothing in hand", func() bool { return r.metric("inflight_messages") == 0 })
	if l.b != nil {
		l.must(l.b.WaitIdle(t.Context(), topic, "s"))
		if n := l.deliveries(topic); n > 4 {
			t.Errorf("a message was delivered %d times", n)
		}
	}
	same(t, "outages", l.log.count("the external system is down: intake paused"), 1)
	same(t, "ends of outages", l.log.count("the external system is back"), 1)
	sys.once()
	// Attempts with backoff, and two looks at what is in hand.
	if most := 60 + 20*max(1, o.partitions); tried > before+most {
		t.Errorf("%d calls while the system was down, want at most about %d", tried-before, most)
	}
	// The subscription lives.
	l.publish(topic, fmt.Sprint(all))
	l.until("the next one written", func() bool { return sys.count() == all+1 })
	r.stopped()
	same(t, "dead-lettered", r.metric("messages_dead_lettered_total"), 0)
	same(t, "in flight", r.metric("inflight_messages"), 0)
}
