package connect

import (
	"encoding/json"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/utils"
)

// KindOf classifies an error; the runtime does as it says. The rules, first
// match:
//
//  1. nil is [KindNone].
//  2. What the author said: the outermost [*Error], [*ConfigError] or
//     [ConfigErrors] in the chain. A [*PanicError] is retryable whatever it wraps.
//  3. Joined errors (errors.Join, several %w) are classified each for itself and
//     the worst wins: fatal, configuration, invalid data, retryable.
//  4. A message that Danube itself will never take, [danube.ErrTooLarge] or
//     [danube.ErrSchema], is invalid data.
//  5. A gRPC status InvalidArgument, OutOfRange or DataLoss is invalid data. All
//     others are retryable. That includes those that look permanent, as
//     Unauthenticated, PermissionDenied, NotFound, FailedPrecondition and
//     Unimplemented: tokens are renewed, a proxy answers for a server that is
//     restarting, Danube says PermissionDenied where a publish failed. Retries
//     end with the budget, and the policy follows.
//  6. A JSON text that does not parse or does not fit is invalid data, and so is
//     every [*utils.SerializationError]. Where the text is not the record's but an
//     external system's answer, mark the error [Retryable]. Decoding into
//     something that is no pointer is fatal.
//  7. Everything else is retryable: timeouts, network and context errors, and
//     errors that nobody knows. To give up a record wrongly loses data, to retry
//     wrongly costs time.
func KindOf(err error) Kind {
	if err == nil {
		return KindNone
	}
	if k := explicitKind(err); k != KindNone {
		return k
	}
	if errors.Is(err, danube.ErrTooLarge) || errors.Is(err, danube.ErrSchema) {
		return KindInvalidData
	}
	if s, ok := status.FromError(err); ok {
		switch s.Code() {
		case codes.InvalidArgument, codes.OutOfRange, codes.DataLoss:
			return KindInvalidData
		default:
			return KindRetryable
		}
	}
	return formatKind(err)
}

// explicitKind walks the chain up to the first error that decides, and returns
// KindNone when there is none.
func explicitKind(err error) Kind {
	for err != nil {
		switch e := err.(type) { // the chain is walked here
		case *Error:
			if e == nil {
				return KindNone // a nil pointer in an error: a plain mistake, not a verdict
			}
			if e.Kind != KindNone {
				return e.Kind
			}
			err = e.Err
		case *ConfigError, ConfigErrors:
			return KindConfig
		case *PanicError:
			return KindRetryable
		case interface{ Unwrap() []error }:
			worst := KindNone
			for _, sub := range e.Unwrap() {
				worst = max(worst, KindOf(sub)) // the constants are in order
			}
			return worst
		default:
			err = errors.Unwrap(err)
		}
	}
	return KindNone
}

// formatKind finds errors of conversions.
func formatKind(err error) Kind {
	var (
		conversion *utils.SerializationError
		syntax     *json.SyntaxError
		mistyped   *json.UnmarshalTypeError
		value      *json.UnsupportedValueError
		fieldType  *json.UnsupportedTypeError
		marshaler  *json.MarshalerError
		target     *json.InvalidUnmarshalError
	)
	switch {
	case errors.As(err, &target):
		return KindFatal
	case errors.As(err, &conversion), errors.As(err, &syntax), errors.As(err, &mistyped), errors.As(err, &value),
		errors.As(err, &fieldType), errors.As(err, &marshaler):
		return KindInvalidData
	default:
		return KindRetryable
	}
}
