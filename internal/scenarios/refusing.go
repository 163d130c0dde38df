package scenarios

import (
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// refusing is what brokers do not take, and how they say so.
var refusing = []Scenario{
	{"bad-names", OneNode, func(l *Lab) {
		raw := l.Raw(0)
		for _, topic := range []string{"orders", "/default/a.b", "/default/a b", "/default/a/b"} {
			_, err := raw.CreateProducer(topic, "p")
			l.Err("create "+topic, err)
			_, err = raw.Subscribe(topic, "s", "c", 0)
			l.Err("subscribe "+topic, err)
			_, err = raw.Discovery.TopicLookup(l.Soon(), &danubepb.TopicLookupRequest{Topic: topic})
			l.Err("lookup "+topic, err)
			_, err = l.TryProducer(l.Soon(), topic, "p")
			l.Err("the client", err)
		}
	}},

	{"missing-namespace", OneNode, func(l *Lab) {
		topic := "/" + l.Name("nowhere") + "/a"
		_, err := l.TryProducer(l.Soon(), topic, "p")
		l.Err("producer", err)
		_, err = l.TryConsumer(l.Within(2*time.Second), topic, "s", "c")
		l.Err("consumer", err)
		_, err = l.TryConsumer(l.Soon(), topic, "s", "c", createTopic)
		l.Err("consumer that creates its topic", err)
	}},

	{"missing-topic", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		_, err := l.Raw(0).Subscribe(topic, "s", "c", 0)
		l.Err("subscribe", err)
		_, how := l.lookup(0, topic)
		l.Log("lookup: %s", how)
		r, err := l.Raw(0).Discovery.TopicPartitions(l.Soon(), &danubepb.TopicLookupRequest{Topic: topic})
		l.Err("partitions", err)
		l.Log("%d partitions", len(r.GetPartitions()))
		l.Err("ack", l.Raw(0).Ack(topic, "s", 0))
		l.Err("nack", l.Raw(0).Nack(topic, "s", 0))
	}},

	{"creation-takes-two", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		_, err := l.Raw(0).CreateProducer(topic, "p")
		l.Err("the first request", err)
		l.Until("a second one", func() bool {
			_, err = l.Raw(0).CreateProducer(topic, "p")
			return err == nil
		})
		_, how := l.lookup(0, topic)
		l.Log("lookup: %s", how)
	}},

	{"dispatch-mismatch", OneNode, func(l *Lab) {
		topic, other := l.Topic("a"), l.Topic("b")
		l.Producer(topic, "p")
		_, err := l.TryProducer(l.Soon(), topic, "q", nonReliable)
		l.Err("reliable topic", err)
		l.Producer(other, "p", nonReliable)
		_, err = l.TryProducer(l.Soon(), other, "q")
		l.Err("loose topic", err)
		_, err = l.Raw(0).Producer.CreateProducer(l.Soon(), &danubepb.ProducerRequest{TopicName: l.Topic("c"), ProducerName: "p", DispatchStrategy: 9})
		l.Err("a strategy that is none", err)
	}},

	{"send-refused", OneNode, func(l *Lab) {
		topic, other := l.Topic("a"), l.Topic("b")
		p := l.Producer(topic, "p")
		l.Producer(other, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		id := c.Work(1)[0].ProducerID
		raw := l.Raw(0)
		l.Err("unknown producer", raw.Send(topic, id+1, "x"))
		l.Err("producer of another topic", raw.Send(other, id, "x"))
		l.Err("no such topic", raw.Send(l.Topic("c"), id, "x"))
		_, err := raw.Producer.SendMessage(l.Soon(), &danubepb.StreamMessage{Payload: []byte("x")})
		l.Err("no msg_id", err)
		l.Err("too large", raw.Send(topic, id, string(make([]byte, 5<<20))))
		l.Err("under the producer's id", raw.Send(topic, id, "x"))
		l.Log("%s", payloads(c.Work(1)))
	}},

	{"receive-refused", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		raw := l.Raw(0)
		l.Log("unknown id: %s", raw.Open(12345).End())
		l.Err("ack in another subscription", raw.Ack(topic, "t", 0))
		l.Err("nack in another subscription", raw.Nack(topic, "t", 0))
		l.Err("ack on another topic", raw.Ack(l.Topic("b"), "s", 0))
		_, err := raw.Consumer.Ack(l.Soon(), &danubepb.AckRequest{SubscriptionName: "s"})
		l.Err("ack without msg_id", err)
		_, err = raw.Consumer.Nack(l.Soon(), &danubepb.NackRequest{SubscriptionName: "s"})
		l.Err("nack without msg_id", err)
		_, err = raw.Subscribe(topic, "u", "c", 7)
		l.Err("a subscription type that is none", err)
		c.Quiet("the consumer", time.Second)
	}},

	{"health", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		l.Producer(topic, "p")
		raw := l.Raw(0)
		pid, err := raw.CreateProducer(topic, "q")
		l.Must("create producer", err)
		cid, err := raw.Subscribe(topic, "s", "c", 0)
		l.Must("subscribe", err)
		l.Log("registered: %s %s", raw.Check(0, pid), raw.Check(1, cid))
		st := raw.Open(cid)
		l.Log("with a stream: %s", raw.Check(1, cid))
		st.Close()
		l.Log("without: %s", raw.Check(1, cid))
		l.Log("unknown: %s %s", raw.Check(0, 12345), raw.Check(1, 12345))
		l.Log("one's id as the other's: %s %s", raw.Check(1, pid), raw.Check(0, cid))
		l.Log("of a type that is none: %s", raw.Check(7, pid))
	}},

	{"same-name-same-id", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		l.Producer(topic, "p")
		raw := l.Raw(0)
		a, _ := raw.CreateProducer(topic, "x")
		b, _ := raw.CreateProducer(topic, "x")
		c, _ := raw.CreateProducer(topic, "y")
		l.Log("producers: same %t, other %t", a == b, a == c)
		a, _ = raw.Subscribe(topic, "s", "x", danubepb.ConsumerRequest_Shared)
		st := raw.Open(a)
		b, _ = raw.Subscribe(topic, "s", "x", danubepb.ConsumerRequest_Shared)
		c, _ = raw.Subscribe(topic, "s", "y", danubepb.ConsumerRequest_Shared)
		d, _ := raw.Subscribe(topic, "t", "x", danubepb.ConsumerRequest_Shared)
		l.Log("consumers: same %t, other name %t, other subscription %t", a == b, a == c, a == d)
		l.Log("the stream of the first: %s", st.End())
	}},

	{"unimplemented", OneNode, func(l *Lab) {
		conn := l.conn(l.on.Seeds()[0], "")
		for _, method := range []string{
			"/danube.Discovery/NoSuchMethod", "/danube.ProducerService/NoSuchMethod", "/danube.ConsumerService/NoSuchMethod",
			"/danube.HealthCheck/NoSuchMethod", "/danube_schema.SchemaRegistry/NoSuchMethod", "/danube.NoSuchService/TopicLookup", "/nonsense",
		} {
			l.Err(method, conn.Invoke(l.Soon(), method, &danubepb.TopicLookupRequest{}, &danubepb.TopicLookupResponse{}))
		}
		admin, err := danube.OpenAdmin(danube.AdminConfig{
			Addresses: l.on.Seeds(), DialOptions: []grpc.DialOption{l.on.DialOption()}, Logger: l.config().Logger,
		})
		l.Must("open an admin client", err)
		l.later(func() { _ = admin.Close(l.ctx) })
		_, err = admin.Brokers(l.Within(5 * time.Second))
		l.Err("the admin service, on the port for clients", err)
	}},

	{"unimplemented-without-a-token", Secured, func(l *Lab) { // a broker of whom one wants to know what it can
		for _, header := range []string{"", "Bearer " + token(stranger)} {
			conn := l.conn(l.on.Seeds()[0], header)
			for _, method := range []string{"/danube.Discovery/NoSuchMethod", "/danube.NoSuchService/TopicLookup"} {
				l.Err(method, conn.Invoke(l.Soon(), method, &danubepb.TopicLookupRequest{}, &danubepb.TopicLookupResponse{}))
			}
		}
	}},
}

// limiting is brokers with limits.
var limiting = []Scenario{
	{"no-topics-on-demand", Limited, func(l *Lab) {
		topic := l.Topic("a")
		_, err := l.TryProducer(l.Soon(), topic, "p")
		l.Err("producer", err)
		l.Err("by admin", l.Admin().CreateTopic(l.Soon(), topic, danube.TopicOptions{}))
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		l.Log("%s", payloads(c.Work(1)))
	}},

	{"limit-of-payload", Limited, func(l *Lab) {
		topic := l.Topic("a")
		l.Must("create", l.Admin().CreateTopic(l.Soon(), topic, danube.TopicOptions{}))
		p := l.Producer(topic, "p")
		l.Err("one byte more", p.Try(time.Minute, &danube.Outgoing{Payload: make([]byte, maxPayload+1)}))
		l.Err("just as much", p.Try(time.Minute, &danube.Outgoing{Payload: make([]byte, maxPayload)}))
	}},

	{"limit-of-producers", Limited, func(l *Lab) {
		topic := l.Topic("a")
		l.Must("create", l.Admin().CreateTopic(l.Soon(), topic, danube.TopicOptions{}))
		p := l.Producer(topic, "p")
		l.Producer(topic, "q")
		_, err := l.TryProducer(l.Within(2*time.Second), topic, "r")
		l.Err("a third name", err)
		_ = p.Close(l.Soon())
		_, err = l.TryProducer(l.Within(2*time.Second), topic, "r")
		l.Err("after the first has left", err)
		l.Producer(topic, "p")
	}},

	{"limit-of-subscriptions", Limited, func(l *Lab) {
		topic := l.Topic("a")
		l.Must("create", l.Admin().CreateTopic(l.Soon(), topic, danube.TopicOptions{}))
		l.Producer(topic, "p")
		l.Consumer(topic, "s", "c", of(danube.Shared))
		_, err := l.TryConsumer(l.Within(2*time.Second), topic, "s", "d", of(danube.Shared))
		l.Err("a second consumer", err)
		_, err = l.TryConsumer(l.Within(2*time.Second), topic, "s", "e", of(danube.Shared))
		l.Err("a third one", err)
		_, err = l.TryConsumer(l.Within(2*time.Second), topic, "t", "c")
		l.Err("a second subscription", err)
		_, err = l.TryConsumer(l.Within(2*time.Second), topic, "u", "c")
		l.Err("a third one", err)
		_, err = l.TryConsumer(l.Within(2*time.Second), topic, "s", "f", of(danube.Shared))
		l.Err("one more consumer of the first", err)
		l.Consumer(topic, "s", "c", of(danube.Shared))
		l.Log("the first name may come again")
	}},
}
