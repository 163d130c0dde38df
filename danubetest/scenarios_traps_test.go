package danubetest_test

import (
	"context"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// gaveUp reports whether a call ended with its deadline. The client says DEADLINE_EXCEEDED,
// the real broker, when it is faster, CANCELLED.
func gaveUp(err error) bool {
	return code(err) == codes.DeadlineExceeded || code(err) == codes.Canceled
}

// trapScenarios are those that need the profile Real.
var trapScenarios = []scenario{
	{name: "T3: acked above an unsettled message", trap: true, run: func(l *lab) {
		p := l.ready(l.topic("parked"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send(numbers(0, 3)...)
		l.log("%v", c.offsets(3))
		c.nack(0, 0)
		c.ack(1, 2)
		l.sleep(4 * time.Second)
		p.send("3")
		got := c.offsets(2)
		l.log("after the next message: %v", got)
	}, want: []string{"[0 1 2]", "after the next message: [3 0]"}},

	{name: "T3: acks wait while parked, and are late", trap: true, run: func(l *lab) {
		p := l.ready(l.topic("parkedacks"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send(numbers(0, 3)...)
		c.offsets(3)
		c.ack(2)
		l.sleep(time.Second)
		c.ack(0, 1) // in the queue
		p.send("3")
		l.log("%v", c.offsets(1))
		l.log("then %q", l.within(c))
	}, want: []string{"[3]", `then ""`}},

	{name: "T4: 1000 messages while away", trap: true, run: func(l *lab) {
		p := l.ready(l.topic("away"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send("0")
		c.ack(c.offsets(1)...)
		c.cancel()
		l.until(func() bool { return l.check(asCons, c.id) == closed })
		for range 1000 {
			p.send("x")
		}
		c = l.open(p.topic, "s", "c", exclusive)
		first := c.offsets(1)[0]
		c.ack(first)
		n := 1
		for range 255 {
			c.ack(c.offsets(1)...)
			n++
		}
		l.log("first %d, count %d, then %q", first, n, l.within(c))
	}, want: []string{`first 745, count 256, then ""`}},

	{name: "T4: 200 messages while away", run: func(l *lab) {
		p := l.ready(l.topic("away200"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send("0")
		c.ack(c.offsets(1)...)
		c.cancel()
		l.until(func() bool { return l.check(asCons, c.id) == closed })
		for range 200 {
			p.send("x")
		}
		c = l.open(p.topic, "s", "c", exclusive)
		var got []uint64
		for range 200 {
			got = append(got, c.offsets(1)...)
			c.ack(got[len(got)-1])
		}
		l.log("%d to %d, in order: %t", got[0], got[199], slices.IsSorted(got))
	}, want: []string{"1 to 200, in order: true"}},

	{name: "T7: no stream behind a Subscribe", trap: true, run: func(l *lab) {
		p := l.ready(l.topic("nostream"))
		c := l.subscribe(p.topic, "s", "c", exclusive)
		n := 0
		for n < 100 {
			ctx, cancel := context.WithTimeout(l.t.Context(), 2*time.Second)
			_, err := p.s.producers.SendMessage(ctx, p.message("x"))
			cancel()
			if err != nil {
				break
			}
			n++
		}
		l.log("%d messages, then publishers wait", n)
		ctx, cancel := context.WithTimeout(l.t.Context(), 2*time.Second)
		_, err := l.consumers.Subscribe(ctx, &pb.ConsumerRequest{TopicName: p.topic, ConsumerName: "c", Subscription: "s"})
		cancel()
		l.log("subscribe again waits: %t", gaveUp(err))
		ctx, cancel = context.WithTimeout(l.t.Context(), 2*time.Second)
		_, err = l.consumers.Ack(ctx, &pb.AckRequest{MsgId: c.msgID(0), SubscriptionName: "s"})
		cancel()
		l.log("ack waits: %t", gaveUp(err))
		c.receive()
		l.log("%v", c.offsets(10))
		c.ack(0)
		l.log("%v", c.offsets(1))
	}, want: []string{"37 messages, then publishers wait", "subscribe again waits: true", "ack waits: true", "[0 1 2 3 4 5 6 7 8 9]", "[10]"}},

	{name: "T19: beginnings of names", trap: true, run: func(l *lab) {
		a := l.topic("prefix")
		l.ready(a + "-b")
		_, err := l.tryProducer(a, "p")
		l.status("create", err)
		r, err := l.discovery.TopicPartitions(l.t.Context(), &pb.TopicLookupRequest{Topic: a})
		must(l.t, err)
		l.log("%v", r.GetPartitions())
		found, err := l.discovery.TopicLookup(l.t.Context(), &pb.TopicLookupRequest{Topic: a})
		l.status("lookup", err)
		l.log("%s", found.GetResponseType())
		_, err = l.trySubscribe(a, "s", "c", exclusive)
		l.status("subscribe", err)
	}, want: []string{
		`create: AlreadyExists "already exist"`, "[/default/prefix_RUN_z-b]",
		"lookup: OK", "Redirect", `subscribe: NotFound "Unable to find the topic"`,
	}},

	{name: "T33: created again", trap: true, run: func(l *lab) {
		if l.topics == nil {
			return
		}
		p := l.ready(l.topic("recreate"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send(numbers(0, 5)...)
		l.log("%v", c.offsets(5))
		c.ack(0, 1, 2)
		l.sleep(time.Second)
		c.cancel()
		_, err := l.schemas.RegisterSchema(l.t.Context(), &schemapb.RegisterSchemaRequest{Subject: "old" + l.run, SchemaType: "string"})
		must(l.t, err)
		_, err = l.schemas.ConfigureTopicSchema(l.t.Context(), &schemapb.ConfigureTopicSchemaRequest{
			TopicName: p.topic, SchemaSubject: "old" + l.run, ValidationPolicy: "none", EnablePayloadValidation: true,
		})
		must(l.t, err)
		_, err = l.topics.DeleteTopic(l.t.Context(), &adminpb.TopicRequest{Name: p.topic})
		l.status("delete", err)
		l.until(func() bool { return l.check(asProd, p.id) == closed })
		l.sleep(2 * time.Second)
		p = l.ready(p.topic)
		c, d := l.open(p.topic, "s", "c", exclusive), l.open(p.topic, "d", "d", exclusive)
		p.send(numbers(0, 4)...)
		l.log("s %q, d %q", l.within(c), l.within(d))
		r, err := l.schemas.GetTopicSchemaConfig(l.t.Context(), &schemapb.GetTopicSchemaConfigRequest{TopicName: p.topic})
		must(l.t, err)
		l.log("schema %s %s %t", r.GetSchemaSubject(), r.GetValidationPolicy(), r.GetEnablePayloadValidation())
	}, want: []string{"[0 1 2 3 4]", "delete: OK", `s "3", d "0 1 2 3"`, "schema oldRUN none true"}},

	{name: "T10: Failover does not fail over", run: func(l *lab) {
		p := l.ready(l.topic("failover"))
		a, b := l.open(p.topic, "s", "a", failover), l.open(p.topic, "s", "b", failover)
		p.send("0", "1")
		l.log("a %v", a.offsets(2))
		a.cancel()
		l.until(func() bool { return l.check(asCons, a.id) == closed })
		p.send("2")
		l.log("b %q", l.within(b))
		a = l.open(p.topic, "s", "a", failover)
		l.log("a %v", a.offsets(3))
	}, want: []string{"a [0 1]", `b ""`, "a [0 1 2]"}},

	{name: "failure policies and dead letters", run: func(l *lab) {
		if l.topics == nil {
			return
		}
		ctx, p := l.t.Context(), l.ready(l.topic("policies"))
		dlq := l.ready(l.topic("graveyard"))
		name := dlq.topic
		set := func(topic string, w *adminpb.SubscriptionFailurePolicy) error {
			_, err := l.topics.SetSubscriptionFailurePolicy(ctx, &adminpb.SetSubscriptionFailurePolicyRequest{Topic: topic, Subscription: "s", FailurePolicy: w})
			return err
		}
		get := func() {
			r, err := l.topics.GetSubscriptionFailurePolicy(ctx, &adminpb.GetSubscriptionFailurePolicyRequest{Topic: p.topic, Subscription: "s"})
			must(l.t, err)
			f := r.GetFailurePolicy()
			l.log("%t %d %d %s %s %s", f != nil, f.GetMaxRedeliveryCount(), f.GetAckTimeoutMs(), f.GetBackoffStrategy(), f.GetPoisonPolicy(), f.GetDeadLetterTopic())
		}
		w := &adminpb.SubscriptionFailurePolicy{
			MaxRedeliveryCount: 1, AckTimeoutMs: 30000, BaseRedeliveryDelayMs: 100, MaxRedeliveryDelayMs: 60000,
			BackoffStrategy: adminpb.SubscriptionBackoffStrategy_Exponential,
		}
		l.status("none", set(p.topic, nil))
		l.status("no dead letter topic", set(p.topic, w))
		l.status("absent topic", set(l.topic("absentpolicy"), w))
		get()
		w.DeadLetterTopic = &name
		l.status("set", set(p.topic, w))
		get()
		d := l.open(name, "d", "d", exclusive)
		c := l.open(p.topic, "s", "c", exclusive)
		m := p.message("bad")
		key := "k"
		m.RoutingKey, m.Attributes = &key, map[string]string{"a": "b"}
		_, err := l.producers.SendMessage(ctx, m)
		must(l.t, err)
		for range 2 {
			c.offsets(1)
			c.nack(0, 0)
		}
		dead := d.next()
		for _, k := range slices.Sorted(maps.Keys(dead.GetAttributes())) {
			if k != "x-original-producer-id" && k != "x-original-broker-addr" {
				l.log("%s=%s", k, dead.GetAttributes()[k])
			}
		}
		l.log("%s key %q at %d", dead.GetPayload(), dead.GetRoutingKey(), dead.GetMsgId().GetTopicOffset())
		_, err = l.topics.Unsubscribe(ctx, &adminpb.SubscriptionRequest{Topic: p.topic, Subscription: "s"})
		l.status("unsubscribe an active one", err)
		c.cancel()
		l.until(func() bool { return l.check(asCons, c.id) == closed })
		_, err = l.topics.Unsubscribe(ctx, &adminpb.SubscriptionRequest{Topic: p.topic, Subscription: "s"})
		l.status("unsubscribe", err)
		_, err = l.topics.Unsubscribe(ctx, &adminpb.SubscriptionRequest{Topic: p.topic, Subscription: "s"})
		l.status("unsubscribe again", err)
		get()
	}, want: []string{
		"none: InvalidArgument",
		"no dead letter topic: InvalidArgument",
		"absent topic: FailedPrecondition",
		"false 0 0 Fixed DeadLetter ",
		"set: OK",
		"true 1 30000 Exponential DeadLetter /default/graveyard_RUN_z",
		"a=b",
		"x-delivery-attempt=2",
		"x-failure-reason=because",
		"x-original-subscription=s",
		"x-original-topic=/default/policies_RUN_z",
		"x-original-topic-offset=0",
		"x-poison-policy=dead_letter",
		`bad key "" at 0`,
		"unsubscribe an active one: NotFound",
		"unsubscribe: OK",
		"unsubscribe again: NotFound",
		"false 0 0 Fixed DeadLetter ",
	}},
}
