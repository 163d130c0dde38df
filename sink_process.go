package connect

import (
	"context"
	"fmt"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/lanes"
	"github.com/danube-messaging/danube-connect-go/internal/metrics"
	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

const (
	// retryBudget is how long after its delivery a record may still be tried again: the
	// broker delivers it again after 30 s without an ack, and counts that as one of the
	// six deliveries after which it blocks the subscription.
	retryBudget = 25 * time.Second
	// retryLeast is what a record gets from its first attempt on, however long it had
	// to wait behind others: one delivery more does less harm than a retry too few.
	retryLeast = 10 * time.Second
)

// again is the outcome of a record that stays in its lane.
func again(after time.Duration) lanes.Outcome { return lanes.Outcome{Again: true, After: after} }

// processOne makes one attempt on a record.
func (w *sinkWorker) processOne(d *delivery) lanes.Outcome {
	start := time.Now()
	d.begin(start)
	ctx := w.enter(start)
	err := protect(func() error { return w.lane.route.rt.sink.Process(ctx, &d.rec) })
	w.leave()
	if err == nil {
		w.succeed(d, time.Since(start))
		return lanes.Outcome{}
	}
	return w.failed(d, err)
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
}

// failed decides what comes next for a record that failed. Only what on_error =
// "skip" gives up leaves the lane, with an ack.
func (w *sinkWorker) failed(d *delivery, err error) lanes.Outcome {
	rt := w.lane.route.rt
	attrs := []any{"record", &d.rec, "attempts", d.attempts, "error", oneLine(err)}
	if rt.work.Err() != nil {
		rt.log.Warn("a record was not finished in time and is handed back", attrs...)
		w.lane.Stop()
		return again(0)
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
	pause, left := w.pauseFor(d, err)
	if !left {
		return w.byPolicy(d, err, attrs)
	}
	w.lane.route.metrics.Retried.Inc()
	rt.log.Warn("a record failed and will be tried again", append(attrs, "retry_in", pause)...)
	return again(pause)
}

// pauseFor returns the pause before the next attempt, false when the record has had
// all that it gets.
func (w *sinkWorker) pauseFor(d *delivery, err error) (time.Duration, bool) {
	cfg := &w.lane.route.rt.cfg
	if cfg.MaxRetries != nil && d.attempts > *cfg.MaxRetries {
		return 0, false
	}
	if d.wait == nil {
		d.wait = retry.New(cfg.RetryBackoff, cfg.MaxBackoff)
	}
	pause := max(d.wait.Next(), RetryAfter(err))
	end := d.received.Add(retryBudget)
	if least := d.started.Add(retryLeast); least.After(end) {
		end = least
	}
	return pause, !time.Now().Add(pause).After(end)
}

// byPolicy does with a record what on_error says.
func (w *sinkWorker) byPolicy(d *delivery, err error, attrs []any) lanes.Outcome {
	r := w.lane.route
	if r.rt.cfg.OnError == OnErrorSkip {
		r.rt.log.Error("a record is given up, as on_error says", attrs...)
		r.metrics.Skipped.Inc()
		r.ack(d.msg)
		return lanes.Outcome{}
	}
	r.rt.log.Error("a record cannot be processed, stopping, as on_error says", attrs...)
	w.lane.Stop()
	r.rt.fail(fmt.Errorf("%w: record %v failed after %d attempts: %w", ErrStoppedByPolicy, &d.rec, d.attempts, err))
	return again(0)
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

// processBatch makes one attempt on a batch; what failed stays in the lane.
func (w *sinkWorker) processBatch(ds []*delivery, out []lanes.Outcome) {
	rt := w.lane.route.rt
	start := time.Now()
	w.records = w.records[:0]
	for _, d := range ds {
		d.begin(start)
		w.records = append(w.records, &d.rec)
	}
	b := newBatch(w.records)
	ctx := w.enter(start)
	rest := protect(func() error { return rt.batch.ProcessBatch(ctx, b) })
	w.leave()
	named := b.close()
	took := time.Since(start)

	if rest != nil && len(ds)-len(named) > 1 && (isPanic(rest) || KindOf(rest) == KindInvalidData) && rt.work.Err() == nil {
		w.split(ds, out, named, rest)
		return
	}
	for i, d := range ds {
		err := rest
		if own := named[&d.rec]; own != nil {
			err = own
		}
		if err == nil {
			w.succeed(d, took)
		} else {
			out[i] = w.failed(d, err)
		}
	}
}

// split finds the record that spoils a batch: the connector said only that some of
// it is bad. Each half goes by itself, so that the good ones are written and the bad
// one meets its policy alone. Those that failed by name are not touched by it.
func (w *sinkWorker) split(ds []*delivery, out []lanes.Outcome, named map[*SinkRecord]error, rest error) {
	var plain []*delivery
	var places []int
	for i, d := range ds {
		if own := named[&d.rec]; own != nil {
			out[i] = w.failed(d, own)
			continue
		}
		plain, places = append(plain, d), append(places, i)
	}
	w.lane.route.rt.log.Warn("a batch was refused as a whole; splitting it to find the record", "topic", w.lane.name, "records", len(plain), "error", oneLine(rest))
	half := len(plain) / 2
	w.part(plain[:half], places[:half], out)
	w.part(plain[half:], places[half:], out)
}

// part makes an attempt on a part of a batch, unless the run ends meanwhile.
func (w *sinkWorker) part(ds []*delivery, places []int, out []lanes.Outcome) {
	part := make([]lanes.Outcome, len(ds))
	if w.lane.route.rt.stop.Err() != nil {
		w.lane.leave(part)
	} else {
		w.processBatch(ds, part)
	}
	for i, o := range part {
		out[places[i]] = o
	}
}

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
	a := &w.attempt
	if a.ctx == nil {
		ctx, cancel := context.WithCancelCause(a.work)
		a.ctx, a.cancel = ctx, cancel
		a.timer = time.AfterFunc(retryBudget, func() {
			w.lane.route.rt.log.Warn("a call into the connector has used up its time; its context has ended", "topic", w.lane.name, "limit", retryBudget)
			cancel(context.DeadlineExceeded)
		})
	} else {
		a.timer.Reset(retryBudget)
	}
	w.call.Enter(now, retryBudget)
	return &deadlineContext{a.ctx, now.Add(retryBudget)}
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
