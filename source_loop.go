package connect

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// called runs one call into the connector, which the drain can name when it does
// not come back.
func (rt *SourceRuntime) called(what string, f func() error) error {
	rt.polling.Store(&what)
	defer rt.polling.Store(nil)
	return protect(f)
}

// runPoll is the loop of a source that is polled. Commit is called from here too,
// so that a connector needs no lock.
func (rt *SourceRuntime) runPoll() {
	wait := retry.New(rt.cfg.RetryBackoff, rt.cfg.MaxBackoff)
	idle := time.NewTimer(time.Hour)
	defer idle.Stop()
	for rt.stop.Err() == nil {
		rt.commitReady(rt.work, false)
		if rt.gate.Waiting() != nil { // paused
			rt.idle(idle)
			continue
		}
		var records []*SourceRecord
		err := rt.called("Poll", func() (err error) {
			records, err = rt.source.Poll(rt.stop)
			return err
		})
		if !rt.publishAll(records) {
			return
		}
		switch {
		case err == nil:
			wait.Reset()
			if len(records) == 0 {
				rt.idle(idle)
			}
		case rt.stop.Err() != nil:
		case errors.Is(err, io.EOF):
			rt.log.Info("the source is finished")
			rt.cancel(errStopped)
		default:
			rt.retryCall("Poll", err, wait)
		}
	}
}

// idle waits for the next poll, committing what gets ready meanwhile.
func (rt *SourceRuntime) idle(t *time.Timer) {
	t.Reset(rt.cfg.PollInterval)
	for {
		select {
		case <-t.C:
			return
		case <-rt.stop.Done():
			return
		case <-rt.commits.Ready():
			rt.commitReady(rt.work, false)
		}
	}
}

// retryCall deals with an error of Poll or Stream: waits, or ends the run.
func (rt *SourceRuntime) retryCall(what string, err error, wait *retry.Backoff) {
	rt.general.Failed(errorType(err))
	if isPanic(err) || KindOf(err) != KindRetryable {
		attrs := []any{"error", oneLine(err)}
		if p := (*PanicError)(nil); asPanic(err, &p) {
			attrs = append(attrs, "stack", string(p.Stack))
		}
		rt.log.Error(what+" failed, the connector cannot go on", attrs...)
		rt.fail(fmt.Errorf("%s: %w", what, asFatal(err)))
		return
	}
	d := max(wait.Next(), RetryAfter(err))
	rt.board.Set(what, oneLine(err))
	rt.log.Warn(what+" failed and will be tried again", "retry_in", d, "error", oneLine(err))
	retry.Sleep(rt.stop, d)
	rt.board.Set(what, "")
}

// runStream is the loop of a source that pushes.
func (rt *SourceRuntime) runStream() {
	wait := retry.New(rt.cfg.RetryBackoff, rt.cfg.MaxBackoff)
	for rt.stop.Err() == nil {
		err := rt.called("Stream", func() error { return rt.stream.Stream(rt.stop, &Emitter{rt}) })
		switch {
		case rt.stop.Err() != nil:
		case err == nil || errors.Is(err, io.EOF):
			rt.log.Info("the source is finished")
			rt.cancel(errStopped)
		default:
			rt.retryCall("Stream", err, wait)
		}
	}
}
