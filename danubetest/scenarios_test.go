package danubetest_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// scenario is something that happens the same way on danubetest and on a real broker.
type scenario struct {
	name string
	run  func(l *lab)
	want []string
	trap bool // only so with traps
}

// soundScenarios are those in which the profile makes no difference.
var soundScenarios = []struct {
	name string
	run  func(l *lab)
	want []string
}{
	{"producer ids", func(l *lab) {
		a := l.topic("ids")
		p := l.ready(a)
		l.log("same name, same id: %t", l.producer(a, "p").id == p.id)
		l.log("other name, same id: %t", l.producer(a, "q").id == p.id)
		_, err := l.producers.CreateProducer(l.t.Context(), &pb.ProducerRequest{TopicName: a, ProducerName: "r"})
		l.status("other dispatch strategy", err)
	}, []string{
		"same name, same id: true",
		"other name, same id: false",
		`other dispatch strategy: FailedPrecondition "dispatch strategy does not match"`,
	}},

	{"names and absences", func(l *lab) {
		ctx, absent := l.t.Context(), l.topic("absent")
		for _, name := range []string{"orders", "/default/a.b", "/default/a b", "/default/a/b"} {
			_, err := l.tryProducer(name, "p")
			l.status("create "+name, err)
			_, err = l.trySubscribe(name, "s", "c", exclusive)
			l.status("subscribe "+name, err)
			_, err = l.discovery.TopicLookup(ctx, &pb.TopicLookupRequest{Topic: name})
			l.status("lookup "+name, err)
			_, err = l.discovery.TopicPartitions(ctx, &pb.TopicLookupRequest{Topic: name})
			l.status("partitions "+name, err)
		}
		_, err := l.tryProducer("/nowhere"+l.run+"/a", "p")
		l.status("create without namespace", err)
		_, err = l.trySubscribe(absent, "s", "c", exclusive)
		l.status("subscribe absent", err)
		_, err = l.discovery.TopicLookup(ctx, &pb.TopicLookupRequest{Topic: absent})
		l.status("lookup absent", err)
		parts, err := l.discovery.TopicPartitions(ctx, &pb.TopicLookupRequest{Topic: absent, RequestId: 3})
		l.status("partitions absent", err)
		l.log("partitions absent: %d, request %d", len(parts.GetPartitions()), parts.GetRequestId())
	}, []string{
		`create orders: InvalidArgument "invalid format"`,
		`subscribe orders: InvalidArgument "invalid format"`,
		`lookup orders: InvalidArgument "invalid format"`,
		`partitions orders: InvalidArgument "invalid format"`,
		`create /default/a.b: InvalidArgument "invalid format"`,
		`subscribe /default/a.b: InvalidArgument "invalid format"`,
		`lookup /default/a.b: InvalidArgument "invalid format"`,
		`partitions /default/a.b: InvalidArgument "invalid format"`,
		`create /default/a b: InvalidArgument "invalid format"`,
		`subscribe /default/a b: InvalidArgument "invalid format"`,
		`lookup /default/a b: InvalidArgument "invalid format"`,
		`partitions /default/a b: InvalidArgument "invalid format"`,
		`create /default/a/b: InvalidArgument "invalid format"`,
		`subscribe /default/a/b: InvalidArgument "invalid format"`,
		`lookup /default/a/b: InvalidArgument "invalid format"`,
		`partitions /default/a/b: InvalidArgument "invalid format"`,
		`create without namespace: Unavailable "Unable to find the namespace"`,
		`subscribe absent: NotFound "Unable to find the topic"`,
		`lookup absent: NotFound "Unable to find the requested topic"`,
		"partitions absent: OK",
		"partitions absent: 0, request 3",
	}},

	{"lookup", func(l *lab) {
		a := l.topic("lookup")
		l.ready(a)
		r, err := l.discovery.TopicLookup(l.t.Context(), &pb.TopicLookupRequest{Topic: a, RequestId: 5})
		must(l.t, err)
		l.log("%s, request %d, proxy %t, same urls %t, http %t", r.GetResponseType(), r.GetRequestId(), r.GetProxy(),
			r.GetBrokerUrl() == r.GetConnectUrl(), strings.HasPrefix(r.GetConnectUrl(), "http://"))
		parts, err := l.discovery.TopicPartitions(l.t.Context(), &pb.TopicLookupRequest{Topic: a})
		must(l.t, err)
		l.log("partitions: %v", parts.GetPartitions())
	}, []string{"Connect, request 5, proxy false, same urls true, http true", "partitions: [/default/lookup_RUN_z]"}},

	{"send refused", func(l *lab) {
		p, q := l.ready(l.topic("send1")), l.ready(l.topic("send2"))
		m := p.message("x")
		m.MsgId.ProducerId++
		_, err := l.producers.SendMessage(l.t.Context(), m)
		l.status("unknown producer", err)
		m = p.message("x")
		m.MsgId.TopicName = q.topic
		_, err = l.producers.SendMessage(l.t.Context(), m)
		l.status("producer of another topic", err)
		m.MsgId.TopicName = l.topic("send3")
		_, err = l.producers.SendMessage(l.t.Context(), m)
		l.status("absent topic", err)
		m.MsgId = nil
		_, err = l.producers.SendMessage(l.t.Context(), m)
		l.status("no msg_id", err)
		l.status("too large", p.trySend(strings.Repeat("x", 5<<20)))
		l.status("just small enough", p.trySend(strings.Repeat("x", 4<<20-300)))
		r, err := l.producers.SendMessage(l.t.Context(), &pb.StreamMessage{RequestId: 77, MsgId: &pb.MsgID{ProducerId: p.id, TopicName: p.topic}})
		l.status("empty", err)
		l.log("request %d", r.GetRequestId())
	}, []string{
		`unknown producer: NotFound "The producer with id"`,
		`producer of another topic: PermissionDenied "Unable to publish the message:" "is not attached to topic"`,
		`absent topic: PermissionDenied "Unable to publish the message:" "not found in registry"`,
		"no msg_id: Canceled",
		`too large: OutOfRange "message length too large"`,
		"just small enough: OK",
		"empty: OK",
		"request 77",
	}},

	{"fields pass through", func(l *lab) {
		a := l.topic("fields")
		p := l.ready(a)
		c := l.open(a, "s", "c", exclusive)
		key, version := "k", uint32(3)
		_, err := l.producers.SendMessage(l.t.Context(), &pb.StreamMessage{
			RequestId: 1 << 60, MsgId: &pb.MsgID{ProducerId: p.id, TopicName: a, BrokerAddr: "somewhere", TopicOffset: 55},
			Payload: []byte("x"), PublishTime: 123, ProducerName: "another", SubscriptionName: "mine",
			Attributes: map[string]string{"a": "b"}, RoutingKey: &key, SchemaVersion: &version,
		})
		must(l.t, err)
		m := c.next()
		l.log("%d %t %s %s %d", m.GetRequestId(), m.GetMsgId().GetProducerId() == p.id, m.GetMsgId().GetTopicName(), m.GetMsgId().GetBrokerAddr(), m.GetMsgId().GetTopicOffset())
		l.log("%s %d %s %s %v %s %d", m.GetPayload(), m.GetPublishTime(), m.GetProducerName(), m.GetSubscriptionName(), m.GetAttributes(), m.GetRoutingKey(), m.GetSchemaVersion())
		l.log("schema id set: %t", m.SchemaId != nil)
	}, []string{
		"1152921504606846976 true /default/fields_RUN_z somewhere 0",
		"x 123 another mine map[a:b] k 3",
		"schema id set: false",
	}},

	{"a new subscription starts at latest", func(l *lab) {
		a := l.topic("latest")
		p := l.ready(a)
		p.send(numbers(0, 5)...)
		c := l.open(a, "s", "c", exclusive)
		p.send(numbers(5, 8)...)
		l.log("%s", l.within(c))
	}, []string{"5 6 7"}},

	{"the window", func(l *lab) {
		a := l.topic("window")
		p := l.ready(a)
		c := l.open(a, "s", "c", exclusive)
		p.send(numbers(0, 25)...)
		var got []uint64
		got = append(got, c.offsets(10)...)
		c.ack(0, 1, 2)
		got = append(got, c.offsets(3)...)
		l.log("%v", got)
		l.log("then %q", l.within(c))
	}, []string{"[0 1 2 3 4 5 6 7 8 9 10 11 12]", `then ""`}},

	{"exclusive and takeover", func(l *lab) {
		a := l.topic("takeover")
		p := l.ready(a)
		c1 := l.open(a, "s", "c", exclusive)
		p.send(numbers(0, 3)...)
		l.log("%v", c1.offsets(3))
		c1.ack(0)
		_, err := l.trySubscribe(a, "s", "d", exclusive)
		l.status("another name", err)
		_, err = l.trySubscribe(a, "s", "d", shared)
		l.status("another name, as shared", err)
		c2 := l.open(a, "s", "c", shared)
		l.log("same id: %t", c1.id == c2.id)
		l.log("older stream: %s", l.within(c1))
		l.log("health %s", l.check(asCons, c1.id))
		l.log("newer stream: %s", l.within(c2)) // ends it
		l.until(func() bool { return l.check(asCons, c1.id) == closed })
		l.log("health %s", l.check(asCons, c1.id))
		_, err = l.trySubscribe(a, "s", "d", exclusive)
		l.status("another name, nobody there", err)
	}, []string{
		"[0 1 2]",
		`another name: PermissionDenied "Exclusive subscription can't be shared" "Not able to subscribe"`,
		`another name, as shared: PermissionDenied "Exclusive subscription can't be shared" "Not able to subscribe"`,
		"same id: true",
		"older stream: EOF",
		"health OK",
		"newer stream: 1 2",
		"health CLOSE",
		`another name, nobody there: PermissionDenied "Exclusive subscription can't be shared" "Not able to subscribe"`,
	}},

	{"the stream of an id that has one", func(l *lab) {
		a := l.topic("twice")
		p := l.ready(a)
		c1 := l.open(a, "s", "c", exclusive)
		p.send("0")
		l.log("%v", c1.offsets(1))
		c1.ack(0)
		c2 := &consumer{s: l.stubs, id: c1.id, topic: a, sub: "s"}
		c2.receive()
		l.log("older stream: %s", l.within(c1))
		p.send("1")
		l.log("newer stream: %s", l.within(c2))
	}, []string{"[0]", "older stream: EOF", "newer stream: 1"}},

	{"receive refused", func(l *lab) {
		st, err := l.consumers.ReceiveMessages(l.t.Context(), &pb.ReceiveRequest{ConsumerId: 12345})
		if err == nil {
			_, err = st.Recv()
		}
		l.status("unknown id", err)
	}, []string{`unknown id: NotFound "The consumer with the id"`}},

	{"health", func(l *lab) {
		p := l.ready(l.topic("health"))
		c := l.subscribe(p.topic, "s", "c", exclusive)
		l.log("%s %s", l.check(asProd, p.id), l.check(asCons, c.id))
		l.log("%s %s", l.check(asProd, 12345), l.check(asCons, 12345))
		_, err := l.health.HealthCheck(l.t.Context(), &pb.HealthCheckRequest{Client: 7, Id: p.id})
		l.status("client type 7", err)
	}, []string{"OK OK", "CLOSE CLOSE", `client type 7: InvalidArgument "Invalid client type"`}},

	{"acks and nacks that miss", func(l *lab) {
		ctx, p := l.t.Context(), l.ready(l.topic("acks"))
		c := l.open(p.topic, "s", "c", exclusive)
		for _, id := range []*pb.MsgID{{TopicName: p.topic, TopicOffset: 77}, {TopicName: l.topic("acks0")}, nil} {
			for _, name := range []string{"s", "t"} {
				what := fmt.Sprintf("%s %d in %s", id.GetTopicName(), id.GetTopicOffset(), name)
				r, err := l.consumers.Ack(ctx, &pb.AckRequest{MsgId: id, SubscriptionName: name, RequestId: 4})
				l.status("ack "+what, err)
				l.log("request %d", r.GetRequestId())
				_, err = l.consumers.Nack(ctx, &pb.NackRequest{MsgId: id, SubscriptionName: name})
				l.status("nack "+what, err)
			}
		}
		p.send("0")
		c.ack(c.offsets(1)[0])
		c.ack(0) // once more
		l.log("%q", l.within(c))
	}, []string{
		"ack /default/acks_RUN_z 77 in s: OK",
		"request 4",
		"nack /default/acks_RUN_z 77 in s: OK",
		`ack /default/acks_RUN_z 77 in t: Internal "Error acknowledging message" "Subscription not found"`,
		"request 0",
		`nack /default/acks_RUN_z 77 in t: Internal "Error negatively acknowledging message" "Subscription not found"`,
		`ack /default/acks0_RUN_z 0 in s: Internal "not found in registry" "Error acknowledging message"`,
		"request 0",
		`nack /default/acks0_RUN_z 0 in s: Internal "not found in registry" "Error negatively acknowledging message"`,
		`ack /default/acks0_RUN_z 0 in t: Internal "not found in registry" "Error acknowledging message"`,
		"request 0",
		`nack /default/acks0_RUN_z 0 in t: Internal "not found in registry" "Error negatively acknowledging message"`,
		"ack  0 in s: Canceled",
		"request 0",
		"nack  0 in s: Canceled",
		"ack  0 in t: Canceled",
		"request 0",
		"nack  0 in t: Canceled",
		`""`,
	}},

	{"acks after the stream ended do not count", func(l *lab) {
		p := l.ready(l.topic("late"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send(numbers(0, 5)...)
		l.log("%v", c.offsets(5))
		c.ack(0)
		c.cancel()
		l.until(func() bool { return l.check(asCons, c.id) == closed })
		c.ack(1, 2, 3, 4)
		c.receive()
		l.log("again: %s", l.within(c))
	}, []string{"[0 1 2 3 4]", "again: 1 2 3 4"}},

	{"nack", func(l *lab) {
		p := l.ready(l.topic("nack"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send(numbers(0, 3)...)
		l.log("%v", c.offsets(3))
		start := time.Now()
		c.nack(2, 0)
		l.log("%v", c.offsets(1))
		c.nack(2, 3*time.Second)
		l.log("%v", c.offsets(1))
		took := time.Since(start)
		l.log("after 4 s to 5.5 s: %t", took >= 4*time.Second && took < 5500*time.Millisecond)
		c.ack(0, 1, 2)
		l.log("then %q", l.within(c))
	}, []string{"[0 1 2]", "[2]", "[2]", "after 4 s to 5.5 s: true", `then ""`}},

	{"shared", func(l *lab) {
		p := l.ready(l.topic("shared"))
		c1 := l.open(p.topic, "s", "c1", shared)
		c2 := l.open(p.topic, "s", "c2", exclusive) // its type does not matter any more
		p.send(numbers(0, 8)...)
		a, b := c1.offsets(4), c2.offsets(4)
		l.log("%v %v", a, b)
		c2.ack(b[0])
		c1.cancel()
		got := strings.Fields(l.within(c2))
		slices.Sort(got)
		l.log("%v", got)
	}, []string{
		"[0 2 4 6] [1 3 5 7]",
		"[0 2 4 6]",
	}},

	{"non-reliable", func(l *lab) {
		a := l.topic("loose")
		var p *producer
		l.until(func() bool {
			r, err := l.producers.CreateProducer(l.t.Context(), &pb.ProducerRequest{TopicName: a, ProducerName: "p"})
			p = &producer{s: l.stubs, id: r.GetProducerId(), topic: a, name: "p"}
			return err == nil
		})
		p.send("nobody there")
		c := l.open(a, "s", "c", exclusive)
		p.send("0")
		m := c.next()
		l.log("%s at %d", m.GetPayload(), m.GetMsgId().GetTopicOffset())
		_, err := l.consumers.Ack(l.t.Context(), &pb.AckRequest{MsgId: m.GetMsgId(), SubscriptionName: "s"})
		l.status("ack", err)
		_, err = l.consumers.Ack(l.t.Context(), &pb.AckRequest{MsgId: m.GetMsgId(), SubscriptionName: "t"})
		l.status("ack in another subscription", err)
		_, err = l.consumers.Nack(l.t.Context(), &pb.NackRequest{MsgId: m.GetMsgId(), SubscriptionName: "s"})
		l.status("nack", err)
		l.log("%q", l.within(c))
	}, []string{
		"0 at 0",
		"ack: OK",
		`ack in another subscription: Internal "Error acknowledging message" "Subscription not found"`,
		"nack: OK",
		`""`,
	}},

	{"admin", func(l *lab) {
		if l.topics == nil {
			return
		}
		ctx, base := l.t.Context(), l.topic("parts")
		_, err := l.topics.CreatePartitionedTopic(ctx, &adminpb.PartitionedTopicRequest{BaseName: base, Partitions: 12, DispatchStrategy: adminpb.DispatchStrategy_Reliable})
		l.status("create", err)
		_, err = l.topics.CreatePartitionedTopic(ctx, &adminpb.PartitionedTopicRequest{BaseName: base, Partitions: 2, DispatchStrategy: adminpb.DispatchStrategy_Reliable})
		l.status("create again", err)
		var parts *pb.TopicPartitionsResponse
		l.until(func() bool { // a cluster takes its time
			parts, err = l.discovery.TopicPartitions(ctx, &pb.TopicLookupRequest{Topic: base})
			return err != nil || len(parts.GetPartitions()) == 12
		})
		must(l.t, err)
		l.log("%v", parts.GetPartitions())
		_, err = l.tryProducer(base, "p")
		l.status("producer on the base name", err)
		_, err = l.trySubscribe(base, "s", "c", exclusive)
		l.status("subscribe to the base name", err)
		plain := l.topic("plain")
		_, err = l.topics.CreateTopic(ctx, &adminpb.NewTopicRequest{Name: plain, DispatchStrategy: adminpb.DispatchStrategy_Reliable})
		l.status("create plain", err)
		_, err = l.topics.CreateTopic(ctx, &adminpb.NewTopicRequest{Name: plain, DispatchStrategy: adminpb.DispatchStrategy_Reliable})
		l.status("create plain again", err)
		_, err = l.topics.CreateTopic(ctx, &adminpb.NewTopicRequest{Name: "bad"})
		l.status("create bad", err)
		l.ready(plain)
		l.subscribe(plain, "s", "c", exclusive)
		d, err := l.topics.DescribeTopic(ctx, &adminpb.DescribeTopicRequest{Name: plain})
		must(l.t, err)
		l.log("%s %s", d.GetName(), d.GetDelivery())
		d, err = l.topics.DescribeTopic(ctx, &adminpb.DescribeTopicRequest{Name: l.topic("undescribed")})
		l.status("describe absent", err)
		l.log("%q %q %v", d.GetName(), d.GetDelivery(), d.GetSubscriptions())
		p, err := l.tryProducer(base+"-part-3", "p")
		l.status("producer on a partition", err)
		q, err := l.tryProducer(plain, "q")
		l.status("producer", err)
		x := l.open(plain, "s", "c", exclusive)
		_, err = l.tryProducer(plain+"-part-0", "q")
		l.status("partition of a plain topic", err)
		list, err := l.topics.ListNamespaceTopics(ctx, &adminpb.NamespaceRequest{Name: "default"})
		must(l.t, err)
		l.log("listed: %t", slices.ContainsFunc(list.GetTopics(), func(t *adminpb.TopicInfo) bool { return t.GetName() == plain && t.GetDelivery() == "Reliable" }))
		_, err = l.spaces.CreateNamespace(ctx, &adminpb.NamespaceRequest{Name: "ns" + l.run})
		l.status("create namespace", err)
		_, err = l.spaces.CreateNamespace(ctx, &adminpb.NamespaceRequest{Name: "ns" + l.run})
		l.status("create namespace again", err)
		l.until(func() bool { // what is deleted before it is loaded holds up the broker
			r, err := l.discovery.TopicLookup(ctx, &pb.TopicLookupRequest{Topic: base + "-part-11"})
			return err == nil && r.GetResponseType() == pb.TopicLookupResponse_Connect
		})
		_, err = l.topics.DeleteTopic(ctx, &adminpb.TopicRequest{Name: base + "-part-1"})
		l.status("delete a partition", err)
		_, err = l.topics.DeleteTopic(ctx, &adminpb.TopicRequest{Name: l.topic("undeleted")})
		l.status("delete absent", err)
		_, err = l.topics.DeleteTopic(ctx, &adminpb.TopicRequest{Name: base})
		l.status("delete", err)
		_, err = l.topics.DeleteTopic(ctx, &adminpb.TopicRequest{Name: plain})
		l.status("delete plain", err)
		l.until(func() bool { return l.check(asProd, q.id) == closed && l.check(asProd, p.id) == closed })
		l.log("stream: %s", l.within(x))
		l.status("send", q.trySend("x"))
		l.status("send to partition", p.trySend("x"))
		l.log("%s %s", l.check(asProd, q.id), l.check(asCons, x.id))
		_, err = l.discovery.TopicLookup(ctx, &pb.TopicLookupRequest{Topic: plain})
		l.status("lookup", err)
	}, []string{
		"create: OK",
		`create again: NotFound "already exist"`,
		"[/default/parts_RUN_z-part-0 /default/parts_RUN_z-part-1 /default/parts_RUN_z-part-10 /default/parts_RUN_z-part-11 /default/parts_RUN_z-part-2 /default/parts_RUN_z-part-3 /default/parts_RUN_z-part-4 /default/parts_RUN_z-part-5 /default/parts_RUN_z-part-6 /default/parts_RUN_z-part-7 /default/parts_RUN_z-part-8 /default/parts_RUN_z-part-9]",
		`producer on the base name: AlreadyExists "already exist"`,
		`subscribe to the base name: NotFound "Unable to find the topic"`,
		"create plain: OK",
		`create plain again: NotFound "already exist"`,
		`create bad: NotFound "invalid format"`,
		"/default/plain_RUN_z Reliable",
		"describe absent: OK",
		`"/default/undescribed_RUN_z" "NonReliable" []`,
		"producer on a partition: OK",
		"producer: OK",
		`partition of a plain topic: AlreadyExists "already exist" "non-partitioned topic"`,
		"listed: true",
		"create namespace: OK",
		`create namespace again: NotFound "already exist"`,
		"delete a partition: NotFound",
		"delete absent: NotFound",
		"delete: OK",
		"delete plain: OK",
		"stream: EOF",
		`send: NotFound "The producer with id"`,
		`send to partition: NotFound "The producer with id"`,
		"CLOSE CLOSE",
		`lookup: NotFound "Unable to find the requested topic"`,
	}},

	{"ack timeout (slow)", func(l *lab) {
		p := l.ready(l.topic("timeout"))
		c := l.open(p.topic, "s", "c", exclusive)
		start := time.Now()
		p.send("0", "1")
		l.log("%v", c.offsets(2))
		c.ack(1)
		p.send("2")
		l.log("%v", c.offsets(1))
		c.ack(2)
		l.sleep(20 * time.Second)
		p.send("3") // the real broker does nothing more on a topic where nothing happens
		l.log("%v", c.offsets(1))
		l.log("%v", c.offsets(1))
		took := time.Since(start)
		l.log("after 31 s to 32.5 s: %t", took >= 31*time.Second && took < 32500*time.Millisecond)
	}, []string{"[0 1]", "[2]", "[3]", "[0]", "after 31 s to 32.5 s: true"}},

	{"six deliveries, then blocked (slow)", func(l *lab) {
		p := l.ready(l.topic("poison"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send("0")
		start := time.Now()
		for range 6 {
			o := c.offsets(1)
			l.log("%v after %d s", o, time.Since(start)/time.Second)
			start = time.Now()
			c.nack(0, 0)
		}
		p.send("1")
		l.log("then %q", l.within(c))
		c = l.open(p.topic, "s", "c", exclusive)
		l.log("and on a new stream %q", l.within(c))
	}, []string{
		"[0] after 0 s", "[0] after 1 s", "[0] after 2 s", "[0] after 4 s", "[0] after 8 s", "[0] after 16 s",
		`then ""`, `and on a new stream ""`,
	}},

	{"lost streams count as deliveries", func(l *lab) {
		p := l.ready(l.topic("burn"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send("0")
		for range 5 {
			c.offsets(1)
			c = l.open(p.topic, "s", "c", exclusive) // takes over
		}
		l.log("%v", c.offsets(1))
		c.nack(0, 0)
		p.send("1")
		l.log("then %q", l.within(c))
	}, []string{"[0]", `then ""`}},

	{"segments", func(l *lab) {
		p := l.ready(l.topic("segments"))
		p.send("0")
		for _, name := range []string{p.topic, l.topic("none"), "bad"} {
			r, err := l.storage.ListSegmentDescriptors(l.t.Context(), &pb.ListSegmentDescriptorsRequest{Topic: name})
			l.status("list", err)
			l.log("%d", len(r.GetSegments()))
		}
	}, []string{"list: OK", "0", "list: OK", "0", "list: OK", "0"}},

	{"unknown dispatch strategy", func(l *lab) {
		_, err := l.producers.CreateProducer(l.t.Context(), &pb.ProducerRequest{TopicName: l.topic("strategy"), ProducerName: "p", DispatchStrategy: 9})
		l.status("on creation", err)
		p := l.ready(l.topic("strategy2"))
		_, err = l.producers.CreateProducer(l.t.Context(), &pb.ProducerRequest{TopicName: p.topic, ProducerName: "q", DispatchStrategy: 9})
		l.status("later", err)
	}, []string{`on creation: InvalidArgument "Dispatch strategy is missing"`, "later: OK"}},

	{"a window of acks in any order", func(l *lab) {
		p := l.ready(l.topic("anyorder"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send(numbers(0, 30)...)
		got := c.offsets(10)
		for i := range 20 {
			c.ack(got[len(got)-10+(i*7)%10])
			if i%10 == 9 {
				got = append(got, c.offsets(10)...)
			}
		}
		l.log("%v", got)
	}, []string{"[0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29]"}},
}
