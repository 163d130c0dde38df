package danube

import (
	"slices"
)

func (m *model) sendNew() {
	if m.connected && len(m.flight) < m.window {
		m.send(m.next)
		m.next++
	}
}

func (m *model) send(offset uint64) {
	m.flight[offset] = true
	m.sent = append(m.sent, offset)
	m.top, m.any = max(m.top, offset), true
}

// timeout makes the broker send something again that it waits for; meanwhile its ack
// does not count.
func (m *model) timeout() {
	if !m.connected {
		return
	}
	for _, offset := range m.inFlight() {
		if m.rnd.IntN(3) == 0 {
			m.note("timeout of %d", offset)
			m.send(offset)
			return
		}
	}
}

func (m *model) inFlight() (list []uint64) {
	for o := range m.flight {
		list = append(list, o)
	}
	slices.Sort(list)
	return list
}

// drop has the broker's policy give up a message that was nacked.
func (m *model) drop() {
	for _, o := range m.inFlight() {
		if !m.flight[o] && !slices.Contains(m.sent, o) && !m.work[modelMsg{m.epoch, o}] && !m.acked[modelMsg{m.epoch, o}] {
			m.note("%d is dropped", o)
			delete(m.flight, o)
			return
		}
	}
}

func (m *model) disconnect() {
	m.connected = false
	for o := range m.flight {
		m.flight[o] = false
	}
}

// connect begins a session: what was under way and not read may come first, then
// all that is in flight, then what is new.
func (m *model) connect() {
	m.disconnect()
	m.note("connect")
	m.connected = true
	m.tr.begin()
	stale := m.sent
	if len(stale) > 4 {
		stale = stale[len(stale)-4:]
	}
	m.sent = slices.Clone(stale)
	if m.rnd.IntN(2) == 0 {
		m.sent = nil
	}
	for _, o := range m.inFlight() {
		m.send(o)
	}
}

// restart begins a new epoch: the broker has forgotten everything.
func (m *model) restart() {
	m.note("restart")
	m.epoch++
	m.next, m.top, m.any = 0, 0, false
	clear(m.flight)
	m.sent = nil
	m.connect()
}
