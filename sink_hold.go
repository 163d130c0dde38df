package connect

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// hold is why a sink takes up no new records: somebody paused it, or the external
// system is down. What is in hand stays in hand. For half the broker's ack timeout
// the streams are still read; then they are closed, because a broker counts every
// ack timeout as a delivery and blocks a subscription for good after six, and because
// a stream that nobody reads blocks the publishers of its topic. When they are opened
// again, what the broker delivers a second time is recognised.
//
// A route's lock is taken inside mu, never the other way round: on is for those who
// have it.
type hold struct {
	mu      sync.Mutex
	on      atomic.Bool // there is a reason; set before the lanes are paused
	reasons map[string]string
	timer   *time.Timer
	closed  bool // the streams are closed
}

// paused is the reason of Pause.
const paused = "paused"

// Pause keeps the sink from taking up records until Resume; those in work finish.
// After half the ack timeout the subscriptions' streams are closed. More than 256
// messages that are published while they are closed are lost to a subscription on
// a broker with its default configuration.
func (rt *SinkRuntime) Pause() {
	rt.log.Info("paused")
	rt.holdBack(paused, "paused by the operator")
}

// Resume ends a Pause.
func (rt *SinkRuntime) Resume() {
	rt.log.Info("resumed")
	rt.release(paused)
}

// holdBack adds a reason to take up nothing; false means that it was there.
func (rt *SinkRuntime) holdBack(name, reason string) bool {
	h := &rt.hold
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, there := h.reasons[name]; there {
		return false
	}
	if h.reasons == nil {
		h.reasons = make(map[string]string)
	}
	h.reasons[name] = reason
	rt.board.Set(name, reason)
	if len(h.reasons) > 1 {
		return true
	}
	h.on.Store(true)
	for _, r := range rt.routesNow() {
		r.eachLane(func(l *sinkLane) { l.Pause() })
	}
	h.timer = time.AfterFunc(rt.cfg.AckTimeout/2, rt.closeStreams)
	return true
}

// release takes a reason away, and goes on when it was the last.
func (rt *SinkRuntime) release(name string) {
	h := &rt.hold
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, there := h.reasons[name]; !there {
		return
	}
	delete(h.reasons, name)
	rt.board.Set(name, "")
	if len(h.reasons) > 0 {
		return
	}
	h.timer.Stop()
	h.on.Store(false)
	for _, r := range rt.routesNow() {
		if h.closed {
			r.consumer.Resume()
		}
		r.eachLane(func(l *sinkLane) { l.Resume() })
	}
	if h.closed {
		rt.log.Info("the streams are opened again")
	}
	h.closed = false
}

// held reports whether nothing is to be taken up.
func (rt *SinkRuntime) held() bool { return rt.hold.on.Load() }

// closeStreams ends the intake of a hold that lasts.
func (rt *SinkRuntime) closeStreams() {
	h := &rt.hold
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.reasons) == 0 || h.closed || rt.stop.Err() != nil {
		return
	}
	var why []string
	for _, reason := range h.reasons {
		why = append(why, reason)
	}
	rt.log.Warn("closing the streams: on a default broker, more than 256 messages published meanwhile are lost to the subscription",
		"cause", strings.Join(why, "; "))
	// Acks that can go out do; the rest of the window stays with us.
	ctx, cancel := context.WithTimeout(rt.work, rt.cfg.AckTimeout/4)
	defer cancel()
	for _, r := range rt.routesNow() {
		_ = r.consumer.Flush(ctx) // what is not answered is repeated after the hold
		r.consumer.Pause()
	}
	h.closed = true
}

// joinHold closes the streams of a route that was opened in the middle of a hold.
func (rt *SinkRuntime) joinHold(r *sinkRoute) {
	rt.hold.mu.Lock()
	defer rt.hold.mu.Unlock()
	if rt.hold.closed {
		r.consumer.Pause()
	}
}

// routesNow returns the routes whose consumer is open.
func (rt *SinkRuntime) routesNow() []*sinkRoute {
	var open []*sinkRoute
	for _, r := range rt.routes {
		select {
		case <-r.ready:
			if r.consumer != nil {
				open = append(open, r)
			}
		default:
		}
	}
	return open
}
