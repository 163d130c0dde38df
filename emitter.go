package connect

import (
	"context"
	"errors"
	"fmt"
)

// Emitter is how a [StreamConnector] hands records over. It is safe for concurrent
// use; the order is that of the calls of each goroutine. It may be used until
// Stream has returned, also after Stream's context has ended.
type Emitter struct {
	rt *SourceRuntime
}

// Emit publishes a record and returns when the broker has it, so that an answer to
// whoever sent it can wait for that. The error has ErrNotEmitted in its chain when
// the record will not be published: ctx ended before it was accepted, or the runtime
// is at its end; ErrOutcomeUnknown when ctx ended later, and then the record is still
// published. A record that can never be published comes back as invalid data once
// on_error = "skip" or "dead_letter" has dealt with it: what it came from can be
// acknowledged then. With ErrStoppedByPolicy in the chain it cannot: on_error = "stop"
// ends the runtime, and nobody has the record.
func (e *Emitter) Emit(ctx context.Context, r *SourceRecord) (Receipt, error) {
	type result struct {
		r   Receipt
		err error
	}
	done := make(chan result, 1)
	if err := e.EmitAsync(ctx, r, func(r Receipt, err error) { done <- result{r, err} }); err != nil {
		return Receipt{}, err
	}
	select {
	case res := <-done:
		return res.r, res.err
	case <-ctx.Done():
	}
	select {
	case res := <-done: // both
		return res.r, res.err
	default:
		return Receipt{}, fmt.Errorf("emit %v: %w: %w", r, ErrOutcomeUnknown, context.Cause(ctx))
	}
}

// EmitAsync accepts a record for publishing and returns; it waits only for room,
// which is back-pressure: 64 records or 16 MiB of a partition that the broker has
// not answered for, and 65,536 records that wait for one before them to be committed. After
// nil, done is called exactly once with what Emit would return; it must not block. The
// records of one partition of a topic are answered in their order; one that is refused at
// once, and [Progress], before EmitAsync returns and on its goroutine. After an error,
// done is not called and the record is not published. done may be nil.
func (e *Emitter) EmitAsync(ctx context.Context, r *SourceRecord, done func(Receipt, error)) error {
	if r == nil {
		return InvalidDataf("%w: the record is nil", ErrNotEmitted)
	}
	if !e.rt.topics.accepting() {
		return fmt.Errorf("emit %v: %w", r, errStoppedSource)
	}
	// Accepting ends with the caller's context and with the drain.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.rt.work, func() { cancel(context.Cause(e.rt.work)) })()
	err := e.rt.unpaused(ctx)
	if err == nil {
		err = e.rt.room(ctx)
	}
	if err != nil {
		return fmt.Errorf("emit %v: %w: %w", r, ErrNotEmitted, err)
	}
	err = e.rt.emit(ctx, r, done)
	if err != nil && !errors.Is(err, ErrNotEmitted) {
		err = fmt.Errorf("emit %v: %w: %w", r, ErrNotEmitted, err)
	}
	return err
}

// unpaused waits for the end of a pause. A stop ends the waiting, too: nobody knows
// when the pause would have ended.
func (rt *SourceRuntime) unpaused(ctx context.Context) error {
	if rt.gate.Waiting() == nil {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(rt.stop, func() { cancel(context.Cause(rt.stop)) })()
	if rt.gate.Pass(ctx) {
		return nil
	}
	return context.Cause(ctx)
}
