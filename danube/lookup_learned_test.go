package danube_test

import (
	"fmt"
	"testing"
	"time"

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
