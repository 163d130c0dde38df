package connect

import (
	"sync"
	"time"
)

// window notices that batches stay small because the broker sends no more records
// without acks: with every record in hand in work, more come as soon as those are done,
// again and again, and never more at once.
type window struct {
	mu    sync.Mutex
	peak  int // the most records that were in hand
	turns int // batches in a row that say so
	ended time.Time
	said  bool
}

const (
	// windowTurns is how many batches must say so.
	windowTurns = 20
	// windowPause is the longest pause between a batch and the next record that can
	// come from the acks between them.
	windowPause = 100 * time.Millisecond
)

// began notes a batch of n records, of which the first was received at a time, with
// hand records in hand. It reports, once, that the window limits batches to limit.
func (w *window) began(n, most, hand int, first time.Time) (limit int, limited bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.said {
		return 0, false
	}
	switch {
	case n >= most, hand > w.peak, first.Sub(w.ended) > windowPause:
		w.peak, w.turns = max(w.peak, hand), 0
		return 0, false
	}
	w.turns++
	w.said = w.turns >= windowTurns
	return w.peak, w.said
}

func (w *window) done() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = time.Now()
}

// watchWindow says, once for each topic, what limits its batches.
func (l *sinkLane) watchWindow(n int, first time.Time) {
	r := l.route
	if limit, limited := r.window.began(n, r.batchMax(), l.Len(), first); limited {
		r.rt.log.Info("batches are as large as the broker lets them be: it sends no more records than this without acks; for larger ones raise dispatch.max_unacked_messages there",
			"topic", r.cfg.Topic, "records", limit, "batch_size", r.batchMax())
	}
}
