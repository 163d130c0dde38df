package danube

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// model plays a broker's dispatcher, the wire and an application against a tracker,
// all at random, and knows what must never happen.
type model struct {
	t   *testing.T
	rnd *rand.Rand
	tr  tracker
	log []string

	// The broker: a window of messages that it has sent and has no ack of.
	window    int
	epoch     uint64
	next      uint64
	flight    map[uint64]bool // by offset: whether an ack counts at present
	sent      []uint64        // under way to the consumer
	top       uint64          // highest offset sent in this epoch, and whether any was
	any       bool
	connected bool

	acks []modelMsg // sent by the consumer, not answered

	work       map[modelMsg]bool // with the application
	acked      map[modelMsg]bool // by the application
	unanswered map[modelMsg]bool // delivered, and no ack that was sent since is answered
	copied     map[modelMsg]bool // delivered since the last ack was sent
}

type modelMsg struct {
	epoch, offset uint64
}

func (m modelMsg) id() identity { return identity{m.epoch, m.offset} }

func TestTrackerModel(t *testing.T) {
	runs, steps := 400, 1500
	if testing.Short() {
		runs = 50
	}
	for seed := range uint64(runs) {
		m := &model{
			t: t, rnd: rand.New(rand.NewPCG(seed, 77)), window: 1 + int(seed%25),
			flight: map[uint64]bool{}, work: map[modelMsg]bool{}, acked: map[modelMsg]bool{}, unanswered: map[modelMsg]bool{}, copied: map[modelMsg]bool{},
			next: seed % 3 * 100, // a consumer seldom begins at 0
		}
		m.connect()
		for range steps {
			m.step()
		}
		m.settleAll()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func (m *model) note(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf(format, args...))
}

func (m *model) fatal(format string, args ...any) {
	m.t.Helper()
	m.t.Errorf(format, args...)
	m.t.Fatalf("the last steps: %v", m.log[max(0, len(m.log)-40):])
}

func (m *model) step() {
	checkTracker(m.t, &m.tr)
	if n := len(m.tr.entries); n > 64+3*m.window+len(m.work) {
		m.fatal("%d entries with a window of %d and %d in work", n, m.window, len(m.work))
	}
	switch r := m.rnd.IntN(1000); {
	case r < 200:
		m.sendNew()
	case r < 450:
		m.arrive()
	case r < 650:
		m.settle(m.rnd.IntN(8) == 0)
	case r < 800:
		m.ack()
	case r < 950:
		m.answer(m.rnd.IntN(6) == 0)
	case r < 975:
		m.timeout()
	case r < 985:
		m.disconnect()
	case r < 996:
		m.connect()
	case r < 997:
		m.drop()
	case r < 998:
		m.tick()
	default:
		m.restart()
	}
}

// arrive lets the oldest message under way reach the consumer.
func (m *model) arrive() {
	if len(m.sent) == 0 || !m.connected {
		return
	}
	msg := modelMsg{m.epoch, m.sent[0]}
	m.sent = m.sent[1:]
	how := m.tr.received(msg.offset, msg.id())
	m.note("%v arrives: %d", msg, how)
	m.unanswered[msg] = true
	m.copied[msg] = true // an ack that is out now may not count
	if how == renumber {
		for w := range m.work {
			if w.epoch != m.epoch {
				delete(m.work, w)
				if m.tr.settle(w.offset, w.id(), settled) {
					m.fatal("%v could be acknowledged in another epoch", w)
				}
			}
		}
	}
	if how == repeated {
		if !m.work[msg] && !m.acked[msg] {
			m.fatal("%v was never handed out", msg)
		}
		return
	}
	if m.work[msg] || m.acked[msg] {
		m.fatal("%v is handed out again, in work: %v, acknowledged: %v", msg, m.work[msg], m.acked[msg])
	}
	m.work[msg] = true
}

// settle has the application finish one message.
func (m *model) settle(nack bool) {
	var list []modelMsg
	for w := range m.work {
		list = append(list, w)
	}
	if len(list) == 0 {
		return
	}
	slices.SortFunc(list, func(a, b modelMsg) int { return int(a.epoch-b.epoch)*1000000 + int(a.offset) - int(b.offset) })
	msg := list[m.rnd.IntN(min(len(list), 3))]
	to := settled
	if nack {
		to = nacked
	}
	m.note("%v settled as %d", msg, to)
	delete(m.work, msg)
	if !m.tr.settle(msg.offset, msg.id(), to) {
		if msg.epoch == m.epoch {
			m.fatal("%v cannot be settled", msg)
		}
		return // told that it is lost
	}
	if nack {
		if _, ok := m.flight[msg.offset]; ok && msg.epoch == m.epoch {
			m.flight[msg.offset] = false
		}
		return
	}
	m.acked[msg] = true
}

// ack sends what the tracker gives.
func (m *model) ack() {
	if !m.connected {
		return
	}
	offset, id, ok := m.tr.next()
	if !ok {
		return
	}
	msg := modelMsg{id.origin, offset}
	m.note("ack of %v goes out", msg)
	if !m.acked[msg] {
		m.fatal("an ack of %v goes out, which the application has not acknowledged", msg)
	}
	if msg.epoch == m.epoch && offset == m.top {
		for u := range m.unanswered {
			if u.epoch == m.epoch && u.offset < offset {
				m.fatal("the ack of the highest, %v, goes out before that of %v was answered", msg, u)
			}
		}
	}
	m.acks = append(m.acks, msg)
	delete(m.copied, msg)
}

// answer ends one of the acks that are out.
func (m *model) answer(lost bool) {
	if len(m.acks) == 0 {
		return
	}
	i := m.rnd.IntN(len(m.acks))
	msg := m.acks[i]
	m.acks = slices.Delete(m.acks, i, i+1)
	arrived := !lost || m.rnd.IntN(2) == 0
	// The broker knows offsets only: an ack from an older epoch would count for the
	// message that is there now. That is the wire's, not the tracker's.
	if counts := m.flight[msg.offset]; arrived && counts && msg.epoch == m.epoch {
		delete(m.flight, msg.offset)
	}
	m.note("ack of %v answered, arrived %v, lost %v", msg, arrived, lost)
	m.tr.answered(msg.offset, msg.id(), !lost)
	if !lost && !m.copied[msg] {
		delete(m.unanswered, msg)
	}
}

// tick lets so much time pass that what was nacked is given up.
func (m *model) tick() {
	m.note("tick")
	for range nackTicks + 1 {
		m.tr.tick()
	}
	for u := range m.unanswered {
		if _, found := m.tr.find(u.offset); !found {
			delete(m.unanswered, u)
		}
	}
}

// settleAll lets everything come to its end and looks at what is left.
func (m *model) settleAll() {
	m.connect()
	for round := range 100000 {
		for len(m.sent) > 0 {
			m.arrive()
		}
		for len(m.work) > 0 {
			m.settle(false)
		}
		m.ack()
		m.answer(false)
		if len(m.acks) > 0 || !m.tr.flushed() {
			continue
		}
		if len(m.flight) == 0 {
			m.tick()
			if len(m.tr.ready) == 0 {
				break
			}
		}
		if round%10 == 9 {
			m.tick()
		}
		for _, o := range m.inFlight() { // nacked, or an ack that did not count
			m.send(o)
		}
	}
	if len(m.flight) > 0 {
		m.fatal("the broker still waits for %v", m.inFlight())
	}
	for msg := range m.acked {
		if _, ok := m.flight[msg.offset]; ok && msg.epoch == m.epoch {
			m.fatal("%v was acknowledged and the broker does not know", msg)
		}
	}
	if len(m.tr.entries) > 0 || !m.tr.flushed() {
		m.fatal("entries are left: %+v", m.tr.entries)
	}
}
