package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// sessions notes the states of a producer's or a consumer's sessions.
type sessions struct {
	mu   sync.Mutex
	list []danube.SessionState
}

func (s *sessions) add(e danube.SessionEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.list); n == 0 || s.list[n-1] != e.State { // attempts repeat as often as there is time
		s.list = append(s.list, e.State)
	}
}

func (s *sessions) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, e := range s.list {
		out = append(out, e.String())
	}
	return strings.Join(out, ", ")
}

// back reports whether there is a session again after one that was lost.
func (s *sessions) back() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := false
	for _, e := range s.list[slices.Index(s.list, danube.Ready)+1:] {
		lost = lost || e != danube.Ready
	}
	return lost && s.list[len(s.list)-1] == danube.Ready
}

// Pub is a producer in a lab.
type Pub struct {
	*danube.Producer
	l        *Lab
	Sessions sessions
}

// Producer opens a producer.
func (l *Lab) Producer(topic, name string, change ...func(*danube.ProducerConfig)) *Pub {
	p, err := l.TryProducer(l.Soon(), topic, name, change...)
	l.Must("producer "+name, err)
	return p
}

// TryProducer opens a producer that may be refused.
func (l *Lab) TryProducer(ctx context.Context, topic, name string, change ...func(*danube.ProducerConfig)) (*Pub, error) {
	p := &Pub{l: l}
	cfg := danube.ProducerConfig{Topic: topic, Name: name, OnSession: p.Sessions.add}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	p.Producer, err = l.Client().NewProducer(ctx, cfg)
	return p, err
}

// Send publishes payloads one after the other.
func (p *Pub) Send(payloads ...string) {
	for _, s := range payloads {
		p.Message(&danube.Outgoing{Payload: []byte(s)})
	}
}

// Message publishes one message.
func (p *Pub) Message(m *danube.Outgoing) danube.Receipt {
	ctx, cancel := context.WithTimeout(p.l.ctx, 2*time.Minute)
	defer cancel()
	r, err := p.Producer.Send(ctx, m)
	p.l.Must("publish", err)
	return r
}

// Try publishes one message that may be refused, or may not be answered in time.
func (p *Pub) Try(within time.Duration, m *danube.Outgoing) error {
	_, err := p.Producer.Send(p.l.Within(within), m)
	return err
}

// Post publishes n messages as fast as it can and returns when all are answered.
func (p *Pub) Post(n int, name string) {
	for _, s := range series(name, n-1) {
		p.l.Must("publish", p.Producer.SendAsync(p.l.ctx, &danube.Outgoing{Payload: []byte(s)}, func(danube.Receipt, error) {}))
	}
	p.Send(fmt.Sprint(name, n-1))
}

// Sub is a consumer in a lab.
type Sub struct {
	*danube.Consumer
	l        *Lab
	Sessions sessions

	mu        sync.Mutex
	anomalies []danube.Anomaly
}

// Consumer opens a consumer.
func (l *Lab) Consumer(topic, subscription, name string, change ...func(*danube.ConsumerConfig)) *Sub {
	c, err := l.TryConsumer(l.Soon(), topic, subscription, name, change...)
	l.Must("consumer "+name, err)
	return c
}

// TryConsumer opens a consumer that may be refused.
func (l *Lab) TryConsumer(ctx context.Context, topic, subscription, name string, change ...func(*danube.ConsumerConfig)) (*Sub, error) {
	c := &Sub{l: l}
	cfg := danube.ConsumerConfig{Topic: topic, Subscription: subscription, Name: name, OnSession: c.Sessions.add, OnAnomaly: c.anomaly}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	c.Consumer, err = l.NewClient().NewConsumer(ctx, cfg) // a connection of its own, as another process has
	return c, err
}

// begun is a topic with a producer and a consumer, which has acknowledged a first message.
func (l *Lab) begun() (topic string, p *Pub, c *Sub) {
	topic = l.Topic("a")
	p, c = l.Producer(topic, "p"), l.Consumer(topic, "s", "c")
	p.Send("first")
	c.Work(1)
	return topic, p, c
}

func (c *Sub) anomaly(a danube.Anomaly) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.anomalies = append(c.anomalies, a)
}

// Anomalies are what the client reported so far.
func (c *Sub) Anomalies() []danube.Anomaly {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]danube.Anomaly(nil), c.anomalies...)
}

// of says the subscription's type.
func of(t danube.SubscriptionType) func(*danube.ConsumerConfig) {
	return func(c *danube.ConsumerConfig) { c.Type = t }
}

// Take receives n messages.
func (c *Sub) Take(n int) (list []*danube.Message) {
	for len(list) < n {
		m, err := c.receive(time.Minute)
		if err != nil {
			c.l.Stop("message %d of %d did not come, after %s: %s", len(list)+1, n, offsets(list), describe(err))
		}
		list = append(list, m)
	}
	return list
}

// Rest receives what comes until nothing has come for a while.
func (c *Sub) Rest(quiet time.Duration) (list []*danube.Message) {
	for {
		m, err := c.receive(quiet)
		if err != nil {
			return list
		}
		list = append(list, m)
	}
}

// receive takes one message, and forgets its deadline at once.
func (c *Sub) receive(within time.Duration) (*danube.Message, error) {
	ctx, cancel := context.WithTimeout(c.l.ctx, within)
	defer cancel()
	return c.Receive(ctx)
}

// Quiet writes what comes within a time, nothing as a rule.
func (c *Sub) Quiet(what string, d time.Duration) {
	m, err := c.receive(d)
	switch {
	case err == nil:
		c.l.Log("%s: %q at %d within %v", what, m.Payload, m.Offset, d)
	case errors.Is(err, context.DeadlineExceeded):
		c.l.Log("%s: nothing in %v", what, d)
	default:
		c.l.Log("%s: %s", what, describe(err))
	}
}

// Ack acknowledges messages and waits until those acks were answered that can go out.
func (c *Sub) Ack(list ...*danube.Message) {
	for _, m := range list {
		if err := c.Consumer.Ack(m); err != nil {
			c.l.Stop("ack of %d: %s", m.Offset, describe(err))
		}
	}
	c.l.Must("flush", c.Flush(c.l.Soon()))
}

// Work takes and acknowledges n messages, one at a time.
func (c *Sub) Work(n int) (list []*danube.Message) {
	for range n {
		m := c.Take(1)[0]
		c.l.Must("ack", c.Consumer.Ack(m))
		list = append(list, m)
	}
	c.l.Must("flush", c.Flush(c.l.Soon()))
	return list
}

// WorkRest takes and acknowledges what comes until nothing has come for a while.
func (c *Sub) WorkRest(quiet time.Duration) (list []*danube.Message) {
	for {
		m, err := c.receive(quiet)
		if err != nil {
			return list
		}
		if err := c.Consumer.Ack(m); err != nil {
			c.l.Stop("ack of %d: %s", m.Offset, describe(err))
		}
		list = append(list, m)
	}
}

// Back waits until the consumer has a session again.
func (c *Sub) Back() { c.l.Until("the consumer's return", c.Sessions.back) }

// Leave closes the consumer and waits until the broker has surely noticed.
func (c *Sub) Leave() {
	_ = c.Close(c.l.Within(5 * time.Second))
	c.l.Pass(2 * time.Second)
}
