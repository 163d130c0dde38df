package connect

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/lanes"
	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// ending is how a delivery has ended. Each ends in exactly one way.
type ending uint32

const (
	inHand       ending = iota // it has not
	acked                      // the connector has written the record
	skipped                    // given up, as on_error says
	deadLettered               // stored among the dead letters
	repeated                   // dropped: what it repeats had ended before
	nacked                     // given back to the broker, which delivers it again
	handedBack                 // left to the broker by a stop

	endings = int(handedBack) + 1
)

var endingNames = [endings]string{"in hand", "acked", "skipped", "dead-lettered", "repeated", "nacked", "handed back"}

func (e ending) String() string { return endingNames[e] }

// delivery is one record from its receipt to its end, and the only owner of what
// becomes of it: whatever decides about a record, it is settled and counted in one
// place, by finish. One goroutine has it at a time, but for a call into the
// connector that a stop leaves behind.
type delivery struct {
	rec      SinkRecord
	msg      *danube.Message
	lane     *sinkLane
	received time.Time
	began    time.Time // when its time began: at its receipt, or when a hold was over
	started  time.Time // of the first attempt
	attempts int
	tries    int            // attempts since its time began
	holds    int64          // how many there had been then
	wait     *retry.Backoff // made when the first attempt has failed

	firstFailed time.Time
	givenUp     error          // why, when the record waits for its dead letter to be stored
	filed       bool           // it is in the file of dead letters
	onItsWay    <-chan error   // the answer for its dead letter, once that is published
	storing     *retry.Backoff // made when that could not be stored

	ended atomic.Uint32 // an ending
}

// begin begins a delivery.
func (l *sinkLane) begin(m *danube.Message) *delivery {
	r, now := l.route, time.Now()
	d := &delivery{msg: m, lane: l, received: now, began: now, holds: r.holds.Load()}
	d.rec.init(m, 0)
	if past := r.nacks.before(d.rec.ID()); past.times > 0 {
		d.attempts, d.firstFailed = past.attempts, past.firstFailed
	}
	r.metrics.Received.Inc()
	r.metrics.Inflight.Inc()
	return d
}

// end ends a delivery: it is settled, and leaves its lane with the outcome that is
// returned. What a stop has handed back stays so, even if a call that was left behind
// succeeds after all. Any other second end would be a fault of this package, which must
// not go on as if it knew what became of the record.
func (d *delivery) end(r *sinkRoute, how ending) lanes.Outcome {
	if !d.finish(r, how) || how == handedBack { // the broker delivers what nobody settles
		return lanes.Outcome{}
	}
	r.nacks.forget(d.rec.ID())
	if how != repeated && r.rt.cfg.Dedupe != DedupeOff && len(d.msg.Attributes) > 0 {
		d.lane.repeats.ended(d.msg)
	}
	if err := r.settler.settle(d.msg); err != nil {
		// The topic was numbered anew meanwhile: there is nothing left to acknowledge.
		r.rt.log.Warn("a processed record could not be acknowledged", "topic", d.msg.WireTopic, "offset", d.msg.Offset, "error", err)
	}
	return lanes.Outcome{}
}

// finish counts the end of a delivery; false means that it was over.
func (d *delivery) finish(r *sinkRoute, how ending) bool {
	if !d.ended.CompareAndSwap(uint32(inHand), uint32(how)) {
		if was := ending(d.ended.Load()); was != handedBack {
			r.rt.fail(Fatalf("record %v was %v and is to be %v: please report this fault of the SDK", &d.rec, was, how))
		}
		return false
	}
	r.ends[how].Add(1)
	r.metrics.Inflight.Dec()
	switch how {
	case acked:
		r.metrics.Processed.Inc()
	case skipped:
		r.metrics.Skipped.Inc()
	case deadLettered:
		r.metrics.DeadLettered.Inc()
	case nacked:
		r.metrics.Nacked.Inc()
	}
	return true
}

// over reports whether the delivery has ended.
func (d *delivery) over() bool { return ending(d.ended.Load()) != inHand }

// account says how a route's deliveries have ended.
func (r *sinkRoute) account() (list []any) {
	for how := acked; int(how) < endings; how++ {
		if n := r.ends[how].Load(); n > 0 {
			list = append(list, fmt.Sprint(how), n)
		}
	}
	return list
}
