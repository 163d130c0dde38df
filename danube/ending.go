package danube

import (
	"context"
	"sync"
)

// ending is the close of something that several may ask for at once. It happens once;
// who comes later waits for it and gets the same answer, and the one with the least
// patience decides how long it may take.
type ending struct {
	mu     sync.Mutex
	done   chan struct{}
	ctx    context.Context // ends with that of any caller
	cancel context.CancelCauseFunc
	err    error
}

func (e *ending) end(ctx context.Context, f func(context.Context) error) error {
	e.mu.Lock()
	first := e.done == nil
	if first {
		e.done = make(chan struct{})
		e.ctx, e.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	}
	e.mu.Unlock()
	if ctx.Err() != nil {
		e.cancel(context.Cause(ctx))
	}
	stop := context.AfterFunc(ctx, func() { e.cancel(context.Cause(ctx)) })
	defer stop()
	if first {
		e.err = f(e.ctx)
		e.cancel(nil)
		close(e.done)
	}
	<-e.done
	return e.err
}
