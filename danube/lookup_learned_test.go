package danube_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// The only seed dies, and later the topic moves between the brokers that are left: one
// that a lookup told of tells where.
func TestTheOnlySeedDies(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, other := l.topic(), l.topic()
		l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
		l.must(l.broker.CreateTopic(other, danubetest.TopicConfig{}))
		l.must(l.broker.MoveTopic(topic, 2))
		l.must(l.broker.MoveTopic(other, 3))
		l.pass(10 * time.Second)
		client := l.open(func(c *danube.Config) { c.Seeds = l.broker.URLs()[:1] })
		con, p := l.consumer(client, topic), l.producer(client, topic)
		l.producer(client, other) // this is how the client hears of the third broker
		l.send(p, "a")
		l.ack(con, l.receive(con, "a")...)
		l.must(l.broker.KillBroker(1))
		l.pass(time.Minute)
		for i := range 4 {
			l.must(l.broker.MoveTopic(topic, 3-i%2))
			what := fmt.Sprint("moved ", i)
			_, err := p.Send(l.within(time.Minute), &danube.Outgoing{Payload: []byte(what)})
			l.must(err)
			l.ack(con, l.receive(con, what)...)
		}
	}, danubetest.WithBrokers(3))
}

// At the address of a broker that the client has heard of somebody else may answer by now:
// that the seed is away for a moment is no reason to believe him.
func TestAnotherAtTheAddressOfABroker(t *testing.T) {
	for name, answer := range map[string]error{
		"no broker":       status.Error(codes.Unimplemented, "unknown service danube.Discovery"),
		"another cluster": status.Error(codes.NotFound, "Unable to find the requested topic"),
	} {
		t.Run(name, func(t *testing.T) {
			embedded(t, func(l *lab) {
				topic := l.topic()
				l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
				l.must(l.broker.MoveTopic(topic, 2))
				l.pass(10 * time.Second)
				client := l.open(func(c *danube.Config) { c.Seeds = l.broker.URLs()[:1] })
				p := l.producer(client, topic)
				l.send(p, "a")
				l.must(l.broker.MoveTopic(topic, 1))
				l.pass(10 * time.Second)
				l.send(p, "b")
				l.broker.Fault(danubetest.Fault{Broker: 2, Err: answer, Count: -1, Optional: true})
				l.broker.Fault(danubetest.Fault{Broker: 1, Err: status.Error(codes.Unavailable, "connection refused"), Count: 6})
				_, err := p.Send(l.within(5*time.Minute), &danube.Outgoing{Payload: []byte("c")})
				l.must(err)
				l.broker.CheckPayloads(l, topic, "a", "b", "c")
			}, danubetest.WithBrokers(2))
		})
	}
}
