package connect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/ops"
)

// run is the course of every run.
func (k *core) run(ctx context.Context, r role) (err error) {
	first := false
	k.once.Do(func() { first = true })
	if !first {
		return Fatalf("Run was called twice: a runtime runs once")
	}
	k.stop, k.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	k.work, k.expire = context.WithCancelCause(context.WithoutCancel(ctx))
	k.forced, k.force = context.WithCancelCause(context.WithoutCancel(ctx))
	defer k.cancel(nil)
	defer k.expire(nil)
	defer k.force(nil)
	defer context.AfterFunc(ctx, func() { k.cancel(context.Cause(ctx)) })()
	defer k.clock()()
	defer k.signals()()

	server, err := k.serve(r)
	if err != nil {
		k.note(err)
		return k.finish(r, nil, false)
	}
	k.board.Set("start", "initializing")
	initialized, err := k.initialize()
	if err == nil && k.stop.Err() == nil {
		k.board.Set("start", "opening topics")
		err = r.open(k.stop)
	}
	if err == nil && k.stop.Err() == nil {
		k.board.Set("start", "")
		k.log.Info("connector running")
		stopHealth := k.healthChecks()
		<-k.stop.Done()
		stopHealth()
	}
	if k.stop.Err() != nil && errors.Is(err, context.Cause(k.stop)) {
		err = nil // only says that the run was stopped, or what was noted already
	}
	k.note(err)
	return k.finish(r, server, initialized)
}

// clock makes the time for the drain begin in the moment of the stop.
func (k *core) clock() (stop func()) {
	drain, end := context.WithCancelCause(k.forced)
	k.drain = drain
	timer := time.AfterFunc(math.MaxInt64, func() { end(ErrDrainDeadline) })
	began := context.AfterFunc(k.stop, func() { timer.Reset(k.cfg.DrainTimeout) })
	ended := context.AfterFunc(drain, func() { k.expire(context.Cause(drain)) })
	return func() {
		began()
		ended()
		timer.Stop()
		end(nil)
	}
}

// finish drains, shuts the connector down and closes everything.
func (k *core) finish(r role, server *ops.Server, initialized bool) error {
	k.cancel(errStopped)
	k.board.Set("stop", "stopping")
	k.log.Info("connector stopping", "cause", oneLine(context.Cause(k.stop)), "drain_timeout", k.cfg.DrainTimeout)
	k.note(r.drain(k.drain))
	if left := r.unsettled(); left != "" && k.drain.Err() != nil && k.forced.Err() == nil {
		k.note(fmt.Errorf("%w (%v): %s", ErrDrainDeadline, k.cfg.DrainTimeout, left))
	}
	k.expire(errStopped)
	if initialized {
		k.note(k.shutdown())
	}
	k.background.Wait()
	k.note(k.closeClient())
	if server != nil {
		ctx, cancel := context.WithTimeout(k.forced, time.Second)
		_ = server.Close(ctx) // a scraper that hangs is no reason to fail
		cancel()
	}
	var forced *ForcedError
	if errors.As(context.Cause(k.forced), &forced) {
		forced.Unsettled = r.unsettled()
		k.note(forced)
	}
	k.metrics.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	err := errors.Join(k.errs...)
	if err == nil {
		k.log.Info("connector stopped")
	} else {
		k.log.Error("connector stopped", "error", oneLine(err))
	}
	return err
}

// note keeps an error for Run to return.
func (k *core) note(err error) {
	if err == nil || errors.Is(err, errStopped) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.errs = append(k.errs, err)
}

// fail ends the run because of an error.
func (k *core) fail(err error) {
	k.note(err)
	k.cancel(err)
}
