package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// reasons are the client's, by name.
var reasons = []struct {
	err  error
	name string
}{
	{danube.ErrTooLarge, "ErrTooLarge"}, {danube.ErrSchema, "ErrSchema"}, {danube.ErrBadMessage, "ErrBadMessage"},
	{danube.ErrInvalid, "ErrInvalid"}, {danube.ErrNotFound, "ErrNotFound"},
	{danube.ErrConflict, "ErrConflict"}, {danube.ErrPermission, "ErrPermission"}, {danube.ErrLimit, "ErrLimit"}, {danube.ErrAuth, "ErrAuth"},
	{danube.ErrTakenOver, "ErrTakenOver"}, {danube.ErrNotSent, "ErrNotSent"}, {danube.ErrOutcomeUnknown, "ErrOutcomeUnknown"},
	{danube.ErrExists, "ErrExists"}, {danube.ErrUnsupported, "ErrUnsupported"}, {danube.ErrClosed, "ErrClosed"},
	{danube.ErrIncompatible, "ErrIncompatible"},
}

// fragments are what clients look for in the texts of the broker.
var fragments = []string{
	"invalid format", "redo the", "find the namespace", "Unable to find the topic", "Unable to find the requested topic",
	"partitioned topics with this base name already exist", "non-partitioned topic", "already exists",
	"dispatch strategy does not match", "Dispatch strategy is missing", "uses schema subject", "Failed to assign schema",
	"Producer limit reached", "The producer with id", "Unable to publish the message", "not found in registry",
	"is not attached to topic", "exceeds maximum allowed", "message length too large", "Schema ID",
	"Exclusive subscription can't be shared", "Not allowed to create the subscription", "Consumer limit per topic",
	"Consumer limit per subscription", "Not able to subscribe", "The consumer with the id", "Error acknowledging message",
	"Error negatively acknowledging message", "Subscription not found", "Invalid client type", "active consumers",
	"at least 2 brokers", "non empty namespace", "does not exists", "Schema not found", "Subject not found", "Failed to register schema", "Payload validation",
	"Authentication credentials are missing", "Invalid token", "no binding grants", "certificate signed by unknown authority",
}

// describe tells what an error is without what depends on the run.
func describe(err error) string {
	if err == nil {
		return "OK"
	}
	var parts []string
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			parts = append(parts, r.name)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		parts = append(parts, "gave up")
	}
	var s interface{ GRPCStatus() *status.Status }
	if errors.As(err, &s) && s.GRPCStatus().Code() != codes.Unknown {
		parts = append(parts, s.GRPCStatus().Code().String())
	} else if len(parts) == 0 {
		parts = append(parts, "another error")
	}
	for _, f := range fragments {
		if strings.Contains(err.Error(), f) {
			parts = append(parts, strconv.Quote(f))
		}
	}
	return strings.Join(parts, " ")
}

// offsets lists the offsets of messages, runs of them in short.
func offsets(list []*danube.Message) string {
	numbers := make([]uint64, len(list))
	for i, m := range list {
		numbers[i] = m.Offset
	}
	return ranges(numbers)
}

// ranges lists numbers in their order: 0..4 7 3.
func ranges(list []uint64) string {
	if len(list) == 0 {
		return "nothing"
	}
	var out []string
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && list[j] == list[j-1]+1 {
			j++
		}
		if j-i > 2 {
			out = append(out, fmt.Sprintf("%d..%d", list[i], list[j-1]))
		} else {
			for _, n := range list[i:j] {
				out = append(out, fmt.Sprint(n))
			}
		}
		i = j
	}
	return strings.Join(out, " ")
}

// payloads lists what is in messages.
func payloads(list []*danube.Message) string {
	if len(list) == 0 {
		return "nothing"
	}
	var out []string
	for _, m := range list {
		out = append(out, string(m.Payload))
	}
	return strings.Join(out, " ")
}

// sorted is payloads without their order.
func sorted(lists ...[]*danube.Message) string {
	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b *danube.Message) int { return strings.Compare(string(a.Payload), string(b.Payload)) })
	return payloads(all)
}

// series is n payloads of one name.
func series(name string, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprint(name, i))
	}
	return list
}
