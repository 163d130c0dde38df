package connect

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/danube-messaging/danube-connect-go/danube"
)

var (
	// ErrTakenOver: another consumer of the same name took the subscription over.
	// Run returns it after a drain; exit code 3.
	ErrTakenOver = danube.ErrTakenOver
	// ErrDrainDeadline: the runtime was stopped and did not get everything settled
	// within drain_timeout_ms. What was not acknowledged comes again; what was not
	// published was not committed. Exit code 4.
	ErrDrainDeadline = errors.New("the drain deadline passed")
	// ErrStoppedByPolicy: a record could not be processed or published, and on_error
	// is "stop". The record is there at the next start; exit code 5.
	ErrStoppedByPolicy = errors.New("stopped by policy")
	// ErrNotEmitted: the record was not accepted and will not be published.
	ErrNotEmitted = errors.New("not emitted")
	// ErrOutcomeUnknown: the record was accepted, and whether it was published is not
	// known yet; it still will be while the runtime lives.
	ErrOutcomeUnknown = danube.ErrOutcomeUnknown
)

// ForcedError is what Run returns when a second signal cut the drain short.
type ForcedError struct {
	Signal os.Signal
	// Unsettled says what was left, empty when nothing was.
	Unsettled string
}

func (e *ForcedError) Error() string {
	s := fmt.Sprintf("forced to exit by a second signal (%v)", e.Signal)
	if e.Unsettled != "" {
		s += ": " + e.Unsettled
	}
	return s
}

// ExitCode is the exit code for what Run returned:
//
//	0    nil: stopped cleanly, or the source is finished
//	1    the connector cannot go on
//	2    the configuration is wrong
//	3    taken over by another consumer of the same name
//	4    the drain deadline passed
//	5    stopped by a policy: a record that on_error = "stop" stopped for
//	130  forced by a second SIGINT, 143 by a second SIGTERM
func ExitCode(err error) int {
	var forced *ForcedError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &forced):
		if forced.Signal == syscall.SIGTERM {
			return 143
		}
		return 130
	case errors.Is(err, ErrTakenOver):
		return 3
	case errors.Is(err, ErrStoppedByPolicy):
		return 5
	case KindOf(err) == KindConfig:
		return 2
	case KindOf(err) != KindFatal && errors.Is(err, ErrDrainDeadline):
		return 4
	}
	return 1
}

// oneLine makes an error of many lines fit for a log line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
