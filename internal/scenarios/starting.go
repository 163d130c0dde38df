package scenarios

import (
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

func createTopic(c *danube.ConsumerConfig) { c.CreateTopic = true }

// starting is where subscriptions begin, and where they go on.
var starting = []Scenario{
	{"starts-at-latest", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		p.Send(series("old", 5)...)
		c := l.Consumer(topic, "s", "c")
		p.Send(series("new", 3)...)
		list := c.Work(3)
		l.Log("%s at %s", payloads(list), offsets(list))
		c.Quiet("then", time.Second)
	}},

	{"two-subscriptions", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		d := l.Consumer(topic, "t", "c") // names of consumers are per subscription
		p.Send(series("m", 3)...)
		l.Log("%s, %s", payloads(c.Work(3)), payloads(d.Work(3)))
		c.Quiet("one", time.Second)
		d.Quiet("the other", time.Second)
	}},

	{"goes-on-where-it-was", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send(series("m", 8)...)
		list := c.Take(8)
		c.Ack(list[:5]...)
		c.Leave()
		p.Send("while away")
		c = l.Consumer(topic, "s", "c")
		list = c.Work(4)
		l.Log("%s at %s", payloads(list), offsets(list))
		c.Quiet("then", time.Second)
		c.Leave()
		c = l.Consumer(topic, "s", "c")
		c.Quiet("once more", 2*time.Second)
	}},

	{"consumer-before-topic", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		_, err := l.TryConsumer(l.Within(2*time.Second), topic, "s", "c")
		l.Err("without a topic", err)
		c := l.Consumer(topic, "s", "c", createTopic)
		p := l.Producer(topic, "p")
		p.Send("0")
		l.Log("%s", payloads(c.Work(1)))
	}},

	{"consumer-waits-for-topic", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		opened := make(chan *Sub, 1)
		go func() {
			c, err := l.TryConsumer(l.ctx, topic, "s", "c")
			if err != nil {
				c = nil
			}
			opened <- c
		}()
		l.Pass(2 * time.Second)
		p := l.Producer(topic, "p")
		select {
		case c := <-opened:
			if c == nil {
				l.Stop("the consumer gave up")
			}
			l.Log("opened: %s", &c.Sessions)
			p.Send("0")
			l.Log("%s", payloads(c.Work(1)))
		case <-l.Soon().Done():
			l.Stop("no consumer")
		}
	}},

	{"takeover", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		old := l.Consumer(topic, "s", "c")
		p.Send(series("m", 5)...)
		list := old.Take(5)
		old.Ack(list[:2]...)
		next := l.Consumer(topic, "s", "c")
		again := next.Take(3)
		l.Log("the new one gets %s", payloads(again))
		old.Quiet("the old one", 5*time.Second)
		l.Log("its sessions: %s", &old.Sessions)
		next.Ack(again...)
		p.Send("5")
		l.Log("the new one gets %s", payloads(next.Work(1)))
		l.Log("its sessions: %s", &next.Sessions)
	}},

	{"takeover-of-an-ack", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		old := l.Consumer(topic, "s", "c")
		p.Send(series("m", 3)...)
		list := old.Take(3)
		next := l.Consumer(topic, "s", "c")
		got := next.Take(3)
		raw := l.Raw(l.Owner(topic)) // the old one's client sends no ack once it knows
		l.Err("an ack by the old one", raw.Ack(topic, "s", list[0].Offset))
		next.Ack(got[1:]...)
		next.Leave()
		next = l.Consumer(topic, "s", "c")
		l.Log("left: %s", offsets(next.Rest(2*time.Second)))
	}},

	{"exclusive-means-one-name", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		_, err := l.TryConsumer(l.Within(2*time.Second), topic, "s", "d")
		l.Err("another name", err)
		_, err = l.TryConsumer(l.Within(2*time.Second), topic, "s", "d", of(danube.Shared))
		l.Err("another name, as Shared", err)
		p.Send("0")
		l.Log("%s", payloads(c.Work(1)))
		c.Leave()
		_, err = l.TryConsumer(l.Within(2*time.Second), topic, "s", "d")
		l.Err("another name, nobody there", err)
		p.Send("1")
		c = l.Consumer(topic, "s", "c")
		l.Log("the same name: %s", payloads(c.Work(1)))
	}},

	{"pause", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0", "1")
		list := c.Take(2)
		c.Pause()
		p.Send("2")
		c.Quiet("paused", 3*time.Second)
		l.Must("ack", c.Consumer.Ack(list[0]))
		c.Resume()
		l.Log("%s", payloads(c.Take(1)))
		l.Must("ack", c.Consumer.Ack(list[1]))
		c.Quiet("then", 2*time.Second)
		l.Log("sessions: %s", &c.Sessions)
	}},
}
