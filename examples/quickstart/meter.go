package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// What may be between source and sink at one time. More would only wait in queues,
// and be latency.
const (
	maxUnderWay      = 64
	maxBytesUnderWay = 16 << 20
)

// meter keeps account of the records between the source and the sink. Records are
// numbered from 1 in the order in which they leave. It uses the same memory however
// many there are, as long as none is lost.
type meter struct {
	mu      sync.Mutex
	change  chan struct{} // closed when something arrives, and made anew
	first   time.Time     // departure
	last    time.Time     // arrival
	sent    int64
	highest int64 // number of all that arrived
	distinct,
	again int64
	missing map[int64]struct{} // not arrived, and lower than highest
	tooLong int64
	bytes   int // under way
	ring    [maxUnderWay]departure
	latency histogram
}

type departure struct {
	seq  int64
	at   time.Time
	size int
}

func newMeter() *meter {
	return &meter{change: make(chan struct{}), missing: make(map[int64]struct{})}
}

// depart numbers a record that is about to leave, after waiting until there is
// room for it between source and sink.
func (m *meter) depart(ctx context.Context, size int) (seq int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.sent-m.highest >= maxUnderWay || m.bytes > 0 && m.bytes+size > maxBytesUnderWay {
		change := m.change
		m.mu.Unlock()
		select {
		case <-change:
		case <-ctx.Done():
		}
		m.mu.Lock()
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	m.sent++
	m.bytes += size
	d := departure{m.sent, time.Now(), size}
	m.ring[m.sent%maxUnderWay] = d
	if m.sent == 1 {
		m.first = d.at
	}
	return m.sent, nil
}

// arrived notes that a record has come to the sink and returns how long it took, 0
// when that is not known any more.
func (m *meter) arrived(seq int64) (took time.Duration) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	_, late := m.missing[seq]
	if seq <= m.highest && !late {
		m.again++
		return 0
	}
	m.distinct++
	m.last = now
	delete(m.missing, seq)
	if d := m.ring[seq%maxUnderWay]; d.seq == seq {
		took = now.Sub(d.at)
		m.latency.add(took)
	}
	if seq > m.highest {
		for s := m.highest + 1; s <= seq; s++ {
			if s < seq {
				m.missing[s] = struct{}{}
			}
			m.bytes -= m.ring[s%maxUnderWay].size
		}
		m.highest = seq
		close(m.change)
		m.change = make(chan struct{})
	}
	return took
}

// refused counts a line that no message can hold.
func (m *meter) refused() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tooLong++
}

// summary is the account of a run.
type summary struct {
	in, out, lost, duplicated, tooLong int64

	rate     float64 // records a second, 0 when there were too few
	p50, p99 time.Duration
}

func (m *meter) summary() summary {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := summary{
		in: m.sent, out: m.distinct, lost: m.sent - m.distinct, duplicated: m.again, tooLong: m.tooLong,
		p50: m.latency.quantile(.50), p99: m.latency.quantile(.99),
	}
	if took := m.last.Sub(m.first).Seconds(); m.distinct > 0 && took > 0 {
		s.rate = float64(m.distinct) / took
	}
	return s
}

// good reports whether every line has arrived.
func (s summary) good() bool { return s.lost == 0 && s.tooLong == 0 }

func (s summary) print(w io.Writer) {
	row := func(name, value string) { fmt.Fprintf(w, "  %-12s %14s\n", name, value) }
	fmt.Fprintln(w, "\nsummary")
	row("records in", thousands(s.in))
	row("records out", thousands(s.out))
	row("lost", thousands(s.lost))
	row("duplicated", thousands(s.duplicated))
	if s.tooLong > 0 {
		row("too long", thousands(s.tooLong))
	}
	row("rate", thousands(int64(s.rate+.5))+" records/s")
	row("latency p50", short(s.p50))
	row("latency p99", short(s.p99))
}

// short writes a duration with three digits.
func short(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
