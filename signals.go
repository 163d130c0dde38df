package connect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// signals stops the run at the first SIGINT or SIGTERM and forces its end at the
// second. The returned function gives the signals back.
func (k *core) signals() (restore func()) {
	if k.opts.noSignals {
		return func() {}
	}
	c := make(chan os.Signal, 2)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case s := <-c:
				k.signalled(s, n > 0)
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(c)
		close(done)
	}
}

func (k *core) signalled(s os.Signal, again bool) {
	if again {
		k.log.Warn("second signal, forcing the exit", "signal", s.String())
		k.force(&ForcedError{Signal: s})
		return
	}
	k.log.Info("signal, stopping; a second one forces the exit", "signal", s.String())
	k.cancel(errStopped)
}

// healthTimeout is what one HealthCheck gets.
const healthTimeout = 10 * time.Second

// healthChecks asks a connector that can tell whether its external system is there.
func (k *core) healthChecks() (stop func()) {
	checker, ok := capability[HealthChecker](k.connector)
	if !ok {
		return func() {}
	}
	ctx, cancel := context.WithCancel(k.stop)
	go func() {
		failures := 0
		t := time.NewTicker(k.cfg.HealthInterval)
		defer t.Stop()
		for {
			err := k.healthCheck(ctx, checker)
			if ctx.Err() != nil {
				return
			}
			reason := ""
			if err == nil {
				failures = 0
			} else if failures++; failures >= k.cfg.HealthThreshold {
				reason = oneLine(err)
			}
			if k.board.Set("health check", reason) {
				if reason != "" {
					k.log.Warn("the connector's health check fails", "error", reason)
				} else {
					k.log.Info("the connector's health check is good again")
				}
			}
			select {
			case <-t.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return cancel
}

// healthCheck makes one check. One that does not return is itself a reason for not
// being ready, and there is no other before it has.
func (k *core) healthCheck(ctx context.Context, checker HealthChecker) error {
	call, end := context.WithTimeout(ctx, healthTimeout)
	defer end()
	done := make(chan error, 1)
	go func() { done <- k.protect("HealthCheck", func() error { return checker.HealthCheck(call) }) }()
	late := time.NewTimer(healthTimeout + noticeTime)
	defer late.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-late.C:
			reason := fmt.Sprintf("HealthCheck has not returned within %v", healthTimeout)
			k.board.Set("health check", reason)
			k.log.Warn("the connector's health check fails", "error", reason)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// onSession shows on the board where the sessions of a topic stand: that of each
// partition, and before these are known that of the topic as a whole.
func (k *core) onSession(kind, topic string) func(danube.SessionEvent) {
	return func(e danube.SessionEvent) {
		if e.Topic != topic {
			k.board.Set(fmt.Sprintf("%s of %s", kind, topic), "")
		}
		reason := ""
		if e.State != danube.Ready {
			reason = e.State.String()
			if e.Err != nil {
				reason += ": " + oneLine(e.Err)
			}
		}
		k.board.Set(fmt.Sprintf("%s of %s", kind, e.Topic), reason)
	}
}

// opened gives an error of opening a topic the kind that ends the run rightly.
func opened(what, topic string, err error) error {
	switch {
	case errors.Is(err, danube.ErrInvalid), errors.Is(err, danube.ErrConflict), errors.Is(err, danube.ErrNotFound), errors.Is(err, danube.ErrAuth), errors.Is(err, danube.ErrPermission):
		return InvalidConfigf("%s of %s: %w", what, topic, err)
	}
	return fmt.Errorf("%s of %s: %w", what, topic, err)
}
