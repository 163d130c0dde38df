package connect

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// Role is what a connector does, which decides what its configuration must hold.
type Role int

const (
	// RoleAny requires nothing of a role.
	RoleAny Role = iota
	// RoleSink requires a topic to read and a subscription.
	RoleSink
	// RoleSource requires a topic to write.
	RoleSource
)

// SubscriptionType is how several consumers share a subscription.
type SubscriptionType string

const (
	// SubscriptionExclusive has one consumer, and keeps the order of a partition.
	SubscriptionExclusive SubscriptionType = "exclusive"
	// SubscriptionShared spreads messages over all consumers.
	SubscriptionShared SubscriptionType = "shared"
	// SubscriptionFailover has one consumer at a time.
	SubscriptionFailover SubscriptionType = "failover"
	// SubscriptionKeyShared gives all messages of a key to one consumer.
	SubscriptionKeyShared SubscriptionType = "key_shared"
)

var subscriptionTypes = map[SubscriptionType]danube.SubscriptionType{
	SubscriptionExclusive: danube.Exclusive,
	SubscriptionShared:    danube.Shared,
	SubscriptionFailover:  danube.Failover,
	SubscriptionKeyShared: danube.KeyShared,
}

const expectedSubscriptionTypes = "expected exclusive, shared, failover or key_shared"

// ParseSubscriptionType reads a type in any case and with any separator:
// "key_shared", "KeyShared", "key-shared". The error lists the types.
func ParseSubscriptionType(s string) (SubscriptionType, error) {
	t, ok := parseSubscriptionType(s)
	if !ok {
		return "", fmt.Errorf("subscription type %q: %s", s, expectedSubscriptionTypes)
	}
	return t, nil
}

func parseSubscriptionType(s string) (SubscriptionType, bool) {
	plain := func(s string) string { return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s)) }
	for t := range subscriptionTypes {
		if plain(string(t)) == plain(s) {
			return t, true
		}
	}
	return "", false
}

// client returns the type as the Danube client has it. The empty type is
// exclusive.
func (t SubscriptionType) client() danube.SubscriptionType { return subscriptionTypes[t] }

// ErrorPolicy is what happens to a record that cannot be processed: one with
// invalid data, or one whose retries are used up.
type ErrorPolicy string

const (
	// OnErrorAuto is dead_letter where a target for dead letters is configured, else
	// stop. The empty policy is the same.
	OnErrorAuto ErrorPolicy = "auto"
	// OnErrorStop stops the connector, exit code 5. Nothing is lost: the record is
	// there at the next start.
	OnErrorStop ErrorPolicy = "stop"
	// OnErrorSkip logs and counts the record, and goes on without it.
	OnErrorSkip ErrorPolicy = "skip"
	// OnErrorDeadLetter keeps the record with the reason in a topic, a file or both,
	// and goes on without it once it is there.
	OnErrorDeadLetter ErrorPolicy = "dead_letter"
	// OnErrorNack gives the record back to the broker, which delivers it again a little
	// later, to this process or to another one of the subscription; when it fails at its
	// third delivery to one process, OnExhausted says what comes next. For sinks that
	// keep no order.
	OnErrorNack ErrorPolicy = "nack"
)

const (
	expectedPolicies          = "expected auto, stop, skip, dead_letter or nack"
	expectedExhaustedPolicies = "expected auto, stop or dead_letter"
)

func parseErrorPolicy(s string) (ErrorPolicy, bool) {
	p := ErrorPolicy(strings.ToLower(s))
	switch p {
	case OnErrorAuto, OnErrorStop, OnErrorSkip, OnErrorDeadLetter, OnErrorNack:
		return p, true
	}
	return p, false
}

func parseExhaustedPolicy(s string) (ErrorPolicy, bool) {
	p, ok := parseErrorPolicy(s)
	return p, ok && p != OnErrorSkip && p != OnErrorNack
}

// GapPolicy is what happens when a broker has skipped messages of a subscription.
type GapPolicy string

const (
	// OnGapReport logs and counts the missing messages, and goes on.
	OnGapReport GapPolicy = "report"
	// OnGapStop stops the connector, exit code 5, before the message behind the gap is
	// processed.
	OnGapStop GapPolicy = "stop"
)

const expectedGapPolicies = "expected report or stop"

func parseGapPolicy(s string) (GapPolicy, bool) {
	p := GapPolicy(strings.ToLower(s))
	return p, p == OnGapReport || p == OnGapStop
}

// Dedupe is which repetitions a sink drops.
type Dedupe string

const (
	// DedupeStamp drops messages with the stamp of one before.
	DedupeStamp Dedupe = "stamp"
	// DedupeSource drops records with the origin of one before as well. A source that
	// publishes two records for one offset on purpose, at different times, would lose the
	// second one.
	DedupeSource Dedupe = "source"
	// DedupeOff drops nothing.
	DedupeOff Dedupe = "off"
)

const expectedDedupe = "expected stamp, source or off"

func parseDedupe(s string) (Dedupe, bool) {
	d := Dedupe(strings.ToLower(s))
	return d, d == DedupeStamp || d == DedupeSource || d == DedupeOff
}

// Ordering is what a sink processes in the order of the topic.
type Ordering string

const (
	// OrderPartition keeps the order of each partition: its records are processed one
	// by one, or in one batch after the other.
	OrderPartition Ordering = "partition"
	// OrderKey keeps the order of each routing key of a partition; other keys are
	// processed at the same time, and do not wait for a retry. Records without a key
	// share one order.
	OrderKey Ordering = "key"
	// OrderNone keeps no order.
	OrderNone Ordering = "none"
)

const expectedOrderings = "expected partition, key or none"

func parseOrdering(s string) (Ordering, bool) {
	o := Ordering(strings.ToLower(s))
	return o, o == OrderPartition || o == OrderKey || o == OrderNone
}

const (
	// LevelTrace is the log level under debug.
	LevelTrace = slog.LevelDebug - 4
	// LevelOff is a log level above everything that is logged.
	LevelOff = slog.LevelError + 100
)

var levels = []struct {
	name  string
	level slog.Level
}{
	{"trace", LevelTrace},
	{"debug", slog.LevelDebug},
	{"info", slog.LevelInfo},
	{"warn", slog.LevelWarn},
	{"error", slog.LevelError},
	{"off", LevelOff},
}

const expectedLevels = "expected trace, debug, info, warn, error or off"

func parseLevel(s string) (slog.Level, bool) {
	for _, l := range levels {
		if strings.EqualFold(l.name, s) {
			return l.level, true
		}
	}
	return 0, false
}

func levelName(level slog.Level) string {
	for _, l := range levels {
		if l.level == level {
			return l.name
		}
	}
	return level.String()
}
