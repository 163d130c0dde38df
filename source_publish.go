package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/commit"
	"github.com/danube-messaging/danube-connect-go/internal/metrics"
	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// flight is one record from its emission to its end.
type flight struct {
	commit.Flight[Offset]
	rt      *SourceRuntime
	rec     *SourceRecord
	topic   *sourceTopic
	out     danube.Outgoing
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
			return false
		}
		if err := rt.emit(rt.work, r, nil); err != nil {
			if rt.work.Err() == nil {
				rt.fail(fmt.Errorf("publish %v: %w", r, asFatal(err)))
			}
			return false
		}
	}
	return true
}

// emit accepts one record. An error means that it was not accepted: ErrNotEmitted
// in its chain when ctx ended first, else the run cannot go on.
func (rt *SourceRuntime) emit(ctx context.Context, r *SourceRecord, receipt func(Receipt, error)) error {
	f := &flight{Flight: commit.Flight[Offset]{Offset: r.Offset}, rt: rt, rec: r, started: time.Now(), receipt: receipt}
	rt.commits.Add(r.Offset.Partition, &f.Flight)
	if r.IsProgress() {
		f.end(Receipt{}, nil)
		return nil
	}
	topic, bad, err := rt.topicFor(ctx, r)
	if err != nil {
		rt.commits.Drop(r.Offset.Partition, &f.Flight)
		return err
	}
	f.topic = topic
	if bad != nil {
		f.refused(Receipt{Topic: r.Topic}, bad)
		return nil
	}
	topic.metrics.Received.Inc()
	topic.metrics.Inflight.Inc()
	f.out = danube.Outgoing{Payload: r.Payload, Attributes: r.Attributes, Key: r.Key, PublishTime: r.PublishTime}
	if err := topic.producer.SendAsync(ctx, &f.out, f.published); err != nil {
		topic.metrics.Inflight.Dec()
		if errors.Is(err, danube.ErrNotSent) {
			err = fmt.Errorf("%w: %w", ErrNotEmitted, err)
		}
		rt.commits.Drop(r.Offset.Partition, &f.Flight)
		return err
	}
	return nil
}

// topicFor finds the topic of a record, opening it where it is new. bad is an error
// that lies in the record.
func (rt *SourceRuntime) topicFor(ctx context.Context, r *SourceRecord) (t *sourceTopic, bad, err error) {
	name := or(r.Topic, rt.cfg.DestinationTopic)
	rt.mu.Lock()
	t = rt.topics[name]
	rt.mu.Unlock()
	switch {
	case t != nil:
		return t, nil, nil
	case name == "":
		return rt.noTopic(), InvalidDataf("the record has no topic, and destination_topic is not set"), nil
	case rt.declared:
		return rt.noTopic(), InvalidDataf("topic %s is not one that ProducerConfigs declared", name), nil
	}
	t, err = rt.openTopic(ctx, ProducerConfig{Topic: name, NonReliable: !rt.cfg.ReliableDispatch})
	if errors.Is(err, danube.ErrInvalid) {
		return rt.noTopic(), InvalidData(err), nil
	}
	return t, nil, err
}

// noTopic stands in for a topic that cannot be published to.
func (rt *SourceRuntime) noTopic() *sourceTopic {
	return &sourceTopic{metrics: rt.general}
}

// published is called by the producer when a record has ended, in order for each
// partition.
func (f *flight) published(r Receipt, err error) {
	m := f.topic.metrics
	m.Inflight.Dec()
	if r.Attempts > 1 {
		m.Retried.Add(float64(r.Attempts - 1))
	}
	switch {
	case err == nil:
		m.Took(time.Since(f.started))
		m.Processed.Inc()
		f.end(r, nil)
	case errors.Is(err, danube.ErrTooLarge), errors.Is(err, danube.ErrSchema):
		f.refused(r, InvalidData(err))
	default:
		f.lost(r, err)
	}
}

// refused ends a record that will never be published, by the policy on_error.
func (f *flight) refused(r Receipt, err error) {
	rt := f.rt
	f.topic.metrics.Failed(metrics.ErrInvalid)
	if rt.cfg.onError() == OnErrorSkip {
		rt.log.Error("a record is given up, as on_error says", "record", f.rec, "error", oneLine(err))
		f.topic.metrics.Skipped.Inc()
		f.end(r, err)
		return
	}
	rt.log.Error("a record cannot be published, stopping, as on_error says", "record", f.rec, "error", oneLine(err))
	rt.fail(fmt.Errorf("%w: record %v: %w", ErrStoppedByPolicy, f.rec, err))
	f.lost(r, err)
}

// end settles a record: it may be committed.
func (f *flight) end(r Receipt, err error) {
	if f.receipt != nil {
		f.receipt(r, err)
	}
	f.rt.commits.Settle(f.Offset.Partition, &f.Flight)
}

// lost ends a record that was not published: nothing behind it is committed, and
// the run ends.
func (f *flight) lost(r Receipt, err error) {
	f.rt.commits.Fail(&f.Flight)
	if f.receipt != nil {
		f.receipt(r, err)
	}
	if f.rt.stop.Err() == nil {
		f.rt.fail(fmt.Errorf("publish %v: %w", f.rec, asFatal(err)))
	}
}

// commitBudget is how long a failing Commit is tried again where MAX_RETRIES does
// not say how often.
const commitBudget = 30 * time.Second

// commitReady tells the connector what was published since the last time.
func (rt *SourceRuntime) commitReady() {
	committer, wanted := capability[Committer](rt.connector)
	ready := rt.commits.Take()
	offsets := ready[:0]
	for _, o := range ready {
		if !o.IsZero() {
			offsets = append(offsets, o)
		}
	}
	if !wanted || len(offsets) == 0 {
		return
	}
	wait := retry.New(rt.cfg.RetryBackoff, rt.cfg.MaxBackoff)
	start := time.Now()
	for n := 1; ; n++ {
		err := rt.called("Commit", func() error { return committer.Commit(rt.work, offsets) })
		if err == nil {
			return
		}
		rt.general.Failed(metrics.ErrCommit)
		pause := max(wait.Next(), RetryAfter(err))
		spent := time.Since(start)+pause > commitBudget
		if rt.cfg.MaxRetries != nil {
			spent = n > *rt.cfg.MaxRetries
		}
		if isPanic(err) || KindOf(err) != KindRetryable || spent || !retry.Sleep(rt.work, pause) {
			rt.fail(fmt.Errorf("commit of %d offsets up to %v, attempt %d: %w", len(offsets), offsets[len(offsets)-1], n, asFatal(err)))
			return
		}
		rt.log.Warn("Commit failed and is tried again", "offsets", len(offsets), "attempt", n, "error", oneLine(err))
	}
}
