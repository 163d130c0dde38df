package connect

import (
	"context"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/lanes"
	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// outage is the name of the hold while the external system is down as a whole.
const outage = "external system"

// down reports whether the external system as a whole is to blame for a record that
// has used up its time, so that the record must not be given up for it: the
// connector's health check says so, or, without one, another record has just spent
// its whole time too, with no success between.
//
// Without a health check the first of them waits, unacknowledged, for what becomes
// of the next one: see condemn.
func (w *sinkWorker) down(d *delivery) bool {
	r := w.lane.route
	if checker, ok := capability[HealthChecker](r.rt.connector); ok {
		return w.checkHealth(checker) != nil
	}
	c := r.condemned.Load()
	return c != nil && c.d != d
}

// checkHealth is one health check of a worker's own.
func (w *sinkWorker) checkHealth(checker HealthChecker) error {
	ctx, cancel := context.WithTimeout(w.lane.route.rt.work, healthTimeout)
	defer cancel()
	w.call.Enter(time.Now(), healthTimeout)
	defer w.call.Leave()
	return w.lane.route.rt.protect("HealthCheck", func() error { return checker.HealthCheck(ctx) })
}

// condemned is a record that has used up its time and waits for the next one.
type condemned struct {
	d   *delivery
	err error
}

// condemn sets a record aside until the next one tells whether it was to blame
// itself; false means that the policy is to be carried out at once. A record is set
// aside only where the policy lets later ones of its partition overtake it anyway.
func (w *sinkWorker) condemn(d *delivery, err error) bool {
	r := w.lane.route
	if _, checks := capability[HealthChecker](r.rt.connector); checks {
		return false
	}
	if r.opts.onError != OnErrorDeadLetter && r.opts.onError != OnErrorSkip {
		return false
	}
	if !r.condemned.CompareAndSwap(nil, &condemned{d, err}) {
		return false
	}
	r.rt.log.Warn("a record has used up its time; the next one tells whether the external system is down", "record", &d.rec, "error", oneLine(err))
	return true
}

// sentence carries out the policy on a condemned record, after another succeeded.
func (w *sinkWorker) sentence() {
	r := w.lane.route
	c := r.condemned.Load()
	if c == nil || !r.condemned.CompareAndSwap(c, nil) {
		return
	}
	for {
		o := w.byPolicy(c.d, c.err, w.attrs(c.d, c.err))
		if !o.Again || !retry.Sleep(r.rt.stop, o.After) {
			return
		}
	}
}

// await keeps everything until the external system is back: the intake is held, and
// this worker alone tries, with the record that was condemned if there is one, and
// with its own. Nothing is given up meanwhile, however long it takes.
func (w *sinkWorker) await(d *delivery, err error) lanes.Outcome {
	r := w.lane.route
	rt := r.rt
	if !rt.holdBack(outage, oneLine(err)) {
		return again(0) // another worker tries; the lane goes on when it has succeeded
	}
	defer func() {
		rt.outages.Add(1)
		rt.release(outage)
	}()
	start := time.Now()
	rt.log.Error("the external system is down: intake paused, nothing is given up", "record", &d.rec, "error", oneLine(err))
	wait := retry.New(rt.cfg.RetryBackoff, rt.cfg.MaxBackoff)
	for {
		if !retry.Sleep(rt.stop, max(wait.Next(), RetryAfter(err))) {
			w.lane.Stop()
			return again(0)
		}
		if err = w.probe(d); err == nil {
			break
		}
		rt.board.Set(outage, oneLine(err))
		rt.log.Warn("the external system is still down", "since", time.Since(start).Round(time.Second), "error", oneLine(err))
	}
	rt.log.Info("the external system is back", "down_for", time.Since(start).Round(time.Millisecond))
	d.attempts, d.wait = 0, nil // its time begins anew
	d.received = time.Now()
	return again(0)
}

// probe returns nil when the external system can be used again.
func (w *sinkWorker) probe(d *delivery) error {
	r := w.lane.route
	if checker, ok := capability[HealthChecker](r.rt.connector); ok {
		return w.checkHealth(checker)
	}
	c := r.condemned.Load()
	if c == nil {
		return nil
	}
	err := w.try(c.d, time.Now())
	if err != nil && !isPanic(err) && KindOf(err) == KindRetryable {
		return err
	}
	if !r.condemned.CompareAndSwap(c, nil) {
		return nil
	}
	if err == nil {
		w.succeed(c.d, 0)
		return nil
	}
	w.byPolicy(c.d, err, w.attrs(c.d, err))
	return nil
}
