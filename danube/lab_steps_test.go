package danube_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// producer opens a producer of topic.
func (l *lab) producer(c *danube.Client, topic string, change ...func(*danube.ProducerConfig)) *danube.Producer {
	l.Helper()
	cfg := danube.ProducerConfig{Topic: topic, Name: "p"}
	for _, f := range change {
		f(&cfg)
	}
	p, err := c.NewProducer(l.soon(), cfg)
	l.must(err)
	return p
}

// consumer opens a consumer of topic.
func (l *lab) consumer(c *danube.Client, topic string, change ...func(*danube.ConsumerConfig)) *danube.Consumer {
	l.Helper()
	cfg := danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c", CreateTopic: true}
	for _, f := range change {
		f(&cfg)
	}
	con, err := c.NewConsumer(l.soon(), cfg)
	l.must(err)
	return con
}

// send publishes payloads one after the other.
func (l *lab) send(p *danube.Producer, payloads ...string) {
	l.Helper()
	for _, s := range payloads {
		if _, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte(s)}); err != nil {
			l.Fatalf("send %q: %v", s, err)
		}
	}
}

// post hands payloads over without waiting for the broker.
func (l *lab) post(p *danube.Producer, payloads ...string) {
	l.Helper()
	for _, s := range payloads {
		l.must(p.SendAsync(l.soon(), &danube.Outgoing{Payload: []byte(s)}, func(_ danube.Receipt, err error) {
			if err != nil {
				l.Errorf("publishing %q: %v", s, err)
			}
		}))
	}
}

// receive takes messages and checks their payloads, in order.
func (l *lab) receive(c *danube.Consumer, want ...string) []*danube.Message {
	l.Helper()
	var list []*danube.Message
	for _, w := range want {
		m, err := c.Receive(l.soon())
		if err != nil {
			l.Fatalf("waiting for %q: %v", w, err)
		}
		if string(m.Payload) != w {
			l.Fatalf("got %q at offset %d, want %q", m.Payload, m.Offset, w)
		}
		list = append(list, m)
	}
	return list
}

// ack acknowledges messages and waits until the broker has answered.
func (l *lab) ack(c *danube.Consumer, list ...*danube.Message) {
	l.Helper()
	for _, m := range list {
		if err := c.Ack(m); err != nil {
			l.Fatalf("ack of %d: %v", m.Offset, err)
		}
	}
	l.must(c.Flush(l.soon()))
}

// silent checks that nothing comes for a while.
func (l *lab) silent(c *danube.Consumer, d time.Duration) {
	l.Helper()
	if m, err := c.Receive(l.within(d)); err == nil {
		l.Fatalf("%q came at offset %d, want nothing", m.Payload, m.Offset)
	} else if !errors.Is(err, context.DeadlineExceeded) {
		l.Fatal(err)
	}
}

// series is n payloads of one name.
func series(name string, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("%s-%d", name, i))
	}
	return list
}
