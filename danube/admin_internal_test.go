package danube

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

// The texts are those of a broker of 0.15.1.
func TestJudgeAdmin(t *testing.T) {
	const create = "Unable to create the topic /default/x due to code: "
	for _, tt := range []struct {
		code   codes.Code
		text   string
		class  class
		reason error
	}{
		{codes.NotFound, create + `'Some entity that we attempted to create already exists', message: "Topic '/default/x' already exists"`, classFatal, ErrExists},
		{codes.NotFound, create + `'Some entity that we attempted to create already exists', message: "Cannot create topic '/default/x': partitioned topics with this base name already exist (found 1 partitions). Delete the partitioned topics first."`, classFatal, ErrConflict},
		{codes.NotFound, create + `'Some entity that we attempted to create already exists', message: "Cannot create partitioned topic '/default/x-part-0': a non-partitioned topic '/default/x' already exists. Delete the non-partitioned topic first."`, classFatal, ErrConflict},
		{codes.NotFound, create + `'The service is currently unavailable', message: "Unable to find the namespace nons, the topic can be created only for an exisiting namespace"`, classFatal, ErrNotFound},
		{codes.NotFound, create + `'Client specified an invalid argument', message: "The topic: bad has an invalid format, should be: /namespace_name/topic_name"`, classFatal, ErrInvalid},
		{codes.NotFound, create + `'Internal error', message: "The broker unable to post the topic to metadata store, due to error: no leader"`, classTransient, nil},
		{codes.NotFound, "Unable to delete the topic /default/x due to Unable to find topic: /default/x", classFatal, ErrNotFound},
		{codes.NotFound, "Unable to delete the topic /default/x-part-0 due to Cannot delete individual partition '/default/x-part-0'. Delete the base topic instead", classFatal, ErrInvalid},
		{codes.NotFound, "Unable to unload the topic /default/x due to Unable to find topic", classFatal, ErrNotFound},
		{codes.NotFound, "Unable to unsubscribe the subscription s due to error: Unable to unsubscribe as the subscription s has active consumers", classFatal, ErrConflict},
		{codes.NotFound, "Unable to create the namespace n due to Namespace n already exists.", classFatal, ErrExists},
		{codes.NotFound, "Unable to delete the namespace n due to Namespace n does not exists.", classFatal, ErrNotFound},
		{codes.NotFound, "Unable to delete the namespace n due to Can't delete and non empty namespace: n", classFatal, ErrConflict},
		{codes.FailedPrecondition, "Cannot unload topic: single broker cluster detected. Unload requires at least 2 brokers.", classFatal, ErrUnsupported},
		{codes.FailedPrecondition, "subscription failure policy can only be configured for reliable topics", classFatal, ErrConflict},
		{codes.Unimplemented, "topic unload not available in standalone/edge mode", classFatal, ErrUnsupported},
		{codes.InvalidArgument, "dead_letter_topic must be configured when poison_policy is DeadLetter", classFatal, ErrInvalid},
		{codes.PermissionDenied, "no binding grants ManageTopic", classFatal, ErrPermission},
		{codes.Unauthenticated, "Authentication credentials are missing", classFatal, ErrAuth},
		{codes.Unavailable, "connection refused", classSession, nil},
	} {
		got := judgeAdmin(status.Error(tt.code, tt.text))
		if got.class != tt.class || !errors.Is(got.reason, tt.reason) && got.reason != tt.reason {
			t.Errorf("%v %s: got class %d, %v; want %d, %v", tt.code, tt.text, got.class, got.reason, tt.class, tt.reason)
		}
	}
	if got := judgeAdmin(succeeded(false, nil)); got.class != classFatal {
		t.Errorf("an answer that says no: class %d", got.class)
	}
}

func TestFailurePolicyCheck(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy FailurePolicy
		say    string // empty for no error
	}{
		{"defaults", FailurePolicy{}, ""},
		{"dead letters", FailurePolicy{Poison: DeadLetter, DeadLetterTopic: "/default/dlq_orders"}, ""},
		{"none again", FailurePolicy{MaxRedeliveries: NoRedelivery}, ""},
		{"a long first wait", FailurePolicy{BaseDelay: time.Hour}, ""},
		{"negative", FailurePolicy{MaxRedeliveries: -2}, "MaxRedeliveries is -2"},
		{"no timeout", FailurePolicy{AckTimeout: time.Microsecond}, "AckTimeout is 1µs"},
		{"a timeout before now", FailurePolicy{AckTimeout: -1}, "AckTimeout"},
		{"no delay", FailurePolicy{BaseDelay: -1}, "BaseDelay"},
		{"delays the wrong way around", FailurePolicy{BaseDelay: 2 * time.Second, MaxDelay: time.Second}, "MaxDelay 1s is less than BaseDelay 2s"},
		{"an unknown backoff", FailurePolicy{Backoff: 7}, "Backoff 7"},
		{"an unknown policy", FailurePolicy{Poison: 7}, "Poison 7"},
		{"dead letters nowhere", FailurePolicy{Poison: DeadLetter}, "needs a DeadLetterTopic"},
		{"a topic without dead letters", FailurePolicy{DeadLetterTopic: "/default/dlq"}, "without effect"},
		{"a topic that is none", FailurePolicy{Poison: DeadLetter, DeadLetterTopic: "dlq"}, "/namespace/name"},
		{"the topic with a suffix", FailurePolicy{Poison: DeadLetter, DeadLetterTopic: "/default/orders-dlq"}, "dlq_NAME"},
		{"a prefix of the topic", FailurePolicy{Poison: DeadLetter, DeadLetterTopic: "/default/ord"}, "dlq_NAME"},
		{"the topic itself", FailurePolicy{Poison: DeadLetter, DeadLetterTopic: "/default/orders"}, "dlq_NAME"},
	} {
		for _, topic := range []string{"/default/orders", "/default/orders-part-3"} {
			err := tt.policy.withDefaults().check(topic)
			if (err == nil) != (tt.say == "") || err != nil && (!strings.Contains(err.Error(), tt.say) || !errors.Is(err, ErrInvalid)) {
				t.Errorf("%s on %s: got %v, want %q", tt.name, topic, err, tt.say)
			}
		}
	}
}

// No field goes out as the zero that the broker would take literally, and what comes
// back is what went out.
func TestFailurePolicyOnTheWire(t *testing.T) {
	w := FailurePolicy{}.withDefaults().wire()
	if w.GetMaxRedeliveryCount() != 5 || w.GetAckTimeoutMs() != 30000 || w.GetBaseRedeliveryDelayMs() != 1000 || w.GetMaxRedeliveryDelayMs() != 60000 ||
		w.GetBackoffStrategy() != adminpb.SubscriptionBackoffStrategy_Exponential || w.GetPoisonPolicy() != adminpb.SubscriptionPoisonPolicy_Block || w.DeadLetterTopic != nil {
		t.Errorf("the defaults go out as %v", w)
	}
	for _, p := range []FailurePolicy{
		{},
		{MaxRedeliveries: NoRedelivery},
		{MaxRedeliveries: math.MaxInt32, AckTimeout: 24 * 365 * time.Hour, BaseDelay: time.Millisecond, MaxDelay: time.Millisecond, Backoff: Fixed, Poison: Drop},
		{Poison: DeadLetter, DeadLetterTopic: "/default/dlq"},
	} {
		p = p.withDefaults()
		if got := failurePolicy(p.wire()); got != p {
			t.Errorf("%+v comes back as %+v", p, got)
		}
	}
	far := failurePolicy(&adminpb.SubscriptionFailurePolicy{AckTimeoutMs: math.MaxUint64})
	if far.AckTimeout < 290*365*24*time.Hour {
		t.Errorf("as long as can be is %v", far.AckTimeout)
	}
}

func TestAdminArguments(t *testing.T) {
	if _, err := OpenAdmin(AdminConfig{}); err == nil || !strings.Contains(err.Error(), "no admin address") {
		t.Errorf("no address: %v", err)
	}
	_, err := OpenAdmin(AdminConfig{Addresses: []string{"http://a:1", "https://b:1"}})
	if err == nil || !strings.Contains(err.Error(), "the admin addresses http") && !strings.Contains(err.Error(), "the admin addresses https") {
		t.Errorf("two schemes: %v", err)
	}
	a, err := OpenAdmin(AdminConfig{Addresses: []string{"localhost:1"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for i, err := range []error{
		a.CreateTopic(ctx, "orders", TopicOptions{}),
		a.CreatePartitionedTopic(ctx, "/default/orders", 0, TopicOptions{}),
		a.CreatePartitionedTopic(ctx, "/default/orders", 1<<20, TopicOptions{}),
		a.CreatePartitionedTopic(ctx, "/default/orders-part-1", 2, TopicOptions{}),
		a.CreatePartitionedTopic(ctx, "default/orders", 2, TopicOptions{}),
		a.DeleteTopic(ctx, "/default/orders-part-1"),
		a.DeleteTopic(ctx, ""),
		a.UnloadTopic(ctx, "/default/"),
		second(a.Topics(ctx, "/default")),
		second(a.DescribeTopic(ctx, "x")),
		second(a.Subscriptions(ctx, "x")),
		a.Unsubscribe(ctx, "/default/orders", "a/b"),
		a.Unsubscribe(ctx, "x", "s"),
		a.SetFailurePolicy(ctx, "/default/orders", "a/b", FailurePolicy{}),
		second(a.FailurePolicy(ctx, "/default/orders", "")),
		a.CreateNamespace(ctx, "/n"),
		a.DeleteNamespace(ctx, ""),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("case %d: got %v", i, err)
		}
	}
	if err := a.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := a.CreateNamespace(ctx, "n"); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
