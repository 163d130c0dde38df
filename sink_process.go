package connect

import (
	"errors"
	"fmt"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/lanes"
	"github.com/danube-messaging/danube-connect-go/internal/metrics"
	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

const (
	// retryMargin is how long before the broker's ack timeout the retries of a record
	// end: after that the broker delivers it again, and counts that as one of the six
	// deliveries after which it blocks the subscription.
	retryMargin = 5 * time.Second
	// retryLeast is what a record gets from its first attempt on, however long it had
	// to wait behind others: one delivery more does less harm than a retry too few.
	retryLeast = 10 * time.Second
)

// again is the outcome of a record that stays in its lane.
func again(after time.Duration) lanes.Outcome { return lanes.Outcome{Again: true, After: after} }

// processOne makes one attempt on a record.
func (w *sinkWorker) processOne(d *delivery) lanes.Outcome {
	if d.givenUp != nil { // its dead letter could not be stored
		return w.byPolicy(d, d.givenUp, w.attrs(d, d.givenUp))
	}
	start := time.Now()
	if err := w.try(d, start); err != nil {
		return w.failed(d, err, false)
	}
	return w.succeed(d, time.Since(start))
}

// try makes one call into the connector for one record, as a batch of its own where
// the connector takes batches.
func (w *sinkWorker) try(d *delivery, start time.Time) error {
	rt := w.lane.route.rt
	ctx := w.enter(start)
	d.begin(start, w.holds)
	defer w.leave()
	if rt.batch == nil {
		return protect(func() error { return rt.sink.Process(ctx, &d.rec) })
	}
	b := newBatch([]*SinkRecord{&d.rec})
	err := protect(func() error { return rt.batch.ProcessBatch(ctx, b) })
	if own := b.close()[&d.rec]; own != nil {
		return own
	}
	return err
}

func (d *delivery) begin(now time.Time, holds int64) {
	if d.holds != holds { // what a hold took from its time is given back
		d.holds, d.began, d.tries, d.wait = holds, now, 0, nil
	}
	if d.tries == 0 {
		d.started = now
	}
	d.tries++
	d.attempts++
}

// succeed ends a delivery that the connector has written.
func (w *sinkWorker) succeed(d *delivery, took time.Duration) lanes.Outcome {
	r := w.lane.route
	r.metrics.Took(took)
	out := d.end(r, acked)
	r.worked.Store(time.Now().Add(-took).UnixNano())
	r.refute()
	return out
}

// attrs are what a log line says of a record that failed.
func (w *sinkWorker) attrs(d *delivery, err error) []any {
	return []any{"record", &d.rec, "attempts", d.attempts, "error", oneLine(err)}
}

// failed decides what comes next for a record that failed. Only what a policy has
// dealt with ends, with an ack. others means that the same call has written other
// records.
func (w *sinkWorker) failed(d *delivery, err error, others bool) lanes.Outcome {
	r := w.lane.route
	if r.rt.work.Err() != nil {
		return w.handBack(d, err)
	}
	d.note(r, err)
	if p := (*PanicError)(nil); asPanic(err, &p) {
		return w.byPolicy(d, err, append(w.attrs(d, err), "stack", string(p.Stack)))
	}
	switch KindOf(err) {
	case KindInvalidData:
		return w.byPolicy(d, err, w.attrs(d, err))
	case KindFatal, KindConfig:
		return w.fatal(d, err)
	}
	switch {
	case w.excused():
		return again(0)
	case w.spent(d, err):
		return w.usedUp(d, err, others)
	}
	if d.wait == nil {
		d.wait = retry.New(r.rt.cfg.RetryBackoff, r.rt.cfg.MaxBackoff)
	}
	// The last attempt is at the end of the time, not a pause before it.
	pause := max(RetryAfter(err), min(d.wait.Next(), w.left(d)))
	r.metrics.Retried.Inc()
	r.rt.log.Warn("a record failed and will be tried again", append(w.attrs(d, err), "retry_in", pause)...)
	return again(pause)
}

// note counts a failure.
func (d *delivery) note(r *sinkRoute, err error) {
	if d.firstFailed.IsZero() {
		d.firstFailed = time.Now()
	}
	r.metrics.Failed(errorType(err))
}

// excused reports that a failure does not count: the call began before the route was
// held, or while it was.
func (w *sinkWorker) excused() bool {
	r := w.lane.route
	return r.held() || r.holds.Load() != w.holds
}

// left is what is left of a record's time.
func (w *sinkWorker) left(d *delivery) time.Duration {
	end := d.began.Add(w.lane.route.budget())
	if late := d.started.Add(retryLeast); late.After(end) {
		end = late
	}
	return time.Until(end)
}

// spent reports whether a record that failed has no further attempt.
func (w *sinkWorker) spent(d *delivery, err error) bool {
	if n := w.lane.route.rt.cfg.MaxRetries; n != nil && d.tries > *n {
		return true
	}
	left := w.left(d)
	return left <= 0 || RetryAfter(err) > left
}

// handBack leaves a record that was not finished in time to the broker.
func (w *sinkWorker) handBack(d *delivery, err error) lanes.Outcome {
	w.lane.route.rt.log.Warn("a record was not finished in time and is handed back", w.attrs(d, err)...)
	w.lane.Stop()
	return again(0)
}

// fatal ends the run for a record that the connector cannot go on with.
func (w *sinkWorker) fatal(d *delivery, err error) lanes.Outcome {
	rt := w.lane.route.rt
	rt.log.Error("the connector cannot go on", w.attrs(d, err)...)
	w.lane.Stop() // nothing of the lane may overtake the record
	rt.fail(fmt.Errorf("record %v: %w", &d.rec, asFatal(err)))
	return again(0)
}

// byPolicy does with a record what on_error says.
func (w *sinkWorker) byPolicy(d *delivery, err error, attrs []any) lanes.Outcome {
	r := w.lane.route
	switch r.opts.onError {
	case OnErrorSkip:
		r.rt.log.Error("a record is given up, as on_error says", attrs...)
		return d.end(r, skipped)
	case OnErrorDeadLetter:
		return w.deadLetter(d, err, attrs)
	case OnErrorNack:
		return w.nack(d, err, attrs)
	}
	return w.stopFor(d, err, attrs)
}

// stopFor ends the run for a record, as the policy says.
func (w *sinkWorker) stopFor(d *delivery, err error, attrs []any) lanes.Outcome {
	r := w.lane.route
	r.rt.log.Error("a record cannot be processed, stopping, as on_error says", attrs...)
	w.lane.Stop()
	r.rt.fail(fmt.Errorf("%w: record %v failed after %d attempts: %w", ErrStoppedByPolicy, &d.rec, d.attempts, err))
	return again(0)
}

// deadLetter stores a record among the dead letters and acknowledges it then. While
// it cannot be stored it stays where it is: it is never dropped.
func (w *sinkWorker) deadLetter(d *delivery, cause error, attrs []any) lanes.Outcome {
	r := w.lane.route
	d.givenUp = cause
	err := w.bury(d, cause)
	switch {
	case err == nil:
		r.rt.log.Error("a record is among the dead letters, as on_error says", attrs...)
		return d.end(r, deadLettered)
	case r.rt.work.Err() != nil:
		w.lane.Stop()
		return again(0)
	case errors.Is(err, errPending):
		return again(pendingTime)
	case refused(err):
		r.rt.log.Error("a record can be neither processed nor stored among the dead letters, stopping", append(attrs, "dead_letter_error", oneLine(err))...)
		w.lane.Stop()
		r.rt.fail(fmt.Errorf("%w: record %v: %w; its dead letter: %w", ErrStoppedByPolicy, &d.rec, cause, err))
		return again(0)
	}
	if lost(err) {
		r.rt.log.Error("dead letters cannot be stored any more, stopping", append(attrs, "dead_letter_error", oneLine(err))...)
		w.lane.Stop()
		r.rt.fail(opened("dead letters", r.dead.name, err))
		return again(0)
	}
	if d.storing == nil {
		d.storing = retry.New(r.rt.cfg.RetryBackoff, r.rt.cfg.MaxBackoff)
	}
	pause := d.storing.Next()
	r.rt.log.Error("a dead letter could not be stored and will be tried again; its partition waits", append(attrs, "dead_letter_error", oneLine(err), "retry_in", pause)...)
	r.metrics.Retried.Inc()
	return again(pause)
}

func errorType(err error) string {
	if isPanic(err) {
		return metrics.ErrPanic
	}
	switch KindOf(err) {
	case KindInvalidData:
		return metrics.ErrInvalid
	case KindFatal:
		return metrics.ErrFatal
	case KindConfig:
		return metrics.ErrConfig
	}
	return metrics.ErrRetryable
}
