package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// usage is what this process has used since it began.
type usage struct {
	at      time.Time
	cpu     time.Duration // user and system
	mallocs uint64
	bytes   uint64
	count   int64 // records at that moment
}

// meter counts records and looks at the process twice: when the warm-up is over and
// when the measured records are through. What comes before and after, opening and
// closing, is in no figure.
type meter struct {
	warm, end int64
	count     atomic.Int64
	done      chan struct{} // closed when the measured records are through

	mu            sync.Mutex
	start, finish usage
}

// newMeter measures n records after warm others.
func newMeter(warm, n int) *meter {
	return &meter{warm: int64(warm), end: int64(warm + n), done: make(chan struct{})}
}

// add counts one record. It may be called concurrently.
func (m *meter) add() { m.addAll(1) }

// addAll counts several.
func (m *meter) addAll(k int) {
	n := m.count.Add(int64(k))
	before := n - int64(k)
	if before < m.warm && m.warm <= n {
		m.mu.Lock()
		m.start = look(n, true)
		m.mu.Unlock()
	}
	if before < m.end && m.end <= n {
		m.mu.Lock()
		m.finish = look(n, false)
		m.mu.Unlock()
		close(m.done)
	}
}

// over says whether the measured records are through.
func (m *meter) over() bool { return m.count.Load() >= m.end }

// look takes the time last at the start and first at the end, so that looking is
// not measured.
func look(count int64, start bool) usage {
	u := usage{count: count}
	if !start {
		u.at, u.cpu = time.Now(), cpuTime()
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	u.mallocs, u.bytes = mem.Mallocs, mem.TotalAlloc
	if start {
		u.cpu, u.at = cpuTime(), time.Now()
	}
	return u
}

// figures are the result of one run of one loop.
type figures struct {
	Rate    float64 `json:"msg_per_s"`
	CPU     float64 `json:"cpu_s_per_million"` // of this process; 0 where the system does not tell
	Mallocs float64 `json:"allocs_per_record"`
	Bytes   float64 `json:"alloc_bytes_per_record"`
	Waited  float64 `json:"publisher_waited"` // sinks: the share of the time in which the publishers waited for the sink
	Lost    int64   `json:"lost"`             // sinks: published and never delivered
}

// figures may be called once done is closed.
func (m *meter) figures() figures {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := float64(m.finish.count - m.start.count)
	return figures{
		Rate:    n / m.finish.at.Sub(m.start.at).Seconds(),
		CPU:     (m.finish.cpu - m.start.cpu).Seconds() / n * 1e6,
		Mallocs: float64(m.finish.mallocs-m.start.mallocs) / n,
		Bytes:   float64(m.finish.bytes-m.start.bytes) / n,
	}
}
