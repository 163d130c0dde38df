package danube_test

import (
	"fmt"
	"testing"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// Close of a producer publishes everything that was accepted.
func TestCloseFlushes(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		p := l.producer(client, topic)
		var calls int
		for _, s := range series("m", 100) {
			l.must(p.SendAsync(l.soon(), &danube.Outgoing{Payload: []byte(s)}, func(_ danube.Receipt, err error) {
				if calls++; err != nil {
					l.Error(err)
				}
			}))
		}
		got := make(chan error, 1)
		go func() { got <- p.Close(l.soon()) }()
		for _, s := range series("m", 100) {
			l.must(con.Ack(l.receive(con, s)[0]))
		}
		l.must(<-got)
		if calls != 100 {
			l.Errorf("%d of 100 were called back when Close returned", calls)
		}
		_, err := p.Send(l.soon(), &danube.Outgoing{})
		l.want(err, danube.ErrClosed, "publish")
		l.must(p.Close(l.soon()))
		l.must(con.Close(l.soon()))
		l.must(con.Close(l.soon()))
		_, err = con.Receive(l.soon())
		l.want(err, danube.ErrClosed, "receive")
		l.must(client.Close(l.soon()))
		_, err = client.NewProducer(l.soon(), danube.ProducerConfig{Topic: topic, Name: "p"})
		l.want(err, danube.ErrClosed)
		_, err = client.NewConsumer(l.soon(), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"})
		l.want(err, danube.ErrClosed)
	})
}

// Messages keep what they were: the client reuses nothing that it handed out.
func TestMessagesMayBeKept(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		p := l.producer(client, topic)
		for i := range 20 {
			_, err := p.Send(l.soon(), &danube.Outgoing{
				Payload: []byte(fmt.Sprint(i)), Attributes: map[string]string{"n": fmt.Sprint(i)}, Key: fmt.Sprint("k", i)})
			l.must(err)
		}
		var list []*danube.Message
		for range 20 {
			m, err := con.Receive(l.soon())
			l.must(err)
			l.must(con.Ack(m))
			list = append(list, m)
		}
		for i, m := range list {
			if s := fmt.Sprint(i); string(m.Payload) != s || m.Attributes["n"] != s || m.Key != "k"+s {
				l.Errorf("message %d is now %q, %v, %q", i, m.Payload, m.Attributes, m.Key)
			}
		}
	})
}
