package connect

import (
	"context"
	"sync"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/lanes"
	"github.com/danube-messaging/danube-connect-go/internal/ops"
)

// down is the reason of a hold while the external system is down as a whole.
const down = "external system"

// trial tells a record that is to blame itself from a system that is down, where the
// connector has no HealthCheck: of two records in a row whose retries are used up,
// the system is to blame. So the first of them waits, out of its lane and not
// acknowledged, for what becomes of the next one.
type trial struct {
	mu      sync.Mutex
	suspect *suspect // nil when nothing is suspected
	timer   *time.Timer
}

type suspect struct {
	lane *sinkLane
	d    *delivery
	err  error
}

// usedUp decides about a record whose retries are used up. others means that the same
// call has written other records, so that the system is not down.
func (w *sinkWorker) usedUp(d *delivery, err error, others bool) lanes.Outcome {
	r := w.lane.route
	if checker, ok := capability[HealthChecker](r.rt.connector); ok {
		sick := r.ask(checker, w.call)
		switch {
		case r.rt.stop.Err() != nil: // which may be all that the answer means
			return w.handBack(d, err)
		case sick != nil:
			r.outage(d, sick)
			return again(0)
		}
		return w.byPolicy(d, err, w.attrs(d, err))
	}
	if others || r.opts.onError == OnErrorStop {
		// Where nothing may overtake a record, there is no next one to wait for.
		return w.byPolicy(d, err, w.attrs(d, err))
	}
	if r.accuse(&suspect{w.lane, d, err}) {
		r.rt.log.Warn("the retries of a record are used up; the next one tells whether the external system is down", w.attrs(d, err)...)
		return lanes.Outcome{Aside: true}
	}
	r.outage(d, err)
	return again(0)
}

// ask makes one health check.
func (r *sinkRoute) ask(checker HealthChecker, call *ops.Call) error {
	ctx, cancel := context.WithTimeout(r.rt.stop, healthTimeout)
	defer cancel()
	call.Enter(time.Now(), healthTimeout)
	defer call.Leave()
	return r.rt.protect("HealthCheck", func() error { return checker.HealthCheck(ctx) })
}

// accuse sets a record aside; false means that another one is.
func (r *sinkRoute) accuse(s *suspect) bool {
	t := &r.trial
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.suspect != nil {
		return false
	}
	t.suspect = s
	r.suspects.Store(true)
	t.timer = time.AfterFunc(r.ackTimeout(), func() { r.alone(s) })
	return true
}

// alone ends the wait of a suspect that no other record came after.
func (r *sinkRoute) alone(s *suspect) {
	t := &r.trial
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.suspect != s:
	case r.inHand() > 1 || r.held():
		t.timer.Reset(r.ackTimeout() / 4)
	default:
		r.sentence()
	}
}

// refute takes note that the connector has written a record: the system is up, and
// a suspect is to blame itself.
func (r *sinkRoute) refute() {
	if !r.suspects.Load() {
		return
	}
	r.trial.mu.Lock()
	defer r.trial.mu.Unlock()
	if r.trial.suspect != nil {
		r.sentence()
	}
}

// sentence gives the suspect to its lane, for the policy. With r.trial.mu held.
func (r *sinkRoute) sentence() {
	s := r.trial.suspect
	s.d.givenUp = s.err
	r.acquit()
	s.lane.Return(s.lane.key(s.d.msg), s.d)
}

// acquit ends a trial. With r.trial.mu held.
func (r *sinkRoute) acquit() {
	r.trial.timer.Stop()
	r.trial.suspect = nil
	r.suspects.Store(false)
}

// accused returns the suspect, nil without one.
func (r *sinkRoute) accused() *suspect {
	r.trial.mu.Lock()
	defer r.trial.mu.Unlock()
	return r.trial.suspect
}

// outage holds the route until the external system is back. Nothing is given up
// meanwhile, however long it takes.
func (r *sinkRoute) outage(d *delivery, err error) {
	if !r.holdBack(down, oneLine(err)) {
		return
	}
	r.rt.board.Set(r.downName(), oneLine(err))
	r.rt.log.Error("the external system is down: intake paused, nothing is given up", "topic", r.cfg.Topic, "record", &d.rec, "error", oneLine(err))
	r.probers.Go(func() { r.probe(err) })
}

// downName is the outage's name on the board.
func (r *sinkRoute) downName() string { return down + " of " + r.cfg.Topic }
