package danube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Every answer of a broker that the client tells apart. The texts are those of
// 0.15.1 as far as they count.
func TestJudge(t *testing.T) {
	const publish = "Unable to publish the message: "
	tests := []struct {
		op   rpc
		code codes.Code
		text string
		want verdict
	}{
		// Any call.
		{rpcSend, codes.Unauthenticated, "User credentials are missing", verdict{class: classFatal, reason: ErrAuth}},
		{rpcLookup, codes.Unauthenticated, "Invalid token", verdict{class: classFatal, reason: ErrAuth}},
		{rpcReceive, codes.Unauthenticated, "The metadata is invalid", verdict{class: classFatal, reason: ErrAuth}},
		{rpcAck, codes.Unauthenticated, "Invalid token", verdict{class: classFatal, reason: ErrAuth}},
		{rpcLookup, codes.PermissionDenied, "no binding grants Lookup", verdict{class: classFatal, reason: ErrPermission}},
		{rpcCreateProducer, codes.PermissionDenied, "no binding grants Produce", verdict{class: classFatal, reason: ErrPermission}},
		{rpcSend, codes.PermissionDenied, "no binding grants Produce", verdict{class: classFatal, reason: ErrPermission}},
		{rpcSubscribe, codes.PermissionDenied, "no binding grants Consume", verdict{class: classFatal, reason: ErrPermission}},
		{rpcReceive, codes.PermissionDenied, "no binding grants Consume", verdict{class: classFatal, reason: ErrPermission}},
		{rpcAck, codes.PermissionDenied, "no binding grants Consume", verdict{class: classFatal, reason: ErrPermission}},
		{rpcSend, codes.Unimplemented, "", verdict{class: classFatal, reason: ErrInvalid}},
		{rpcSubscribe, codes.Unavailable, "connection error: desc = \"transport: Error while dialing: refused\"", verdict{class: classSession}},
		{rpcSend, codes.Unavailable, "connection error: desc = \"transport: Error while dialing: refused\"", verdict{class: classSession}},
		{rpcSend, codes.Unavailable, "error reading from server: EOF", verdict{class: classSession, ambiguous: true}},
		{rpcSend, codes.Aborted, "", verdict{class: classSession, ambiguous: true}},
		{rpcSend, codes.DeadlineExceeded, "no answer within the deadline", verdict{class: classSession, ambiguous: true}},
		{rpcSubscribe, codes.DeadlineExceeded, "", verdict{class: classSession, ambiguous: true}},

		// Lookups.
		{rpcLookup, codes.NotFound, "Unable to find the requested topic", verdict{class: classSession, reason: ErrNotFound}},
		{rpcLookup, codes.InvalidArgument, "has an invalid format", verdict{class: classFatal, reason: ErrInvalid}},

		// CreateProducer.
		{rpcCreateProducer, codes.Unavailable, "is served by another broker, redo the Lookup", verdict{class: classSession}},
		{rpcCreateProducer, codes.Unavailable, "topic metadata was created, need to redo the lookup", verdict{class: classSession}},
		{rpcCreateProducer, codes.Unavailable, "Unable to find the namespace x", verdict{class: classFatal, reason: ErrNotFound}},
		{rpcCreateProducer, codes.NotFound, "Unable to find the topic /default/x", verdict{class: classFatal, reason: ErrNotFound}},
		{rpcCreateProducer, codes.InvalidArgument, "has an invalid format", verdict{class: classFatal, reason: ErrInvalid}},
		{rpcCreateProducer, codes.AlreadyExists, "partitioned topics with this base name already exist", verdict{class: classFatal, reason: ErrConflict}},
		{rpcCreateProducer, codes.AlreadyExists, "a non-partitioned topic x exists", verdict{class: classFatal, reason: ErrConflict}},
		{rpcCreateProducer, codes.AlreadyExists, "The topic: /default/x already exists", verdict{class: classSession}},
		{rpcCreateProducer, codes.FailedPrecondition, "dispatch strategy does not match", verdict{class: classFatal, reason: ErrConflict}},
		{rpcCreateProducer, codes.FailedPrecondition, "uses schema subject", verdict{class: classFatal, reason: ErrConflict}},
		{rpcCreateProducer, codes.FailedPrecondition, "Failed to assign schema", verdict{class: classFatal, reason: ErrConflict}},
		{rpcCreateProducer, codes.ResourceExhausted, "Producer limit reached", verdict{class: classTransient, reason: ErrLimit}},
		{rpcCreateProducer, codes.PermissionDenied, "Not able to create the Producer", verdict{class: classTransient, reason: ErrPermission}},
		{rpcCreateProducer, codes.Internal, "unable to post the topic", verdict{class: classSession, ambiguous: true}},

		// SendMessage.
		{rpcSend, codes.NotFound, "The producer with id 7 does not exist", verdict{class: classSession, reason: ErrNotFound}},
		{rpcSend, codes.PermissionDenied, publish + "Topic /default/x is draining or closed; retry lookup/moved", verdict{class: classSession}},
		{rpcSend, codes.PermissionDenied, publish + "Topic /default/x not found in registry", verdict{class: classSession}},
		{rpcSend, codes.PermissionDenied, publish + "the producer with id 7 is not attached to topic name: /default/x", verdict{class: classSession}},
		{rpcSend, codes.PermissionDenied, publish + "Topic /default/Schema is draining or closed; retry lookup/moved", verdict{class: classSession}},
		{rpcSend, codes.PermissionDenied, publish + "Schema ID 3 not found in registry", verdict{class: classTransient, reason: ErrSchema, patience: unknownSchemaPatience, after: classMessage}},
		{rpcSend, codes.PermissionDenied, publish + "Schema ID 3 not found", verdict{class: classTransient, reason: ErrSchema, patience: unknownSchemaPatience, after: classMessage}},
		{rpcSend, codes.PermissionDenied, publish + "Schema version not found: s/3 - Schema version 3 not found for subject: s", verdict{class: classTransient, reason: ErrSchema, patience: unknownSchemaPatience, after: classMessage}},
		{rpcSend, codes.PermissionDenied, publish + "Schema version not found: s/3 - Transport error: connection refused", verdict{class: classTransient}},
		{rpcSend, codes.PermissionDenied, publish + "Schema subject mismatch for topic /default/x: message schema_id=3 belongs to subject 'a', but topic requires 'b'", verdict{class: classMessage, reason: ErrSchema}},
		{rpcSend, codes.PermissionDenied, publish + "Message missing schema_id for topic /default/x (expected subject: s)", verdict{class: classMessage, reason: ErrSchema}},
		{rpcSend, codes.PermissionDenied, publish + "Topic /default/x requires schema but none is configured", verdict{class: classMessage, reason: ErrSchema}},
		{rpcSend, codes.PermissionDenied, publish + "Payload validation failed: \"draining or closed\" is not of type \"number\"", verdict{class: classMessage, reason: ErrSchema}},
		{rpcSend, codes.PermissionDenied, publish + "Failed to create validator: bad definition", verdict{class: classMessage, reason: ErrSchema}},
		{rpcSend, codes.PermissionDenied, publish + "some other schema text", verdict{class: classMessage, reason: ErrSchema}},
		{rpcSend, codes.PermissionDenied, publish + "write buffer: WAIT timed out", verdict{class: classTransient, ambiguous: true}},
		{rpcSend, codes.PermissionDenied, publish + "WAL error: wal writer channel closed", verdict{class: classTransient, ambiguous: true}},
		{rpcSend, codes.PermissionDenied, publish + "I/O error: no space left on device", verdict{class: classTransient, ambiguous: true}},
		{rpcSend, codes.PermissionDenied, publish + "serialize: out of memory", verdict{class: classTransient, ambiguous: true}},
		{rpcSend, codes.PermissionDenied, publish + "wal writer channel closed for /default/schema-changes", verdict{class: classTransient, ambiguous: true}},
		{rpcSend, codes.PermissionDenied, publish + "something new", verdict{class: classTransient, ambiguous: true, patience: unknownRefusalPatience, after: classFatal}},
		{rpcSend, codes.PermissionDenied, "something else", verdict{class: classFatal, reason: ErrPermission}},
		{rpcSend, codes.InvalidArgument, "Message size 9 exceeds maximum allowed 8 bytes", verdict{class: classMessage, reason: ErrTooLarge}},
		{rpcSend, codes.InvalidArgument, "something about the message", verdict{class: classMessage, reason: ErrInvalid}},
		{rpcSend, codes.OutOfRange, "Error, decoded message length too large", verdict{class: classMessage, reason: ErrTooLarge}},
		{rpcSend, codes.ResourceExhausted, "grpc: received message larger than max (5000000 vs. 4194304)", verdict{class: classMessage, reason: ErrTooLarge}},
		{rpcSend, codes.ResourceExhausted, "", verdict{class: classTransient, reason: ErrLimit}},
		{rpcSend, codes.Canceled, "stream terminated by RST_STREAM", verdict{class: classSession, ambiguous: true}},
		{rpcSend, codes.Internal, "", verdict{class: classSession, ambiguous: true}},

		// Subscribe.
		{rpcSubscribe, codes.NotFound, "Unable to find the topic /default/x", verdict{class: classSession, reason: ErrNotFound}},
		{rpcSubscribe, codes.Unavailable, "redo the Lookup", verdict{class: classSession}},
		{rpcSubscribe, codes.InvalidArgument, "has an invalid format", verdict{class: classFatal, reason: ErrInvalid}},
		{rpcSubscribe, codes.PermissionDenied, "Not able to subscribe to the topic due to Exclusive subscription can't be shared", verdict{class: classTransient, reason: ErrPermission, hint: heldHint}},
		{rpcSubscribe, codes.PermissionDenied, "Not allowed to create the subscription", verdict{class: classTransient, reason: ErrLimit}},
		{rpcSubscribe, codes.PermissionDenied, "Consumer limit per subscription", verdict{class: classTransient, reason: ErrLimit}},
		{rpcSubscribe, codes.ResourceExhausted, "Consumer limit per topic", verdict{class: classTransient, reason: ErrLimit}},

		// ReceiveMessages.
		{rpcReceive, codes.NotFound, "The consumer with the id 7 does not exist", verdict{class: classSession, reason: ErrNotFound}},
		{rpcReceive, codes.Canceled, "", verdict{class: classSession, ambiguous: true}},
		{rpcReceive, codes.Internal, "", verdict{class: classSession, ambiguous: true}},
		{rpcReceive, codes.ResourceExhausted, "grpc: received message larger than max (70000000 vs. 67108864)", verdict{class: classFatal, reason: ErrTooLarge}},
		{rpcReceive, codes.ResourceExhausted, "", verdict{class: classTransient, reason: ErrLimit}},

		// Ack and Nack.
		{rpcAck, codes.Internal, "Error acknowledging message: Topic x not found in registry", verdict{class: classSession, ambiguous: true}},
		{rpcAck, codes.Internal, "Error acknowledging message: Subscription not found: x", verdict{class: classSession, ambiguous: true}},
		{rpcAck, codes.Internal, "Error negatively acknowledging message: Failed to send", verdict{class: classSession, ambiguous: true}},
		{rpcAck, codes.Internal, "Error acknowledging message: disk on fire", verdict{class: classTransient, ambiguous: true}},
		{rpcAck, codes.Unavailable, "", verdict{class: classTransient, ambiguous: true}},
		{rpcAck, codes.DeadlineExceeded, "", verdict{class: classTransient, ambiguous: true}},
		{rpcAck, codes.ResourceExhausted, "", verdict{class: classTransient, reason: ErrLimit}},
	}
	for _, tt := range tests {
		name := fmt.Sprintf("rpc %d, %v: %s", tt.op, tt.code, tt.text)
		if got := judge(tt.op, status.Error(tt.code, tt.text)); got != tt.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, tt.want)
		}
	}
	if got := judge(rpcSend, nil); got != (verdict{}) {
		t.Errorf("no error: got %+v", got)
	}
	if got := judge(rpcSend, errors.New("not a status")); got.class != classSession || !got.ambiguous {
		t.Errorf("not a status: got %+v", got)
	}
}

func TestErrorText(t *testing.T) {
	cause := status.Error(codes.NotFound, "gone")
	err := &Error{Op: "publish", Topic: "/default/a", Broker: "b:1", Reason: ErrNotFound, Err: cause}
	for _, say := range []string{"danube: publish /default/a at b:1: not found", "gone"} {
		if !strings.Contains(err.Error(), say) {
			t.Errorf("%q: want %q in it", err, say)
		}
	}
	if !errors.Is(err, ErrNotFound) || errors.Is(err, ErrAuth) {
		t.Error("errors.Is does not see the reason")
	}
	if status.Code(err) != codes.NotFound {
		t.Errorf("status.Code does not see the cause: %v", status.Code(err))
	}
	if got := (&Error{Op: "dial", Err: context.Canceled}).Error(); got != "danube: dial: context canceled" {
		t.Errorf("got %q", got)
	}
	if !errors.Is(&Error{Op: "x", Reason: ErrClosed}, ErrClosed) || errors.Is(&Error{Op: "x", Reason: ErrClosed}, context.Canceled) {
		t.Error("an error without a cause is unwrapped wrongly")
	}
}

// What an error is for its caller survives being wrapped.
func TestFatal(t *testing.T) {
	tests := map[string]struct {
		err  error
		want bool
	}{
		"nil":         {nil, false},
		"no status":   {errors.New("x"), false},
		"transient":   {failed("subscribe to", "/a/b", "c:1", rpcSubscribe, status.Error(codes.PermissionDenied, "x")), false},
		"fatal":       {failed("receive from", "/a/b", "c:1", rpcReceive, status.Error(codes.PermissionDenied, "x")), true},
		"wrapped":     {fmt.Errorf("x: %w", failed("look up", "/a/b", "c:1", rpcLookup, status.Error(codes.InvalidArgument, "x"))), true},
		"taken over":  {&Error{Op: "x", Reason: ErrTakenOver}, true},
		"closed":      {&Error{Op: "x", Reason: ErrClosed}, true},
		"own context": {&Error{Op: "x", Err: context.Canceled}, false},
	}
	for name, tt := range tests {
		if got := isFatal(tt.err); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}
