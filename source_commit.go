package connect

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/metrics"
	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

const (
	// commitBudget is how long a failing Commit is tried again where MAX_RETRIES does
	// not say how often.
	commitBudget = 30 * time.Second
	// saveEvery is the least time between two saves of checkpoints, which wait for the
	// disk: what is not saved yet is published again after a crash, no more.
	saveEvery = 100 * time.Millisecond
)

// maxUncommitted bounds the records that wait for one before them: some 300 bytes each.
const maxUncommitted = 1 << 16

// commitState belongs to the one goroutine that commits: the loop that polls, the one
// beside a stream, and at the end the drain. That one takes it from a loop that has not
// ended, unless it is committing just now.
type commitState struct {
	mu       sync.Mutex // held while something is saved and committed, between two attempts too
	drains   bool       // only the drain commits any more
	failed   bool       // nothing is committed behind what could not be
	saveOnly bool       // Commit is not called any more: Poll has not returned
	saved    time.Time  // when the last time was
}

// commitReady saves and commits what may be, and returns when to come back, 0 when
// only a settled record can bring more. At the end of a run, last is set.
func (rt *SourceRuntime) commitReady(ctx context.Context, last bool) (next time.Duration) {
	c := &rt.commitState
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed || c.drains && !last {
		return 0
	}
	defer rt.roomy()
	if rt.store != nil && !last {
		if left := saveEvery - time.Since(c.saved); left > 0 {
			return left
		}
	}
	offsets, next := rt.commits.Take() // anew: the connector may keep them
	if len(offsets) == 0 {
		return next
	}
	committer, wanted := capability[Committer](rt.connector)
	var err error
	if rt.store != nil {
		err = rt.insist(ctx, "Save", func() error { return rt.store.Save(ctx, newest(offsets)) })
	}
	if err == nil && wanted && c.saveOnly {
		rt.leftUncommitted(len(offsets), "Poll has not returned")
	} else if err == nil && wanted {
		err = rt.insist(ctx, "Commit", func() error { return committer.Commit(ctx, offsets) })
	}
	c.saved = time.Now()
	if err != nil {
		rt.commits.Unbound()
	}
	switch {
	case err == nil:
		rt.origins.forget()
	case ctx.Err() != nil: // no time is left: they are published and not committed
		c.failed = true
		rt.leftUncommitted(len(offsets)+rt.commits.Settled(), oneLine(err))
	default:
		c.failed = true
		rt.fail(fmt.Errorf("commit of %d offsets up to %v: %w", len(offsets), offsets[len(offsets)-1], err))
	}
	return next
}

// leftUncommitted keeps for the end of the run what could not be committed.
func (rt *SourceRuntime) leftUncommitted(n int, why string) {
	s := fmt.Sprintf("%d offsets of published records were not committed: %s", n, why)
	rt.uncommitted.Store(&s)
}

// insist calls f until it succeeds, or will not. Readiness says why meanwhile.
func (rt *SourceRuntime) insist(ctx context.Context, what string, f func() error) error {
	wait := retry.New(rt.cfg.RetryBackoff, rt.cfg.MaxBackoff)
	start := time.Now()
	defer rt.board.Set(what, "")
	for n := 1; ; n++ {
		rt.committing.Store(&what)
		rt.commitCall.Enter(time.Now(), commitBudget)
		err := rt.protect(what, f)
		rt.commitCall.Leave()
		rt.committing.Store(nil)
		if err == nil {
			return nil
		}
		rt.general.Failed(metrics.ErrCommit)
		pause := max(wait.Next(), RetryAfter(err))
		spent := time.Since(start)+pause > commitBudget
		if rt.cfg.MaxRetries != nil {
			spent = n > *rt.cfg.MaxRetries
		}
		if !isPanic(err) && KindOf(err) == KindRetryable && !spent {
			rt.board.Set(what, oneLine(err))
			rt.log.Warn(what+" failed and is tried again", "attempt", n, "retry_in", pause, "error", oneLine(err))
			if retry.Sleep(ctx, pause) {
				continue
			}
		}
		return fmt.Errorf("%s, attempt %d: %w", what, n, asFatal(err))
	}
}

// takeOver lets the drain commit in the place of a loop that has not ended; false where
// that one is committing.
func (c *commitState) takeOver(saveOnly bool) bool {
	if !c.mu.TryLock() {
		return false
	}
	c.drains, c.saveOnly = true, saveOnly
	c.mu.Unlock()
	return true
}

// crowd says that no record is taken before some are committed.
func (rt *SourceRuntime) crowd() {
	rt.crowded.Store(true)
	if rt.board.Set("commit", fmt.Sprintf("%d records wait for one before them that the broker does not have yet", maxUncommitted)) {
		rt.log.Warn("no record is taken: one that the broker does not have keeps those behind it from being committed", "waiting", maxUncommitted)
	}
}

// roomy says so no more once there is room. Who commits makes it, also for those who have
// not waited for it.
func (rt *SourceRuntime) roomy() {
	if rt.crowded.Load() && rt.commits.Room() == nil {
		rt.crowded.Store(false)
		rt.board.Set("commit", "")
	}
}

// room waits until there is room for a record that is not committed yet. At a stop there
// is: what is emitted then is bounded by the time for it, and nobody commits meanwhile.
func (rt *SourceRuntime) room(ctx context.Context) error {
	for rt.stop.Err() == nil {
		room := rt.commits.Room()
		if room == nil {
			rt.roomy()
			return nil
		}
		rt.crowd()
		select {
		case <-room:
		case <-rt.stop.Done():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// runCommits commits beside a stream.
func (rt *SourceRuntime) runCommits() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-rt.commits.Ready():
		case <-timer.C:
		case <-rt.stop.Done():
			return
		}
		if next := rt.commitReady(rt.work, false); next > 0 {
			timer.Reset(next)
		}
	}
}

// lastCommits commits what is left at the end of a run, and leaves a call behind that
// does not return.
func (rt *SourceRuntime) lastCommits(ctx context.Context) {
	rt.returns(ctx, 2*noticeTime, func() { rt.commitRest(ctx) })
}

// commitRest waits for what commit_lag keeps back. What was published counts also
// when the drain deadline has passed, so a moment is left for it.
func (rt *SourceRuntime) commitRest(ctx context.Context) {
	for {
		late := ctx
		if ctx.Err() != nil {
			c, cancel := context.WithTimeout(rt.forced, noticeTime)
			defer cancel()
			late = c
		}
		next := rt.commitReady(late, true)
		if next == 0 {
			return
		}
		if !retry.Sleep(ctx, next) {
			rt.leftUncommitted(rt.commits.Settled(), "commit_lag_ms keeps them back longer than drain_timeout_ms")
			return
		}
	}
}
