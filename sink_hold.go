package connect

import (
	"slices"
	"strings"
	"time"
)

// hold is why a route takes up no new records: somebody paused the sink, or the
// external system is down. What is in hand stays in hand. For half the broker's ack
// timeout the streams are still read; then they are closed, because a broker counts
// every ack timeout as a delivery and blocks a subscription for good after six, and
// because a stream that nobody reads blocks the publishers of its topic. When they are
// opened again, what the broker delivers a second time is recognised.
type hold struct {
	reasons map[string]string
	changes int // so that a timer that is late finds out
	timer   *time.Timer
	shut    bool // the streams are to be closed
}

// paused is the reason of Pause.
const paused = "paused"

// Pause keeps the sink from taking up records until Resume; those in work finish.
// After half the ack timeout the subscriptions' streams are closed. More than 256
// messages that are published while they are closed are lost to a subscription on
// a broker with its default configuration. It may be called at any time, also before
// Run.
func (rt *SinkRuntime) Pause() {
	rt.routing.Lock()
	defer rt.routing.Unlock()
	if rt.paused {
		return
	}
	rt.paused = true
	rt.log.Info("paused")
	rt.board.Set(paused, "paused by the operator")
	for _, r := range rt.routes {
		r.holdBack(paused, "paused by the operator")
	}
}

// Resume ends a Pause.
func (rt *SinkRuntime) Resume() {
	rt.routing.Lock()
	defer rt.routing.Unlock()
	if !rt.paused {
		return
	}
	rt.paused = false
	rt.log.Info("resumed")
	rt.board.Set(paused, "")
	for _, r := range rt.routes {
		r.release(paused)
	}
}

// addRoute makes a route known to Pause.
func (rt *SinkRuntime) addRoute(r *sinkRoute) {
	rt.routing.Lock()
	defer rt.routing.Unlock()
	rt.routes = append(rt.routes, r)
	if rt.paused {
		r.holdBack(paused, "paused by the operator")
	}
}

// holdBack adds a reason to take up nothing; false means that it was there.
func (r *sinkRoute) holdBack(name, reason string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := &r.hold
	if _, there := h.reasons[name]; there {
		return false
	}
	if h.reasons == nil {
		h.reasons = make(map[string]string)
	}
	h.reasons[name] = reason
	if len(h.reasons) > 1 || r.rt.stop.Err() != nil {
		return true
	}
	for _, l := range r.lanes {
		l.Pause()
	}
	h.changes++
	n := h.changes
	h.timer = time.AfterFunc(r.ackTimeout()/2, func() { r.closeStreams(n) })
	return true
}

// release takes a reason away, and goes on when it was the last. What waited has all
// its time again: the hold was not its fault.
func (r *sinkRoute) release(name string) {
	r.mu.Lock()
	h := &r.hold
	_, there := h.reasons[name]
	delete(h.reasons, name)
	last := there && len(h.reasons) == 0
	if last {
		r.endHold()
		r.holds.Add(1)
		h.shut = false
		for _, l := range r.lanes {
			l.Resume()
		}
	}
	r.mu.Unlock()
	if last {
		r.setStreams()
	}
}

// endHold keeps the timer from closing streams. With r.mu held.
func (r *sinkRoute) endHold() {
	r.hold.changes++
	if r.hold.timer != nil {
		r.hold.timer.Stop()
	}
}

// held reports whether nothing is to be taken up.
func (r *sinkRoute) held() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.hold.reasons) > 0
}

// heldFor reports whether a reason is among those that hold the route.
func (r *sinkRoute) heldFor(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, there := r.hold.reasons[name]
	return there
}

// closeStreams ends the intake of a hold that lasts, unless it is over or the run is.
// Acks that can go out do; the rest of the window stays with us.
func (r *sinkRoute) closeStreams(n int) {
	r.mu.Lock()
	over := r.hold.changes != n || r.rt.stop.Err() != nil
	var why []string
	for _, reason := range r.hold.reasons {
		why = append(why, reason)
	}
	r.mu.Unlock()
	if over {
		return
	}
	slices.Sort(why)
	r.rt.log.Warn("closing the streams: on a default broker, more than 256 messages published meanwhile are lost to the subscription",
		"topic", r.cfg.Topic, "cause", strings.Join(why, "; "))
	r.flush()
	r.mu.Lock()
	if r.hold.changes == n {
		r.hold.shut = true
	}
	r.mu.Unlock()
	r.setStreams()
}

// setStreams opens or closes the streams as hold and valve want it.
func (r *sinkRoute) setStreams() {
	r.streams.Lock()
	defer r.streams.Unlock()
	r.mu.Lock()
	shut := (r.hold.shut || r.valve.shut) && !r.looking
	r.mu.Unlock()
	c := r.opened()
	if c == nil || shut == r.closed || r.rt.stop.Err() != nil {
		return // when the run ends, what they would bring is for the next one
	}
	r.closed = shut
	if shut {
		c.Pause()
		return
	}
	r.mu.Lock()
	r.openedAt = time.Now()
	r.mu.Unlock()
	c.Resume()
	r.rt.log.Info("the streams are opened again", "topic", r.cfg.Topic)
}

// opened returns the consumer, nil while it is not open.
func (r *sinkRoute) opened() Consumer {
	select {
	case <-r.ready:
		return r.consumer
	default:
		return nil
	}
}
