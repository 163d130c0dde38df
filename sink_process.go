package connect

import (
	"context"
	"fmt"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/metrics"
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

// verdict is what comes next for a record that failed.
type verdict int

const (
	again    verdict = iota // try it once more, after a pause
	byPolicy                // do what on_error says
	ends                    // the connector cannot go on
	handBack                // the runtime stops: leave the record to the next consumer
)

// judge decides about an error of attempt n (from 1) on a record.
func (l *sinkLane) judge(err error, n int, d *delivery) (verdict, time.Duration) {
	rt := l.route.rt
	if rt.work.Err() != nil {
		return handBack, 0
	}
	l.route.metrics.Failed(errorType(err))
	if isPanic(err) {
		return byPolicy, 0
	}
	switch KindOf(err) {
	case KindInvalidData:
		return byPolicy, 0
	case KindFatal, KindConfig:
		return ends, 0
	}
	if rt.cfg.MaxRetries != nil && n > *rt.cfg.MaxRetries {
		return byPolicy, 0
	}
	pause := max(l.wait.Next(), RetryAfter(err))
	end := d.received.Add(retryBudget)
	if least := d.started.Add(retryLeast); least.After(end) {
		end = least
	}
	if time.Now().Add(pause).After(end) {
		return byPolicy, 0
	}
	return again, pause
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

// processOne settles one record, or leaves it.
func (l *sinkLane) processOne(d *delivery) {
	rt := l.route.rt
	defer l.settled(d)
	l.wait.Reset()
	for n := 1; ; n++ {
		start := time.Now()
		if n == 1 {
			d.started = start
		}
		ctx := l.enter(start)
		err := protect(func() error { return rt.sink.Process(ctx, &d.rec) })
		l.leave()
		if err == nil {
			l.succeed(d, time.Since(start))
			return
		}
		what, pause := l.judge(err, n, d)
		if what != again {
			l.conclude(what, d, err, n)
			return
		}
		l.retrying(d, err, n, pause)
		if !l.pause(pause) {
			return
		}
	}
}

func (l *sinkLane) succeed(d *delivery, took time.Duration) {
	l.route.metrics.Took(took)
	l.route.metrics.Processed.Inc()
	l.route.ack(d.msg)
}

func (l *sinkLane) retrying(d *delivery, err error, n int, pause time.Duration) {
	l.route.metrics.Retried.Inc()
	l.route.rt.log.Warn("a record failed and will be tried again", "record", &d.rec, "attempt", n, "retry_in", pause, "error", oneLine(err))
}

// conclude carries out a verdict that is not to try again. Only skip ends in an
// ack: a record that is left is delivered again.
func (l *sinkLane) conclude(what verdict, d *delivery, err error, n int) {
	rt := l.route.rt
	attrs := []any{"record", &d.rec, "attempts", n, "error", oneLine(err)}
	if p := (*PanicError)(nil); asPanic(err, &p) {
		attrs = append(attrs, "stack", string(p.Stack))
	}
	switch what {
	case handBack:
		rt.log.Warn("a record was not finished in time and is handed back", attrs...)
	case ends:
		rt.log.Error("the connector cannot go on", attrs...)
		rt.fail(fmt.Errorf("record %v: %w", &d.rec, asFatal(err)))
	case byPolicy:
		if rt.cfg.OnError == OnErrorSkip {
			rt.log.Error("a record is given up, as on_error says", attrs...)
			l.route.metrics.Skipped.Inc()
			l.route.ack(d.msg)
			return
		}
		rt.log.Error("a record cannot be processed, stopping, as on_error says", attrs...)
		rt.fail(fmt.Errorf("%w: record %v failed after %d attempts: %w", ErrStoppedByPolicy, &d.rec, n, err))
	}
}

// processBatch settles a batch, or leaves what it cannot. A retry sends only what
// failed.
func (l *sinkLane) processBatch(ds []*delivery) {
	l.wait.Reset()
	for n := 1; len(ds) > 0; n++ {
		failed, pause, ok := l.tryBatch(ds, n)
		if !ok {
			return
		}
		if len(failed) > 0 && !l.pause(pause) {
			l.leaveAll(failed)
			return
		}
		ds = failed
	}
}

// tryBatch makes one attempt and returns the records to try again. Not ok means
// that the lane must end; everything is settled or left then.
func (l *sinkLane) tryBatch(ds []*delivery, n int) (retry []*delivery, pause time.Duration, ok bool) {
	rt := l.route.rt
	start := time.Now()
	l.records = l.records[:0]
	for _, d := range ds {
		l.records = append(l.records, &d.rec)
		if d.started.IsZero() {
			d.started = start
		}
	}
	b := newBatch(l.records)
	ctx := l.enter(start)
	rest := protect(func() error { return rt.batch.ProcessBatch(ctx, b) })
	l.leave()
	named := b.close()
	took := time.Since(start)

	if rest != nil && len(ds)-len(named) > 1 && (isPanic(rest) || KindOf(rest) == KindInvalidData) && rt.work.Err() == nil {
		return l.split(ds, named, rest, n)
	}
	ok = true
	for _, d := range ds {
		err := rest
		if own := named[&d.rec]; own != nil {
			err = own
		}
		if err == nil {
			l.succeed(d, took)
			l.settled(d)
			continue
		}
		what, wait := l.judge(err, n, d)
		if what == again {
			l.retrying(d, err, n, wait)
			retry, pause = append(retry, d), max(pause, wait)
			continue
		}
		l.conclude(what, d, err, n)
		l.settled(d)
		ok = ok && rt.stop.Err() == nil
	}
	if !ok {
		l.leaveAll(retry)
		retry = nil
	}
	return retry, pause, ok
}

// split finds the record that spoils a batch: the connector said only that some of
// it is bad. Each half goes by itself, so that the good ones are written and the
// bad one meets its policy alone.
func (l *sinkLane) split(ds []*delivery, named map[*SinkRecord]error, rest error, n int) (retry []*delivery, pause time.Duration, ok bool) {
	var plain, own []*delivery
	for _, d := range ds {
		if named[&d.rec] == nil {
			plain = append(plain, d)
		} else {
			own = append(own, d)
		}
	}
	l.route.rt.log.Warn("a batch was refused as a whole; splitting it to find the record", "topic", l.route.cfg.Topic, "records", len(plain), "error", oneLine(rest))
	half := len(plain) / 2
	for _, part := range [][]*delivery{plain[:half], plain[half:], own} {
		if l.route.rt.stop.Err() != nil {
			l.leaveAll(part)
			continue
		}
		l.processBatch(part)
	}
	return nil, 0, l.route.rt.stop.Err() == nil
}

// leaveAll hands records back: never acknowledged, they are delivered again.
func (l *sinkLane) leaveAll(ds []*delivery) {
	for _, d := range ds {
		l.settled(d)
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
func (l *sinkLane) enter(now time.Time) context.Context {
	a := &l.attempt
	if a.ctx == nil || a.ctx.Err() != nil {
		a.end()
		ctx, cancel := context.WithCancelCause(a.work)
		a.ctx, a.cancel = ctx, cancel
		a.timer = time.AfterFunc(retryBudget, func() {
			l.route.rt.log.Warn("a call into the connector has used up its time; its context has ended", "topic", l.route.cfg.Topic, "partition", l.partition, "limit", retryBudget)
			cancel(context.DeadlineExceeded)
		})
	} else {
		a.timer.Reset(retryBudget)
	}
	l.call.Enter(now, retryBudget)
	return &deadlineContext{a.ctx, now.Add(retryBudget)}
}

func (l *sinkLane) leave() {
	l.attempt.timer.Stop()
	l.call.Leave()
}

func (a *attempt) end() {
	if a.cancel != nil {
		a.timer.Stop()
		a.cancel(nil)
	}
}
