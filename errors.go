package connect

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what the runtime does about an error.
type Kind int

const (
	// KindNone is the kind of a nil error.
	KindNone Kind = iota
	// KindRetryable may go away by itself: the record is tried again, with backoff,
	// inside its budget, and then goes the way of the policy on_error.
	KindRetryable
	// KindInvalidData lies in the record and stays: the policy on_error takes the
	// record at once, the others go on.
	KindInvalidData
	// KindConfig lies in the configuration: the connector stops, exit code 2.
	KindConfig
	// KindFatal cannot be worked around: the connector stops, exit code 1.
	KindFatal
)

// String returns the word that error texts, logs and metric labels use.
func (k Kind) String() string {
	switch k {
	case KindNone:
		return "none"
	case KindRetryable:
		return "retryable"
	case KindInvalidData:
		return "invalid data"
	case KindConfig:
		return "configuration"
	case KindFatal:
		return "fatal"
	default:
		return fmt.Sprintf("kind %d", int(k))
	}
}

// Error is an error with a kind, which drives the runtime. Connectors build one
// with [Retryable], [InvalidData], [Fatal] or [InvalidConfig]; [KindOf] finds it
// again through any wrapping.
type Error struct {
	// Kind decides. KindNone leaves the decision to Err.
	Kind Kind
	// After is the earliest time to try again, counted from when the error was
	// returned; 0 leaves it to the backoff. Read for KindRetryable only.
	After time.Duration
	// Err is the cause.
	Err error
}

// Error returns the kind and the cause, as in "retryable: connection refused".
func (e *Error) Error() string {
	cause := "unspecified"
	if e == nil {
		return cause
	}
	if e.Err != nil {
		cause = e.Err.Error()
	}
	switch {
	case e.Kind == KindNone:
		return cause
	case e.Kind == KindRetryable && e.After > 0:
		return fmt.Sprintf("%v after %v: %s", e.Kind, e.After, cause)
	default:
		return e.Kind.String() + ": " + cause
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Retryable marks err as temporary. Like all of its siblings it returns nil for a
// nil err, so that a call's result can be passed straight through.
func Retryable(err error) error { return mark(KindRetryable, 0, err) }

// Retryablef is [Retryable] of a formatted error; %w wraps.
func Retryablef(format string, args ...any) error {
	return mark(KindRetryable, 0, fmt.Errorf(format, args...))
}

// RetryableAfter marks err as temporary and asks not to be tried again before d
// has passed, as a rate limit does. The runtime may wait longer, and never waits
// past the record's budget.
func RetryableAfter(err error, d time.Duration) error {
	return mark(KindRetryable, max(d, 0), err)
}

// InvalidData marks err as lying in the record: no retry can help.
func InvalidData(err error) error { return mark(KindInvalidData, 0, err) }

// InvalidDataf is [InvalidData] of a formatted error; %w wraps.
func InvalidDataf(format string, args ...any) error {
	return mark(KindInvalidData, 0, fmt.Errorf(format, args...))
}

// Fatal marks err as the end of the connector.
func Fatal(err error) error { return mark(KindFatal, 0, err) }

// Fatalf is [Fatal] of a formatted error; %w wraps.
func Fatalf(format string, args ...any) error {
	return mark(KindFatal, 0, fmt.Errorf(format, args...))
}

// InvalidConfig marks err as lying in the configuration. To name the key and the
// value as well, return a [*ConfigError] instead.
func InvalidConfig(err error) error { return mark(KindConfig, 0, err) }

// InvalidConfigf is [InvalidConfig] of a formatted error; %w wraps.
func InvalidConfigf(format string, args ...any) error {
	return mark(KindConfig, 0, fmt.Errorf(format, args...))
}

func mark(k Kind, after time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, After: after, Err: err}
}

// IsRetryable reports whether [KindOf] finds err retryable. Errors that say
// nothing of themselves are.
func IsRetryable(err error) bool { return KindOf(err) == KindRetryable }

// IsInvalidData reports whether [KindOf] finds the fault in the record.
func IsInvalidData(err error) bool { return KindOf(err) == KindInvalidData }

// IsFatal reports whether [KindOf] finds err fatal.
func IsFatal(err error) bool { return KindOf(err) == KindFatal }

// RetryAfter returns the wait that err asks for, see [RetryableAfter]. Of joined
// errors the longest wait counts.
func RetryAfter(err error) time.Duration {
	for err != nil {
		switch e := err.(type) { // the chain is walked here
		case *Error:
			if e == nil {
				return 0
			}
			if e.Kind != KindNone {
				return e.After
			}
			err = e.Err
		case interface{ Unwrap() []error }:
			var longest time.Duration
			for _, sub := range e.Unwrap() {
				longest = max(longest, RetryAfter(sub))
			}
			return longest
		default:
			err = errors.Unwrap(err)
		}
	}
	return 0
}

// PanicError is a panic of a connector's method, caught by the runtime. It is
// retryable, so that the policy takes the record when it panics every time.
type PanicError struct {
	// Value is what was given to panic.
	Value any
	// Stack is the stack of the goroutine, for the log.
	Stack []byte
}

// Error returns the panic's value without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value when it is an error, such as a [runtime.Error].
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
