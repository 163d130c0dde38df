package scenarios

import (
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// every makes each kind of call and writes how it is answered.
func (l *Lab) every(raw *Raw, topic string) {
	_, err := raw.Discovery.TopicLookup(l.Soon(), &danubepb.TopicLookupRequest{Topic: topic})
	l.Err("lookup", err)
	_, err = raw.Discovery.TopicPartitions(l.Soon(), &danubepb.TopicLookupRequest{Topic: topic})
	l.Err("partitions", err)
	pid, err := raw.CreateProducer(topic, "raw")
	l.Err("create producer", err)
	l.Err("send", raw.Send(topic, pid, "x"))
	cid, err := raw.Subscribe(topic, "t", "raw", 0)
	l.Err("subscribe", err)
	st := raw.Open(cid)
	l.Log("receive: %s", st.state())
	l.Err("ack", raw.Ack(topic, "t", 12345))
	l.Err("nack", raw.Nack(topic, "t", 12345))
	l.Log("health: %s", raw.Check(1, cid))
	st.cancel()
	_, err = raw.Schemas.ListSubjects(l.Soon(), &schemapb.ListSubjectsRequest{})
	l.Err("list subjects", err)
	_, err = raw.Schemas.GetLatestSchema(l.Soon(), &schemapb.GetLatestSchemaRequest{Subject: "there-is-none"})
	l.Err("latest schema", err)
}

// granting is who may do what. The grants are in access.go.
var granting = []Scenario{
	{"nothing-granted", Secured, func(l *Lab) {
		topic := l.Topic("a")
		l.Producer(topic, "p")
		l.every(l.RawAs(0, "Bearer "+token(stranger)), topic)
		client := l.ClientAs(stranger)
		_, err := client.NewProducer(l.Within(5*time.Second), danube.ProducerConfig{Topic: topic, Name: "q"})
		l.Err("the client's producer", err)
		_, err = client.NewConsumer(l.Within(5*time.Second), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"})
		l.Err("the client's consumer", err)
	}},

	{"granted-to-write", Secured, func(l *Lab) {
		topic := l.Topic("a")
		l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		l.every(l.RawAs(0, "Bearer "+token(writer)), topic)
		l.Log("%s", payloads(c.Work(1)))
		client := l.ClientAs(writer)
		p, err := client.NewProducer(l.Soon(), danube.ProducerConfig{Topic: l.Topic("b"), Name: "p"})
		l.Err("the client's producer of a new topic", err)
		if err == nil {
			_, err = p.Send(l.Soon(), &danube.Outgoing{Payload: []byte("0")})
			l.Err("publish", err)
		}
		_, err = client.NewConsumer(l.Within(5*time.Second), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"})
		l.Err("the client's consumer", err)
	}},

	{"granted-to-read", Secured, func(l *Lab) { // T29
		topic := l.Topic("a")
		l.Producer(topic, "p")
		l.every(l.RawAs(0, "Bearer "+token(reader)), topic)
		_, err := l.ClientAs(reader).NewConsumer(l.Within(5*time.Second), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"})
		l.Err("the client's consumer", err)
	}},

	{"granted-to-read-everywhere", Secured, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		l.every(l.RawAs(0, "Bearer "+token(clusterReader)), topic)
		c, err := l.ClientAs(clusterReader).NewConsumer(l.Soon(), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"})
		l.Err("the client's consumer", err)
		if err == nil {
			p.Send("0")
			m, err := c.Receive(l.Soon())
			l.Must("receive", err)
			l.Must("ack", c.Ack(m))
			l.Log("%s, flushed: %s", m.Payload, describe(c.Flush(l.Soon())))
		}
	}},

	{"granted-on-one-topic", Secured, func(l *Lab) {
		l.Producer(clerksTopic, "p")
		other := l.Topic("a")
		l.Producer(other, "p")
		raw := l.RawAs(0, "Bearer "+token(clerk))
		for _, topic := range []string{clerksTopic, clerksTopic + "-part-0", other} {
			_, err := raw.Discovery.TopicLookup(l.Soon(), &danubepb.TopicLookupRequest{Topic: topic})
			l.Err("lookup of "+topic, err)
			_, err = raw.CreateProducer(topic, "raw")
			l.Err("create producer", err)
		}
	}},

	{"admin-without-a-grant", Secured, func(l *Lab) {
		topic := l.Topic("a")
		l.Producer(topic, "p")
		a, err := danube.OpenAdmin(danube.AdminConfig{
			Addresses: l.on.Admins(), TLS: danube.TLSConfig{Config: l.trusted()}, Token: danube.TokenValue(token(writer)),
			DialOptions: []grpc.DialOption{l.on.DialOption()}, Logger: l.config().Logger,
		})
		l.Must("open an admin client", err)
		l.later(func() { _ = a.Close(l.ctx) })
		l.Err("create", a.CreateTopic(l.Soon(), l.Topic("b"), danube.TopicOptions{}))
		l.Err("delete", a.DeleteTopic(l.Soon(), topic))
		_, err = a.DescribeTopic(l.Soon(), topic)
		l.Err("describe", err)
		l.Err("create a namespace", a.CreateNamespace(l.Soon(), l.Name("ns")))
		_, err = a.Brokers(l.Soon())
		l.Err("brokers", err)
	}},
}
