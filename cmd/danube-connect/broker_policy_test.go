package main

import (
	"reflect"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

func TestPolicyFlag(t *testing.T) {
	addr, c := program(t, "-topic", "/default/a",
		"-failure-policy", "max-redeliveries=0,poison=drop",
		"-failure-policy", "subscription=s,max-redeliveries=1,base-delay=1ms,poison=dead-letter,dead-letter-topic=/default/dead")
	s := calling(t, addr)
	s.receive("/default/a", "t", "c")
	st := s.receive("/default/a", "s", "c")
	c.do("POST", "/publish", `{"topic": "/default/a", "payload": "x"}`)
	nack := func(sub string, id *pb.MsgID) {
		t.Helper()
		_, err := s.consumers.Nack(t.Context(), &pb.NackRequest{MsgId: id, SubscriptionName: sub})
		s.wantCode("nack", err, codes.OK)
	}
	for range 2 {
		m, err := st.Recv()
		s.wantCode("a message", err, codes.OK)
		nack("s", m.GetMsgId())
	}
	c.says("/messages?topic=/default/dead", `"x-poison-policy":"dead_letter"`)
	nack("t", &pb.MsgID{TopicName: "/default/a"})
	c.says("/subscription?topic=/default/a&subscription=t", `"dropped":1`)
}

func TestAckTimeoutFlag(t *testing.T) {
	addr, c := program(t, "-topic", "/default/a", "-failure-policy", "ack-timeout=1ms,backoff=fixed,base-delay=1ms,max-delay=2ms")
	s := calling(t, addr)
	st := s.receive("/default/a", "s", "c")
	c.do("POST", "/publish", `{"topic": "/default/a", "payload": "x"}`)
	for range 2 { // the second time because nobody has acked
		_, err := st.Recv()
		s.wantCode("a message", err, codes.OK)
	}
	c.says("/subscription?topic=/default/a&subscription=s", `"timed_out":`)
}

func TestParsePolicy(t *testing.T) {
	name, p, err := parsePolicy("max-redeliveries=3,ack-timeout=5s,base-delay=2s,max-delay=1m,backoff=fixed,poison=dead-letter,dead-letter-topic=/a/b,subscription=s")
	want := danubetest.FailurePolicy{MaxRedeliveries: 3, AckTimeout: 5 * time.Second, BaseDelay: 2 * time.Second, MaxDelay: time.Minute,
		Backoff: danubetest.Fixed, Poison: danubetest.DeadLetter, DeadLetterTopic: "/a/b"}
	if err != nil || name != "s" || !reflect.DeepEqual(p, want) {
		t.Errorf("got %q, %+v, %v", name, p, err)
	}
	if _, p, err = parsePolicy("max-redeliveries=0"); err != nil || p.MaxRedeliveries != -1 { // 0 would be the default
		t.Errorf("got %+v, %v", p, err)
	}
	for args, contains := range map[string]string{
		"drop":                           `"drop": want field=value`,
		"poison=drop,poison=drop":        "poison is there twice",
		"poison=bury":                    `poison "bury": want block, drop or dead-letter`,
		"poison=dead-letter":             "need each other",
		"dead-letter-topic=/a/b":         "need each other",
		"dead-letter-topic=b":            `topic "b": want /namespace/topic`,
		"backoff=linear":                 `backoff "linear": want exponential or fixed`,
		"ack-timeout=0s":                 `ack-timeout "0s": want a duration such as 5s, more than 0s`,
		"base-delay=5":                   `base-delay "5": want a duration`,
		"max-delay=-1s":                  `max-delay "-1s": want a duration`,
		"max-redeliveries=-1":            `max-redeliveries "-1": want a number, 0 or more`,
		"subscription=,poison=drop":      "subscription: want a name",
		"nonsense=1":                     `there is no field "nonsense"`,
		"ack-timeout=1s,max-redeliverys": `"max-redeliverys": want field=value`,
	} {
		refused(t, exitUsage, "-failure-policy "+args, contains)
	}
}
