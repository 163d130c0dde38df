package danubetest_test

import (
	"strings"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// scenario is something that happens the same way on danubetest and on a real broker.
type scenario struct {
	name string
	run  func(l *lab)
	want []string
	trap bool // only so with traps
}

// soundScenario is one in which the profile makes no difference.
type soundScenario struct {
	name string
	run  func(l *lab)
	want []string
}

// publishScenarios are about topics, and what is published to them.
var publishScenarios = []soundScenario{
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

	{"unknown dispatch strategy", func(l *lab) {
		_, err := l.producers.CreateProducer(l.t.Context(), &pb.ProducerRequest{TopicName: l.topic("strategy"), ProducerName: "p", DispatchStrategy: 9})
		l.status("on creation", err)
		p := l.ready(l.topic("strategy2"))
		_, err = l.producers.CreateProducer(l.t.Context(), &pb.ProducerRequest{TopicName: p.topic, ProducerName: "q", DispatchStrategy: 9})
		l.status("later", err)
	}, []string{`on creation: InvalidArgument "Dispatch strategy is missing"`, "later: OK"}},
}
