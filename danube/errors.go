package danube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Errors that callers can tell apart with errors.Is.
var (
	// ErrClosed comes from every call on something that was closed.
	ErrClosed = errors.New("closed")
	// ErrInvalid: a configuration or an argument cannot be right.
	ErrInvalid = errors.New("invalid argument")
	// ErrNotFound: the namespace or topic does not exist and is not going to.
	ErrNotFound = errors.New("not found")
	// ErrConflict: what exists is not what was asked for, such as a topic of the
	// other dispatch strategy.
	ErrConflict = errors.New("conflict with what exists")
	// ErrPermission: the broker refuses this client the operation.
	ErrPermission = errors.New("permission denied")
	// ErrLimit: a limit of the broker's, such as that of producers on a topic, is
	// reached. It passes when others leave, so that the client tries again.
	ErrLimit = errors.New("limit of the broker reached")
	// ErrAuth: the broker does not accept the client's credentials, or misses them.
	ErrAuth = errors.New("not authenticated")
	// ErrBadMessage: the fault lies in the message, whatever else the error is: it will
	// never be taken, and only it fails.
	ErrBadMessage = errors.New("bad message")
	// ErrTooLarge: the message with everything around it is over what the broker
	// takes in one request. Only this message fails.
	ErrTooLarge = errors.New("message too large")
	// ErrSchema: the broker refuses the message because of its topic's schema. Only
	// this message fails.
	ErrSchema = errors.New("refused by the topic's schema")
	// ErrTakenOver: another consumer of the same name took the subscription over.
	// The broker offers no way to share it, so the one that was taken over must yield.
	ErrTakenOver = errors.New("taken over by another consumer of the same name")
	// ErrNotSent: the message was not handed to the broker.
	ErrNotSent = errors.New("not sent")
	// ErrOutcomeUnknown: the message was handed to the broker, or is about to be, and
	// nobody waited for the answer: it may be in the topic.
	ErrOutcomeUnknown = errors.New("outcome unknown")
)

// Error is what an operation on a broker ended with.
type Error struct {
	Op     string // such as "publish" or "subscribe"
	Topic  string // on the wire; empty where there is none
	Broker string // where it was asked; empty when nobody could be
	Reason error  // one of this package's sentinels, or nil
	Err    error  // the cause, usually a gRPC status

	class class
}

// failed is an answer of a broker, read.
func failed(op, topic string, at endpoint, kind rpc, err error) *Error {
	return judge(kind, err).failure(op, topic, at, err)
}

func (v verdict) failure(op, topic string, at endpoint, err error) *Error {
	if v.hint != "" {
		err = fmt.Errorf("%w (%s)", err, v.hint)
	}
	return &Error{Op: op, Topic: topic, Broker: string(at), Reason: v.reason, Err: err, class: v.class}
}

// Retryable reports that what a call ended with may pass, so that the same call may
// succeed later. Producers and consumers repeat such things by themselves and show them
// in SessionEvent; calls of Schemas and of Admin, and callers that gave up, end with
// them. False for everything else: for what no repetition helps (ErrInvalid,
// ErrBadMessage, ErrTakenOver, ErrClosed and so on), for a context of the caller's that
// ended, and for errors that are not this package's.
func Retryable(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.class == classTransient || e.class == classSession) && !isFatal(err)
}

// isFatal reports that trying again is of no use.
func isFatal(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.class == classFatal || errors.Is(e, ErrTakenOver) || errors.Is(e, ErrClosed))
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("danube: ")
	b.WriteString(e.Op)
	if e.Topic != "" {
		b.WriteString(" " + e.Topic)
	}
	if e.Broker != "" {
		b.WriteString(" at " + e.Broker)
	}
	if e.Reason != nil {
		b.WriteString(": " + e.Reason.Error())
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Is tells ErrBadMessage, which stands beside the reason.
func (e *Error) Is(target error) bool { return target == ErrBadMessage && e.class == classMessage }

// Unwrap gives both the reason and the cause to errors.Is and errors.As.
func (e *Error) Unwrap() []error { return []error{e.Reason, e.Err} }

func invalid(format string, args ...any) error {
	return fmt.Errorf("danube: %w: "+format, append([]any{ErrInvalid}, args...)...)
}

// class says what an error means for the loop that got it.
type class int

const (
	classNone      class = iota
	classTransient       // try again, in the same session
	classSession         // the session is gone: look the topic up again
	classMessage         // this message will never be taken; the next one may
	classFatal           // nothing will help until somebody changes something
)

// verdict is the reading of one error.
type verdict struct {
	class     class
	reason    error // the sentinel to show, if any
	ambiguous bool  // the broker may have done it all the same
	hint      string
	// patience is how long one message may get this verdict before it counts as of
	// class after; 0: for ever.
	patience time.Duration
	after    class
}

type rpc int

const (
	rpcLookup rpc = iota
	rpcCreateProducer
	rpcSend
	rpcSubscribe
	rpcReceive
	rpcAck
)

// judge reads an error of the broker. Codes alone do not tell: the broker answers
// PERMISSION_DENIED for everything that goes wrong with a publish, and UNAVAILABLE
// for a namespace that will never be there. The fragments are those of 0.15.1.
func judge(op rpc, err error) verdict {
	s, _ := status.FromError(err)
	text := s.Message()
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch s.Code() {
	case codes.OK:
		return verdict{}
	case codes.Unauthenticated:
		if tokenMayChange(err) {
			return verdict{class: classTransient, reason: ErrAuth}
		}
		return verdict{class: classFatal, reason: ErrAuth}
	case codes.Unimplemented:
		return verdict{class: classFatal, reason: ErrInvalid}
	case codes.Unavailable:
		if has("find the namespace") {
			return verdict{class: classFatal, reason: ErrNotFound}
		}
		if op == rpcAck {
			break
		}
		return verdict{class: classSession, ambiguous: !has("while dialing", "redo the")}
	case codes.NotFound:
		if op == rpcCreateProducer {
			return verdict{class: classFatal, reason: ErrNotFound} // creation of topics is off
		}
		return verdict{class: classSession, reason: ErrNotFound}
	case codes.InvalidArgument:
		switch {
		case op == rpcSend && has("exceeds maximum"):
			return verdict{class: classMessage, reason: ErrTooLarge}
		case op == rpcSend:
			return verdict{class: classMessage, reason: ErrInvalid}
		}
		return verdict{class: classFatal, reason: ErrInvalid}
	case codes.OutOfRange:
		if op == rpcSend {
			return verdict{class: classMessage, reason: ErrTooLarge}
		}
	case codes.AlreadyExists:
		if has("partitioned topic") {
			return verdict{class: classFatal, reason: ErrConflict}
		}
		return verdict{class: classSession} // two clients created the topic at once
	case codes.FailedPrecondition:
		if has("JWT support is not enabled") {
			return verdict{class: classFatal, reason: ErrAuth}
		}
		return verdict{class: classFatal, reason: ErrConflict}
	case codes.PermissionDenied:
		if why, ok := strings.CutPrefix(text, "Unable to publish the message: "); ok && op == rpcSend {
			return judgeRefusal(why)
		}
		return judgePermission(op, has)
	case codes.ResourceExhausted:
		if op == rpcReceive && has("larger than max") {
			// It would come again and again, each time at the cost of the stream.
			return verdict{class: classFatal, reason: ErrTooLarge}
		}
		if op == rpcSend && has("larger than max") { // a proxy's limit
			return verdict{class: classMessage, reason: ErrTooLarge}
		}
		return verdict{class: classTransient, reason: ErrLimit}
	}
	if op == rpcAck && !has("not found", "Failed to send") {
		// Whether the session is gone, its stream or its health check tells.
		return verdict{class: classTransient, ambiguous: true}
	}
	return verdict{class: classSession, ambiguous: true}
}

// mustRedo reports that the broker asks for another lookup.
func mustRedo(err error) bool {
	s, _ := status.FromError(err)
	return s.Code() == codes.Unavailable && strings.Contains(strings.ToLower(s.Message()), "redo the lookup")
}

func judgePermission(op rpc, has func(...string) bool) verdict {
	switch {
	case has("no binding grants"):
		return verdict{class: classFatal, reason: ErrPermission}
	case op == rpcSubscribe && has("Exclusive subscription"):
		// The other one may leave in a way that the broker notices: its topic moves.
		return verdict{class: classTransient, reason: ErrPermission, hint: heldHint}
	case op == rpcSubscribe && has("Not allowed to create the subscription", "Consumer limit"):
		return verdict{class: classTransient, reason: ErrLimit}
	case op == rpcSubscribe || op == rpcCreateProducer:
		return verdict{class: classTransient, reason: ErrPermission} // its metadata or its storage
	}
	return verdict{class: classFatal, reason: ErrPermission}
}

const heldHint = "a consumer of another name holds the subscription, and on 0.15.1 does so even after it is gone, " +
	"until the topic moves: use that name, or another subscription"

// ownContext reports that err is the caller's own context ending, never to be
// retried.
func ownContext(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil
}
