package connect

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/lanes"
)

const (
	// nackDeliveries is how often a record is delivered, with on_error = "nack", before
	// on_exhausted is for it. The broker blocks the subscription after six, and counts
	// what this process does not see: timeouts, and deliveries to other processes.
	nackDeliveries = 3
	// nackMemory bounds what is remembered of records that may have gone elsewhere.
	nackMemory = 10000
)

// nacks remembers what was given back: the broker does not say how often it has
// delivered a message, nor does a new delivery know of the attempts before.
type nacks struct {
	n  atomic.Int64
	mu sync.Mutex
	of map[RecordID]pastDelivery
}

type pastDelivery struct {
	times       int // that it was given back
	attempts    int
	firstFailed time.Time
	at          time.Time
}

// before returns what is known of a record's earlier deliveries.
func (n *nacks) before(id RecordID) pastDelivery {
	if n.n.Load() == 0 {
		return pastDelivery{}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.of[id]
}

// add remembers a record that is given back.
func (n *nacks) add(id RecordID, p pastDelivery) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of == nil {
		n.of = make(map[RecordID]pastDelivery)
	}
	if _, known := n.of[id]; !known && len(n.of) >= nackMemory {
		oldest, at := RecordID{}, time.Time{}
		for other, p := range n.of {
			if at.IsZero() || p.at.Before(at) {
				oldest, at = other, p.at
			}
		}
		delete(n.of, oldest) // another process has it, most likely
	}
	n.of[id] = p
	n.n.Store(int64(len(n.of)))
}

// forget drops a record that has ended for good.
func (n *nacks) forget(id RecordID) {
	if n.n.Load() == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.of, id)
	n.n.Store(int64(len(n.of)))
}

// nack gives a record back to the broker, or does what on_exhausted says when it was
// delivered often enough.
func (w *sinkWorker) nack(d *delivery, err error, attrs []any) lanes.Outcome {
	r := w.lane.route
	past := r.nacks.before(d.rec.ID())
	attrs = append(attrs, "delivery", past.times+1)
	if past.times+1 >= r.maxDeliveries {
		if r.opts.onExhausted == OnErrorDeadLetter {
			return w.deadLetter(d, err, attrs)
		}
		return w.stopFor(d, err, attrs)
	}
	delay := min(max(r.opts.nackDelay, RetryAfter(err)), r.ackTimeout()/2-time.Millisecond)
	r.rt.log.Warn("a record is given back to the broker, as on_error says", attrs...)
	r.nacks.add(d.rec.ID(), pastDelivery{times: past.times + 1, attempts: d.attempts, firstFailed: d.firstFailed, at: time.Now()})
	return d.giveBack(r.rt.work, r, delay, oneLine(err))
}

// giveBack ends a delivery with another one to come.
func (d *delivery) giveBack(ctx context.Context, r *sinkRoute, delay time.Duration, reason string) lanes.Outcome {
	if !d.finish(r, nacked) {
		return lanes.Outcome{}
	}
	if err := r.settler.giveBack(ctx, d.msg, delay, reason); err != nil {
		// The broker's ack timeout brings it again then.
		r.rt.log.Warn("a record could not be given back in time and comes later", "record", &d.rec, "error", oneLine(err))
	}
	return lanes.Outcome{}
}
