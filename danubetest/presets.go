package danubetest

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// AmbiguousPublish stores a message and answers UNAVAILABLE all the same.
func AmbiguousPublish(topic string) Fault {
	return Fault{
		Methods:    []Method{MethodSendMessage},
		Topic:      topic,
		AfterApply: true,
		Err:        status.Error(codes.Unavailable, "danubetest: connection lost after the message was stored"),
	}
}

// AckLost answers an Ack with UNAVAILABLE and does not apply it.
func AckLost(subscription string) Fault {
	return Fault{
		Methods:      []Method{MethodAck},
		Subscription: subscription,
		Err:          status.Error(codes.Unavailable, "danubetest: connection lost before the ack arrived"),
	}
}

// AckAppliedButFailed applies an Ack and answers UNAVAILABLE all the same.
func AckAppliedButFailed(subscription string) Fault {
	return Fault{
		Methods:      []Method{MethodAck},
		Subscription: subscription,
		AfterApply:   true,
		Err:          status.Error(codes.Unavailable, "danubetest: connection lost after the ack was applied"),
	}
}

// LookupFails answers n lookups as if the topic did not exist.
func LookupFails(n int) Fault {
	return Fault{
		Methods: []Method{MethodTopicLookup},
		Err:     status.Error(codes.NotFound, "Unable to find the requested topic: danubetest fault"),
		Count:   n,
	}
}

// Throttled answers n requests to create a producer, to publish or to subscribe with
// RESOURCE_EXHAUSTED.
func Throttled(n int) Fault {
	return Fault{
		Methods: []Method{MethodCreateProducer, MethodSendMessage, MethodSubscribe},
		Err:     status.Error(codes.ResourceExhausted, "danubetest: throttled"),
		Count:   n,
	}
}

// SlowBroker makes every request take d longer, until it is removed.
func SlowBroker(d time.Duration) Fault {
	return Fault{Delay: d, Count: -1}
}

// HealthClose answers the next HealthCheck of a producer or consumer of that name
// with CLOSE. [Broker.CloseClient] does the same and does not insist that it happens.
func HealthClose(name string) Fault {
	return Fault{
		Methods: []Method{MethodHealthCheck},
		When:    func(in Call) bool { return in.Producer == name || in.Consumer == name },
		Close:   true,
	}
}

// StreamEnds ends the next stream of a subscription that a message is to go out on, in the
// way given; the message waits for the next stream.
func StreamEnds(subscription string, end StreamEnd) Fault {
	return Fault{Subscription: subscription, EndStream: end}
}

// DuplicateDelivery sends the next message of a subscription twice.
func DuplicateDelivery(subscription string) Fault {
	return Fault{Subscription: subscription, Duplicate: 1}
}

// SwapDeliveries sends the next two messages of a subscription in the wrong order.
func SwapDeliveries(subscription string) Fault {
	return Fault{Subscription: subscription, Reorder: true}
}

// DamagedDelivery sends the next message of a subscription with every byte of its payload
// inverted.
func DamagedDelivery(subscription string) Fault {
	return Fault{Subscription: subscription, Corrupt: func(payload []byte) []byte {
		bad := make([]byte, len(payload))
		for i, c := range payload {
			bad[i] = ^c
		}
		return bad
	}}
}

// OversizeDelivery sends the next message of a subscription with a payload of n bytes.
func OversizeDelivery(subscription string, n int) Fault {
	return Fault{Subscription: subscription, Corrupt: func([]byte) []byte { return make([]byte, n) }}
}

// HalfOpen makes the connection of a consumer or producer of that name go dead without a
// word at its next HealthCheck, which it asks for every 5 s.
func HalfOpen(name string) Fault {
	return Fault{
		Methods: []Method{MethodHealthCheck},
		When:    func(in Call) bool { return in.Producer == name || in.Consumer == name },
		Dead:    true,
	}
}

// SchemaMissing answers n requests for a schema as if it had never been registered.
func SchemaMissing(n int) Fault {
	return Fault{
		Methods: []Method{MethodGetSchema, MethodGetLatestSchema},
		Err:     status.Error(codes.NotFound, "Schema not found for subject: danubetest fault"),
		Count:   n,
	}
}

// SchemaIncompatible refuses the registration of n schemas as not compatible.
func SchemaIncompatible(n int) Fault {
	return Fault{
		Methods: []Method{MethodRegisterSchema},
		Err:     status.Error(codes.Internal, "Failed to register schema: Schema is not compatible: danubetest fault"),
		Count:   n,
	}
}

// TokenExpired answers n requests of any kind as if their token were not valid any more.
func TokenExpired(n int) Fault {
	return Fault{Err: status.Error(codes.Unauthenticated, "Invalid token: danubetest fault"), Count: n}
}

// describe says in a line what a fault is.
func (f *Fault) describe() string {
	var s []string
	add := func(format string, args ...any) { s = append(s, fmt.Sprintf(format, args...)) }
	for _, m := range f.Methods {
		add("%s", m)
	}
	for _, sel := range [][2]string{
		{"topic", f.Topic}, {"subscription", f.Subscription}, {"producer", f.Producer},
		{"consumer", f.Consumer}, {"key", f.RoutingKey},
	} {
		if sel[1] != "" {
			add("%s=%s", sel[0], sel[1])
		}
	}
	if len(f.Offsets) > 0 {
		add("offsets=%v", f.Offsets)
	}
	for _, e := range []struct {
		on   bool
		text string
	}{
		{f.Observe, "observe"},
		{f.Delay > 0, "delay " + f.Delay.String()},
		{f.Hang, "hang"},
		{f.Close, "close"},
		{f.EndStream != 0, "end stream " + f.EndStream.String()},
		{f.Duplicate > 0, fmt.Sprintf("duplicate %d", f.Duplicate)},
		{f.Reorder, "reorder"},
		{f.Corrupt != nil, "corrupt"},
		{f.Dead, "dead connection"},
		{f.Cut, "cut connection"},
		{f.Redirect != "", "redirect to " + f.Redirect},
		{f.Err != nil, "answer " + status.Code(f.Err).String()},
		{f.AfterApply, "after apply"},
	} {
		if e.on {
			add("%s", e.text)
		}
	}
	return strings.Join(s, ", ")
}
