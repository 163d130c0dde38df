package danube

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// watchdog gives the calls of one goroutine a deadline without a context for each:
// a fresh context with a deadline costs more allocations than all the rest of a
// publish. One context serves until a call has to be cut off.
type watchdog struct {
	parent context.Context
	at     target
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	fired  bool // the timer was too fast for disarm: the context is of no more use
}

type deadlinePassed struct{}

func (deadlinePassed) Error() string { return "no answer within the deadline" }

// arm returns the context of a call that starts now.
func (w *watchdog) arm(parent context.Context, at target, d time.Duration) context.Context {
	if w.ctx != nil && (w.fired || w.ctx.Err() != nil || w.parent != parent || w.at != at) {
		w.stop()
	}
	if w.ctx == nil {
		ctx, cancel := context.WithCancelCause(parent)
		w.parent, w.at, w.ctx, w.cancel = parent, at, at.context(ctx), cancel
		w.timer = time.AfterFunc(d, func() { cancel(deadlinePassed{}) })
		return w.ctx
	}
	w.timer.Reset(d)
	return w.ctx
}

// disarm ends the call, telling a deadline of ours from other cancellations.
func (w *watchdog) disarm(err error) error {
	w.fired = !w.timer.Stop()
	if err != nil && status.Code(err) == codes.Canceled && context.Cause(w.ctx) == error(deadlinePassed{}) {
		return status.Error(codes.DeadlineExceeded, deadlinePassed{}.Error())
	}
	return err
}

func (w *watchdog) stop() {
	if w.ctx != nil {
		w.timer.Stop()
		w.cancel(nil)
		w.ctx, w.parent, w.fired = nil, nil, false
	}
}

func sleep(ctx context.Context, d time.Duration) bool { return retry.Sleep(ctx, d) }
