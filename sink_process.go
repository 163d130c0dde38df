package connect

import (
	"errors"
	"fmt"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
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
		return w.failed(d, err)
	}
	w.succeed(d, time.Since(start))
	return lanes.Outcome{}
}

// try makes one call into the connector for one record, as a batch of its own where
// the connector takes batches.
func (w *sinkWorker) try(d *delivery, start time.Time) error {
	rt := w.lane.route.rt
	d.begin(start)
	ctx := w.enter(start)
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

func (d *delivery) begin(now time.Time) {
	if d.attempts == 0 {
		d.started = now
	}
	d.attempts++
}

func (w *sinkWorker) succeed(d *delivery, took time.Duration) {
	r := w.lane.route
	r.metrics.Took(took)
	r.metrics.Processed.Inc()
	r.ack(d.msg)
	if r.condemned.Load() != nil {
		w.sentence()
	}
}

// attrs are what a log line says of a record that failed.
func (w *sinkWorker) attrs(d *delivery, err error) []any {
	return []any{"record", &d.rec, "attempts", d.attempts, "error", oneLine(err)}
}

// failed decides what comes next for a record that failed. Only what a policy has
// dealt with leaves the lane, with an ack, and what is condemned, without.
func (w *sinkWorker) failed(d *delivery, err error) lanes.Outcome {
	rt := w.lane.route.rt
	attrs := w.attrs(d, err)
	if rt.work.Err() != nil {
		rt.log.Warn("a record was not finished in time and is handed back", attrs...)
		w.lane.Stop()
		return again(0)
	}
	if d.firstFailed.IsZero() {
		d.firstFailed = time.Now()
	}
	w.lane.route.metrics.Failed(errorType(err))
	if p := (*PanicError)(nil); asPanic(err, &p) {
		return w.byPolicy(d, err, append(attrs, "stack", string(p.Stack)))
	}
	switch KindOf(err) {
	case KindInvalidData:
		return w.byPolicy(d, err, attrs)
	case KindFatal, KindConfig:
		rt.log.Error("the connector cannot go on", attrs...)
		w.lane.Stop() // nothing of the lane may overtake the record
		rt.fail(fmt.Errorf("record %v: %w", &d.rec, asFatal(err)))
		return again(0)
	}
	if rt.held() || rt.outages.Load() != w.outages {
		return again(0) // the external system is down or was: the record is not to blame
	}
	if n := rt.cfg.MaxRetries; n != nil && d.attempts > *n {
		return w.byPolicy(d, err, attrs)
	}
	pause, left := w.pauseFor(d, err)
	switch {
	case left:
		w.lane.route.metrics.Retried.Inc()
		rt.log.Warn("a record failed and will be tried again", append(attrs, "retry_in", pause)...)
		return again(pause)
	case w.down(d):
		return w.await(d, err)
	case w.condemn(d, err):
		return lanes.Outcome{}
	}
	return w.byPolicy(d, err, attrs)
}

// pauseFor returns the pause before the next attempt, false when the record has had
// all the time that it gets.
func (w *sinkWorker) pauseFor(d *delivery, err error) (time.Duration, bool) {
	cfg := &w.lane.route.rt.cfg
	if d.wait == nil {
		d.wait = retry.New(cfg.RetryBackoff, cfg.MaxBackoff)
	}
	pause, least := d.wait.Next(), RetryAfter(err)
	end := d.received.Add(cfg.AckTimeout - retryMargin)
	if late := d.started.Add(retryLeast); late.After(end) {
		end = late
	}
	left := time.Until(end)
	// The last attempt is at the end of the time, not a pause before it.
	return max(least, min(pause, left)), left > 0 && least <= left
}

// byPolicy does with a record what on_error says.
func (w *sinkWorker) byPolicy(d *delivery, err error, attrs []any) lanes.Outcome {
	r := w.lane.route
	switch r.opts.onError {
	case OnErrorSkip:
		r.rt.log.Error("a record is given up, as on_error says", attrs...)
		r.metrics.Skipped.Inc()
		r.ack(d.msg)
		return lanes.Outcome{}
	case OnErrorDeadLetter:
		return w.deadLetter(d, err, attrs)
	}
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
	err := r.dead.write(r.rt.work, w.letter(d, cause))
	switch {
	case err == nil:
		r.rt.log.Error("a record is among the dead letters, as on_error says", attrs...)
		r.metrics.DeadLettered.Inc()
		r.ack(d.msg)
		return lanes.Outcome{}
	case r.rt.work.Err() != nil:
		w.lane.Stop()
		return again(0)
	case errors.Is(err, danube.ErrTooLarge), errors.Is(err, danube.ErrSchema):
		r.rt.log.Error("a record can be neither processed nor stored among the dead letters, stopping", append(attrs, "dead_letter_error", oneLine(err))...)
		w.lane.Stop()
		r.rt.fail(fmt.Errorf("%w: record %v: %w; its dead letter: %w", ErrStoppedByPolicy, &d.rec, cause, err))
		return again(0)
	}
	pause, _ := w.pauseFor(d, nil)
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
