package connect

import (
	"context"
	"time"
)

// attempt gives calls into the connector a context with a deadline without making
// a timer and a context for each of them.
type attempt struct {
	work   context.Context
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// deadlineContext shows the deadline that the lane's timer keeps.
type deadlineContext struct {
	context.Context
	deadline time.Time
}

func (c *deadlineContext) Deadline() (time.Time, bool) { return c.deadline, true }

// enter begins a call into the connector and returns its context.
func (w *sinkWorker) enter(now time.Time) context.Context {
	a, limit := &w.attempt, w.lane.route.budget()
	w.holds = w.lane.route.holds.Load()
	if a.ctx == nil {
		ctx, cancel := context.WithCancelCause(a.work)
		a.ctx, a.cancel = ctx, cancel
		a.timer = time.AfterFunc(limit, func() {
			w.lane.route.rt.log.Warn("a call into the connector has used up its time; its context has ended", "topic", w.lane.name, "limit", limit)
			cancel(context.DeadlineExceeded)
		})
	} else {
		a.timer.Reset(limit)
	}
	w.call.Enter(now, limit)
	return &deadlineContext{a.ctx, now.Add(limit)}
}

// leave ends a call. A timer that has fired may not have ended its context yet:
// that is this call's, so the next one gets another.
func (w *sinkWorker) leave() {
	w.call.Leave()
	if !w.attempt.timer.Stop() {
		w.attempt.end()
	}
}

func (a *attempt) end() {
	if a.ctx != nil {
		a.timer.Stop()
		a.cancel(nil)
		a.ctx = nil
	}
}
