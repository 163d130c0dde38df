package danubetest_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// The model test does random things to a broker and compares with a model that knows
// no lists, timers or queues: what is delivered must be allowed, and in the end every
// message must have been acknowledged.

const (
	modelWindow     = 5
	modelAckTimeout = 7 * time.Second
)

// arrival is one message on one stream.
type arrival struct {
	at       time.Time
	offset   uint64
	consumer int
}

// modelSub is a subscription and what must be true of it.
type modelSub struct {
	name  string
	typ   pb.ConsumerRequest_SubscriptionType
	born  time.Time
	conns []*modelConsumer

	mu       sync.Mutex
	arrivals []arrival // not looked at yet

	next   uint64             // the next message that was never delivered
	held   map[uint64]arrival // delivered and waiting for an ack
	done   map[uint64]bool    // acked, and not forgotten by a restart
	acked  map[uint64]bool    // acked ever
	cursor int64
}

type modelConsumer struct {
	name string
	id   uint64
	*consumer
	done chan struct{} // closed when the stream has ended
}

func (m *modelSub) beat(t time.Time) time.Time {
	const beat = 500 * time.Millisecond
	return m.born.Add((t.Sub(m.born) + beat - 1) / beat * beat)
}

// expire forgets what was held for too long at a time.
func (m *modelSub) expire(now time.Time) {
	for o, a := range m.held {
		if !m.beat(a.at.Add(modelAckTimeout)).After(now) {
			delete(m.held, o)
		}
	}
}

// look takes in what has arrived and checks it.
func (m *modelSub) look(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	slices.SortStableFunc(m.arrivals, func(a, b arrival) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.offset, b.offset))
	})
	for _, a := range m.arrivals {
		m.expire(a.at)
		_, held := m.held[a.offset]
		switch {
		case a.offset > m.next:
			t.Fatalf("%s: message %d comes, %d was never delivered", m.name, a.offset, m.next)
		case held:
			t.Fatalf("%s: message %d comes again although it is held", m.name, a.offset)
		case m.done[a.offset]:
			t.Fatalf("%s: message %d comes again although it was acked", m.name, a.offset)
		case a.offset == m.next:
			m.next++
		}
		m.held[a.offset] = a
		if len(m.held) > modelWindow {
			t.Fatalf("%s: %d messages in flight", m.name, len(m.held))
		}
	}
	m.arrivals = nil
	m.expire(time.Now())
}

// compare holds the broker's own account against the model.
func (m *modelSub) compare(t *testing.T, b *danubetest.Broker) {
	t.Helper()
	i, _ := b.Subscription(topic, m.name)
	cursor := int64(-1)
	for m.done[uint64(cursor+1)] {
		cursor++
	}
	got := []any{i.InFlight, i.Acked, i.Cursor}
	if w := []any{len(m.held), len(m.acked), cursor}; fmt.Sprint(got) != fmt.Sprint(w) {
		t.Fatalf("%s: in flight, acked, cursor: broker says %v, model says %v", m.name, got, w)
	}
	if i.Cursor < m.cursor {
		t.Fatalf("%s: cursor went from %d to %d", m.name, m.cursor, i.Cursor)
	}
	m.cursor = i.Cursor
	if i.InFlight+i.Retrying > modelWindow {
		t.Fatalf("%s: %d in flight and %d to come again", m.name, i.InFlight, i.Retrying)
	}
}

// read keeps a stream empty.
func (m *modelSub) read(c *modelConsumer, n int) {
	defer close(c.done)
	for {
		msg, err := c.stream.Recv()
		if err != nil {
			return
		}
		m.mu.Lock()
		m.arrivals = append(m.arrivals, arrival{time.Now(), msg.GetMsgId().GetTopicOffset(), n})
		m.mu.Unlock()
	}
}

// connect subscribes and opens the stream, taking over what was open.
func (m *modelSub) connect(s *stubs, n int) {
	c := m.conns[n]
	m.lose(n)
	c.consumer = s.open(topic, m.name, c.name, m.typ)
	if c.id != 0 && c.id != c.consumer.id {
		s.t.Fatalf("%s: another id for %s", m.name, c.name)
	}
	c.id = c.consumer.id
	c.done = make(chan struct{})
	go m.read(c, n)
}

// lose forgets what a consumer holds; the broker will send it again.
func (m *modelSub) lose(n int) {
	for o, a := range m.held {
		if a.consumer == n {
			delete(m.held, o)
		}
	}
}

func (m *modelSub) disconnect(n int) {
	c := m.conns[n]
	if c.consumer == nil {
		return
	}
	c.cancel()
	<-c.done
	synctest.Wait()
	c.consumer = nil
	m.lose(n)
}

// restart forgets what a broker forgets.
func (m *modelSub) restart() {
	for n, c := range m.conns {
		if c.consumer != nil {
			<-c.done
			c.consumer = nil
		}
		c.id = 0
		m.lose(n)
	}
	m.mu.Lock()
	m.arrivals = nil
	m.mu.Unlock()
	m.next = uint64(m.cursor + 1)
	for o := range m.done {
		if int64(o) > m.cursor {
			delete(m.done, o)
		}
	}
}

func runModel(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	b := danubetest.Run(t, danubetest.WithBufconn(), danubetest.WithMaxUnacked(modelWindow),
		danubetest.WithFailurePolicy("", danubetest.FailurePolicy{
			MaxRedeliveries: 1 << 30, AckTimeout: modelAckTimeout, MaxDelay: 3 * time.Second,
		}))
	s := dial(t, b)
	p := s.producer(topic, "p")
	subs := []*modelSub{
		{name: "exclusive", typ: exclusive, conns: []*modelConsumer{{name: "a"}}},
		{name: "shared", typ: shared, conns: []*modelConsumer{{name: "a"}, {name: "b"}, {name: "c"}}},
	}
	published := 0
	for _, m := range subs {
		m.born, m.cursor = time.Now(), -1
		m.held, m.done, m.acked = make(map[uint64]arrival), make(map[uint64]bool), make(map[uint64]bool)
		must(t, b.CreateSubscription(topic, m.name, danubetest.SubOpts{}))
	}
	any := func(m *modelSub) (o uint64, ok bool) { // one that is held, or just any
		held := make([]uint64, 0, len(m.held))
		for o := range m.held {
			held = append(held, o)
		}
		slices.Sort(held)
		switch {
		case len(held) > 0 && rnd.IntN(10) > 0:
			return held[rnd.IntN(len(held))], true
		case m.next > 0:
			o = rnd.Uint64N(m.next)
			_, ok = m.held[o]
			return o, ok
		}
		return 0, false
	}
	acker := func(m *modelSub) *consumer { return &consumer{s: s, topic: topic, sub: m.name} }
	ack := func(m *modelSub, o uint64, held bool) {
		acker(m).ack(o)
		if held {
			delete(m.held, o)
			m.done[o], m.acked[o] = true, true
		}
	}
	check := func() {
		synctest.Wait()
		for _, m := range subs {
			m.look(t)
			m.compare(t, b)
		}
	}
	for range 200 {
		m := subs[rnd.IntN(len(subs))]
		n := rnd.IntN(len(m.conns))
		switch k := rnd.IntN(100); {
		case k < 30:
			for range 1 + rnd.IntN(4) {
				p.send("x")
				published++
			}
		case k < 60:
			if o, held := any(m); m.next > 0 {
				ack(m, o, held)
			}
		case k < 70:
			if o, held := any(m); m.next > 0 {
				acker(m).nack(o, time.Duration(rnd.IntN(5000))*time.Millisecond)
				if held {
					delete(m.held, o)
				}
			}
		case k < 82:
			m.connect(s, n)
		case k < 87:
			m.disconnect(n)
		case k < 98:
			time.Sleep(time.Duration(rnd.IntN(9000)) * time.Millisecond)
		default:
			b.Stop()
			for _, m := range subs {
				m.restart()
			}
			must(t, b.Start())
			s = dial(t, b)
			p = s.producer(topic, "p")
		}
		check()
	}
	// Nothing is lost: whoever acks what comes gets it all.
	for _, m := range subs {
		m.connect(s, 0)
	}
	for range 10_000 {
		check()
		left := 0
		for _, m := range subs {
			left += published - len(m.done)
			for o := range m.held {
				ack(m, o, true)
			}
		}
		if left == 0 {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	for _, m := range subs {
		want(t, m.name+": acked", len(m.acked), published)
		b.CheckNoUnacked(t, topic, m.name)
	}
	var last uint64
	for _, msg := range b.Messages(topic) {
		if msg.Offset != last {
			t.Fatalf("message %d where %d should be", msg.Offset, last)
		}
		last++
	}
}

func TestModel(t *testing.T) {
	seeds := []uint64{rand.Uint64()}
	for i := range uint64(10) {
		seeds = append(seeds, i)
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runModel(t, seed) })
		})
	}
}
