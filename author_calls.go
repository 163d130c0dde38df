package connect

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// initialize calls Initialize, again while its error may pass.
func (k *core) initialize() (called bool, err error) {
	wait := retry.New(k.cfg.RetryBackoff, k.cfg.MaxBackoff)
	setup := &Setup{k}
	for {
		if k.stop.Err() != nil {
			return called, nil
		}
		called = true
		err := k.guard("Initialize", func() error { return k.connector.Initialize(k.stop, setup) })
		if err == nil {
			return true, k.cfg.checkUnread()
		}
		if k.stop.Err() != nil {
			return true, nil // it was told to end
		}
		if KindOf(err) != KindRetryable || isPanic(err) {
			return true, fmt.Errorf("initialize: %w", asFatal(err))
		}
		d := max(wait.Next(), RetryAfter(err))
		k.log.Warn("Initialize failed and will be tried again", "retry_in", d, "error", oneLine(err))
		k.board.Set("start", "Initialize failed: "+oneLine(err))
		retry.Sleep(k.stop, d)
	}
}

// guard makes a call into the connector on a goroutine of its own, so that one that
// ignores its context, which is stop, cannot hold the process up.
func (k *core) guard(what string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- k.protect(what, f) }()
	select {
	case err := <-done:
		return err
	case <-k.drain.Done():
	}
	k.note(fmt.Errorf("%w: %s has not returned", ErrDrainDeadline, what))
	return errStopped
}

// await waits for done, at most for grace after ctx has ended, and not at all when
// the end is forced. It reports whether done was closed.
func (k *core) await(ctx context.Context, grace time.Duration, done <-chan struct{}) bool {
	late, cancel := context.WithCancel(k.forced)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })()
	select {
	case <-done:
		return true
	case <-late.Done():
	}
	select {
	case <-done: // both
		return true
	default:
		return false
	}
}

// returns runs f on a goroutine of its own and awaits its end. Where that is false, f is
// left behind and what it writes is not to be read.
func (k *core) returns(ctx context.Context, grace time.Duration, f func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return k.await(ctx, grace, done)
}

// shutdownMin is what Shutdown gets even when the drain has used up its time.
const shutdownMin = 5 * time.Second

func (k *core) shutdown() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer time.AfterFunc(shutdownMin, func() { context.AfterFunc(k.drain, cancel) }).Stop()
	defer context.AfterFunc(k.forced, func() { time.AfterFunc(noticeTime, cancel) })()
	done := make(chan error, 1)
	go func() { done <- k.protect("Shutdown", func() error { return k.connector.Shutdown(ctx) }) }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("shutdown: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: Shutdown has not returned", ErrDrainDeadline)
	}
}

// protect turns a panic of the connector into an error with its stack.
func protect(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}

func isPanic(err error) bool {
	var p *PanicError
	return asPanic(err, &p)
}

func asPanic(err error, p **PanicError) bool { return errors.As(err, p) }

// asFatal gives an error that ends the run a kind that says so.
func asFatal(err error) error {
	if k := KindOf(err); k == KindFatal || k == KindConfig {
		return err
	}
	return Fatal(err)
}
