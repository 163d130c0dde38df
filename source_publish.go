package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/commit"
	"github.com/danube-messaging/danube-connect-go/internal/metrics"
)

// flight is one record from its emission to its end.
type flight struct {
	commit.Flight[Offset]
	rt      *SourceRuntime
	rec     *SourceRecord
	topic   *sourceTopic
	out     danube.Outgoing
	origin  string // x-connect-source, empty without an offset
	started time.Time
	receipt func(Receipt, error) // of EmitAsync, else nil
}

// Receipt is what is known of a published record.
type Receipt = danube.Receipt

// publishAll accepts the records of one poll, waiting for room; false means that
// the run has failed and the rest is not published, nor ever committed.
func (rt *SourceRuntime) publishAll(records []*SourceRecord) bool {
	if len(records) > 0 {
		rt.general.Batch(len(records))
	}
	for i, r := range records {
		if r == nil {
			rt.fail(Fatalf("Poll returned a nil record, number %d of %d", i, len(records)))
			continue // the others are no worse for it
		}
		if rt.policyStop.Load() && !r.Offset.IsZero() {
			// It comes again at the next start, behind what stopped the run. What has no
			// offset does not, and is published.
			rt.abandon(records[i : i+1])
			continue
		}
		if err := rt.emit(rt.work, r, nil); err != nil {
			rt.abandon(records[i:])
			if rt.work.Err() == nil && !errors.Is(err, ErrNotEmitted) {
				rt.fail(fmt.Errorf("publish %v: %w", r, asFatal(err)))
			}
			return false
		}
	}
	return true
}

// abandon notes records of a poll that will not be published. Their offsets may be
// those of records that were: none of them may be committed.
func (rt *SourceRuntime) abandon(records []*SourceRecord) {
	rt.unpublished.Add(int64(len(records)))
	for _, r := range records {
		if r != nil {
			f := &commit.Flight[Offset]{Offset: r.Offset}
			rt.commits.Add(r.Offset.Partition, f)
			rt.commits.Fail(f)
		}
	}
}

// emit accepts one record. An error means that it was not accepted: ErrNotEmitted
// in its chain when ctx ended first, else the run cannot go on.
func (rt *SourceRuntime) emit(ctx context.Context, r *SourceRecord, receipt func(Receipt, error)) error {
	if rt.dead != nil && !r.IsProgress() {
		if err := rt.dead.waitForRoom(ctx); err != nil {
			return err
		}
	}
	f := &flight{Flight: commit.Flight[Offset]{Offset: r.Offset}, rt: rt, rec: r, started: time.Now(), receipt: receipt}
	rt.commits.Add(r.Offset.Partition, &f.Flight)
	if r.IsProgress() {
		f.end(Receipt{}, nil)
		return nil
	}
	index := 0
	if !r.Offset.IsZero() && (rt.cfg.Stamps || rt.dead != nil) {
		index = rt.origins.next(r.Offset)
		f.origin = originName(rt.cfg.ConnectorName, r.Offset, index)
	}
	err := f.accept(ctx)
	if err == nil {
		return nil
	}
	if errors.Is(err, danube.ErrNotSent) {
		err = fmt.Errorf("%w: %w", ErrNotEmitted, err)
	}
	if f.origin != "" {
		rt.origins.back(r.Offset, index)
	}
	rt.commits.Drop(r.Offset.Partition, &f.Flight)
	return err
}

// accept hands the record to its topic's producer, or ends it where it is bad.
func (f *flight) accept(ctx context.Context) error {
	rt, r := f.rt, f.rec
	topic, bad, err := rt.topicFor(ctx, r)
	if err != nil {
		return err
	}
	f.topic = topic
	if bad != nil {
		f.refused(Receipt{Topic: r.Topic}, "topic", bad)
		return nil
	}
	topic.metrics.Received.Inc()
	topic.metrics.Inflight.Inc()
	payload, bad := f.payload()
	f.out = danube.Outgoing{Payload: payload, Attributes: r.Attributes, Key: r.Key, PublishTime: r.PublishTime}
	if topic.schema != nil {
		f.out.Schema = &topic.schema.id // what the payload was checked with
	}
	if bad != nil {
		topic.metrics.Inflight.Dec()
		f.refused(Receipt{Topic: r.Topic}, "schema", bad)
		return nil
	}
	if rt.cfg.Stamps {
		f.out.Origin = f.origin
	}
	err = topic.limit(ctx)
	if err == nil {
		err = topic.producer.SendAsync(ctx, &f.out, f.published)
	}
	if err != nil {
		topic.metrics.Inflight.Dec()
	}
	return err
}

// limit waits until rate_limit lets the next record through.
func (t *sourceTopic) limit(ctx context.Context) error {
	if t.limiter == nil {
		return nil
	}
	err := t.limiter.Wait(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrNotEmitted, context.Cause(ctx))
	}
	return fmt.Errorf("%w: rate_limit leaves no room until the deadline: %w", ErrNotEmitted, context.DeadlineExceeded)
}

// published is called by the producer when a record has ended, in order for each
// partition.
func (f *flight) published(r Receipt, err error) {
	m := f.topic.metrics
	m.Inflight.Dec()
	if r.Attempts > 1 {
		m.Retried.Add(float64(r.Attempts - 1))
	}
	if r.Ambiguous {
		m.Ambiguous.Inc()
	}
	switch {
	case err == nil:
		m.Took(time.Since(f.started))
		m.Processed.Inc()
		f.end(r, nil)
	case errors.Is(err, danube.ErrBadMessage), errors.Is(err, danube.ErrTooLarge), errors.Is(err, danube.ErrSchema):
		f.refused(r, "publish", InvalidData(err))
	default:
		f.lost(r, err)
	}
}

// refused ends a record that will never be published, by the policy on_error. stage is
// what it failed in.
func (f *flight) refused(r Receipt, stage string, err error) {
	rt := f.rt
	f.topic.metrics.Failed(metrics.ErrInvalid)
	switch rt.cfg.onError() {
	case OnErrorSkip:
		rt.log.Error("a record is given up, as on_error says", "record", f.rec, "error", oneLine(err))
		f.topic.metrics.Skipped.Inc()
		f.end(r, err)
		return
	case OnErrorDeadLetter:
		if !rt.dead.add(&burial{f: f, receipt: r, cause: err, letter: f.letter(r, stage, err)}) {
			f.giveUp(r, err)
		}
		return
	}
	err = fmt.Errorf("%w: %v: %w", ErrStoppedByPolicy, f.rec, err)
	if rt.policyStop.CompareAndSwap(false, true) { // one says it; those behind it are counted
		rt.log.Error("a record cannot be published, stopping, as on_error says", "record", f.rec, "error", oneLine(err))
		rt.fail(err)
	}
	f.giveUp(r, err)
}

// end settles a record: it may be committed.
func (f *flight) end(r Receipt, err error) {
	f.answer(r, err)
	f.rec, f.out, f.receipt = nil, danube.Outgoing{}, nil // it may wait for its commit for long
	f.rt.commits.Settle(f.Offset.Partition, &f.Flight)
}

// answer tells who emitted the record. A panic there must not end the process: it
// would take along what else is on its way.
func (f *flight) answer(r Receipt, err error) {
	if f.receipt == nil {
		return
	}
	if errors.Is(err, danube.ErrNotSent) {
		err = fmt.Errorf("%w: %w", ErrNotEmitted, err)
	}
	f.rt.answering.Add(1)
	defer f.rt.answering.Add(-1)
	if err := f.rt.protect("the done of EmitAsync", func() error { f.receipt(r, err); return nil }); err != nil {
		f.rt.fail(fmt.Errorf("done of EmitAsync: %w", asFatal(err)))
	}
}

// lost ends a record that was not published: nothing behind it is committed, and
// the run ends.
func (f *flight) lost(r Receipt, err error) {
	rt := f.rt
	f.giveUp(r, err)
	switch {
	case rt.stop.Err() == nil:
		rt.fail(fmt.Errorf("publish %v: %w", f.rec, asFatal(err)))
	case errors.Is(err, danube.ErrClosed), rt.work.Err() != nil:
		// The end of the run's time, which the drain reports.
	case rt.failedLate.CompareAndSwap(false, true):
		rt.note(fmt.Errorf("publish %v: %w", f.rec, asFatal(err)))
	}
}

func (f *flight) giveUp(r Receipt, err error) {
	f.rt.commits.Fail(&f.Flight)
	f.rt.unpublished.Add(1)
	f.answer(r, err)
}
