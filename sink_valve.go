package connect

import (
	"context"
	"time"
)

// valve closes a route's streams while records have been in hand for much longer than
// the broker waits for an ack: because the connector is slow, or because a dead letter
// cannot be stored. Each ack timeout counts as a delivery, and after six the broker
// blocks the subscription for good. Work on what is in hand goes on, and with nothing
// in hand the streams are opened again.
type valve struct {
	shut  bool
	timer *time.Timer
}

const (
	// patience is how many ack timeouts a record may be in hand with its stream open.
	patience = 2
	// openAgain is how often a shut valve looks whether anything is in hand.
	openAgain = time.Second
)

// valveName is the valve's name on the board.
func (r *sinkRoute) valveName() string { return "records of " + r.cfg.Topic }

// watch looks after the valve until the run ends.
func (r *sinkRoute) watch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rt.stop.Err() == nil {
		r.valve.timer = time.AfterFunc(r.ackTimeout()/4, r.look)
	}
}

// look opens or shuts the valve.
func (r *sinkRoute) look() {
	if r.rt.stop.Err() != nil {
		return
	}
	oldest, n := time.Now(), 0
	for _, l := range r.lanesNow() {
		if at, ok := l.Oldest(); ok && at.Before(oldest) {
			oldest = at
		}
		n += l.Len()
	}
	r.mu.Lock()
	was := r.valve.shut
	if r.openedAt.After(oldest) {
		oldest = r.openedAt
	}
	late := len(r.hold.reasons) == 0 && time.Since(oldest) > patience*r.ackTimeout()
	r.mu.Unlock()
	switch {
	case !was && late:
		r.rt.log.Warn("records have been in hand for too long: the streams are closed until they are dealt with; on a default broker, more than 256 messages published meanwhile are lost to the subscription",
			"topic", r.cfg.Topic, "records", n, "for", time.Since(oldest).Round(time.Second))
		r.rt.board.Set(r.valveName(), "in hand for too long, streams closed")
		r.flush()
		r.setValve(true)
	case was && n == 0:
		r.setValve(false)
		r.rt.board.Set(r.valveName(), "")
	}
	every := r.ackTimeout() / 4
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.valve.shut {
		every = openAgain
	}
	if r.rt.stop.Err() == nil {
		r.valve.timer.Reset(every)
	}
}

func (r *sinkRoute) setValve(shut bool) {
	r.mu.Lock()
	r.valve.shut = shut
	r.mu.Unlock()
	r.setStreams()
}

// flush waits a while for the acks that can go out: after the streams are closed, they
// do not count any more.
func (r *sinkRoute) flush() {
	if c := r.opened(); c != nil {
		// Not under a lock: an ack may wait for a stream to be read, and that for a lane.
		ctx, cancel := context.WithTimeout(r.rt.stop, r.ackTimeout()/4)
		defer cancel()
		_ = c.Flush(ctx) // what is not answered is repeated when they are open again
	}
}
