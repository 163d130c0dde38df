package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// called runs one call into the connector, which the drain can name when it does
// not come back.
func (rt *SourceRuntime) called(what string, f func() error) error {
	rt.polling.Store(&what)
	defer rt.polling.Store(nil)
	return rt.protect(what, f)
}

// runPoll is the loop of a source that is polled. Commit is called from here too,
// so that a connector needs no lock.
func (rt *SourceRuntime) runPoll() {
	wait := retry.New(rt.cfg.RetryBackoff, rt.cfg.MaxBackoff)
	for rt.stop.Err() == nil {
		if resumed := rt.gate.Waiting(); resumed != nil { // paused
			rt.idle(time.Hour, resumed)
			continue
		}
		rt.commitReady(rt.work, false)
		if room := rt.commits.Room(); room != nil {
			rt.crowd()
			rt.idle(time.Hour, room)
			rt.roomy()
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
			rt.board.Set("Poll", "")
			if len(records) == 0 {
				rt.idle(rt.cfg.PollInterval, nil)
			}
		case rt.stop.Err() != nil:
			rt.failedLast("Poll", err)
		case err == io.EOF: // inside another error it is a connection that broke
			rt.finished()
			rt.idle(math.MaxInt64, nil) // commits meanwhile
		default:
			rt.idle(rt.failedCall("Poll", err, wait), nil)
		}
	}
}

// finished ends the run once the broker has everything. Nobody has asked for an end,
// so nothing limits the time for that: the broker may be restarting just now.
func (rt *SourceRuntime) finished() {
	rt.log.Info("the source is finished")
	rt.loop.Go(func() {
		select {
		case <-rt.commits.Idle():
			rt.cancel(errStopped)
		case <-rt.stop.Done():
		}
	})
}

// idle waits before the next poll, committing what gets ready meanwhile, for d or until
// another reason ends it.
func (rt *SourceRuntime) idle(d time.Duration, early <-chan struct{}) {
	end, again := time.NewTimer(d), time.NewTimer(time.Hour)
	defer end.Stop()
	defer again.Stop()
	for {
		if next := rt.commitReady(rt.work, false); next > 0 {
			again.Reset(next)
		}
		select {
		case <-rt.commits.Ready():
		case <-again.C:
		case <-end.C:
			return
		case <-early:
			return
		case <-rt.stop.Done():
			return
		}
	}
}

// failedCall deals with an error of Poll or Stream: it ends the run, or returns how
// long to wait before the next call.
func (rt *SourceRuntime) failedCall(what string, err error, wait *retry.Backoff) time.Duration {
	rt.general.Failed(errorType(err))
	if isPanic(err) || KindOf(err) != KindRetryable {
		rt.log.Error(what+" failed, the connector cannot go on", "error", oneLine(err))
		rt.fail(fmt.Errorf("%s: %w", what, asFatal(err)))
		return 0
	}
	d := max(wait.Next(), RetryAfter(err))
	rt.board.Set(what, oneLine(err))
	rt.log.Warn(what+" failed and will be tried again", "retry_in", d, "error", oneLine(err))
	return d
}

// failedLast deals with an error of the last call of Poll or Stream, which the stop ended:
// what only says so is none.
func (rt *SourceRuntime) failedLast(what string, err error) {
	switch {
	case err == nil, err == io.EOF:
	case isPanic(err), KindOf(err) != KindRetryable && !isStop(rt.stop, err):
		rt.log.Error(what+" failed while the connector stops", "error", oneLine(err))
		rt.note(fmt.Errorf("%s: %w", what, asFatal(err)))
	case !isStop(rt.stop, err):
		rt.log.Warn(what+" failed while the connector stops", "error", oneLine(err))
	}
}

// isStop reports that an error is that of a context, or why the run ends.
func isStop(stop context.Context, err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNotEmitted) || errors.Is(err, context.Cause(stop))
}

// runStream is the loop of a source that pushes.
func (rt *SourceRuntime) runStream() {
	wait := retry.New(rt.cfg.RetryBackoff, rt.cfg.MaxBackoff)
	for rt.stop.Err() == nil {
		err := rt.called("Stream", func() error { return rt.stream.Stream(rt.stop, &Emitter{rt}) })
		switch {
		case rt.stop.Err() != nil:
			rt.failedLast("Stream", err)
		case err == nil || err == io.EOF: // inside another error it is a connection that broke
			rt.finished()
			<-rt.stop.Done()
		default:
			retry.Sleep(rt.stop, rt.failedCall("Stream", err, wait))
			rt.board.Set("Stream", "")
		}
	}
}
