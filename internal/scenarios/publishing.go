package scenarios

import (
	"fmt"
	"strings"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// publishing is what producers do, and what arrives of it.
var publishing = []Scenario{
	{"publish-and-receive", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		var first uint64
		for i, s := range series("m", 5) {
			r := p.Message(&danube.Outgoing{Payload: []byte(s)})
			if i == 0 {
				first = r.RequestID
			}
			l.Log("sent to %s: request +%d, attempts %d, ambiguous %t", r.Topic, r.RequestID-first, r.Attempts, r.Ambiguous)
		}
		list := c.Take(5)
		for _, m := range list {
			l.Log("%s at %d of %s: request +%d from %s", m.Payload, m.Offset, m.WireTopic, m.RequestID-first, m.ProducerName)
		}
		c.Ack(list...)
		c.Quiet("then", time.Second)
	}},

	{"fields", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Message(&danube.Outgoing{
			Payload: []byte{0, 255, '\n'}, Key: "ключ", PublishTime: time.UnixMilli(123456789), Origin: "db/1@2#3",
			Attributes: map[string]string{"a": "b", "empty": "", "имя": "значение"},
		})
		m := c.Take(1)[0]
		l.Log("payload %q, key %s, published %d, attributes %v", m.Payload, m.Key, m.PublishTime.UnixMilli(), m.Attributes)
		l.Log("partition %d, schema %v, subscription %s", m.Partition, m.Schema, m.Subscription)
	}},

	{"empty-message", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Message(&danube.Outgoing{})
		m := c.Take(1)[0]
		l.Log("%d bytes, key %q, %d attributes, at %d", len(m.Payload), m.Key, len(m.Attributes), m.Offset)
	}},

	{"order-of-one-producer", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		for range 10 { // never so far ahead that the broker would skip anything
			p.Post(50, "m")
			list := c.Work(50)
			l.Log("%s: %s to %s", offsets(list), list[0].Payload, list[49].Payload)
		}
	}},

	{"two-producers", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p, q := l.Producer(topic, "p"), l.Producer(topic, "q")
		c := l.Consumer(topic, "s", "c")
		for i := range 4 {
			p.Send(fmt.Sprint("p", i))
			q.Send(fmt.Sprint("q", i))
		}
		list := c.Work(8)
		l.Log("%s at %s", payloads(list), offsets(list))
		l.Log("same producer id: %t, two names: %s %s", list[0].ProducerID == list[1].ProducerID, list[0].ProducerName, list[1].ProducerName)
	}},

	{"two-producers-of-one-name", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p, q := l.Producer(topic, "p"), l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		q.Send("1")
		p.Send("2")
		list := c.Work(3)
		l.Log("%s at %s", payloads(list), offsets(list))
		l.Log("same producer id: %t", list[0].ProducerID == list[1].ProducerID)
	}},

	{"producer-comes-again", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		l.Err("close", p.Close(l.Soon()))
		l.Err("publish", p.Try(time.Second, &danube.Outgoing{}))
		p = l.Producer(topic, "p")
		p.Send("1")
		list := c.Work(2)
		l.Log("%s at %s, same producer id: %t", payloads(list), offsets(list), list[0].ProducerID == list[1].ProducerID)
	}},

	{"large-messages", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		l.Err("5 MiB", p.Try(time.Minute, &danube.Outgoing{Payload: make([]byte, 5<<20)}))
		l.Err("4 MiB", p.Try(time.Minute, &danube.Outgoing{Payload: make([]byte, 4<<20)}))
		l.Err("4 MiB less 4 KiB", p.Try(time.Minute, &danube.Outgoing{Payload: []byte(strings.Repeat("x", 4<<20-4096))}))
		p.Send("small")
		for _, m := range c.Work(2) {
			l.Log("%d bytes at %d", len(m.Payload), m.Offset)
		}
	}},

	{"stamps", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		c := l.Consumer(topic, "s", "c", func(c *danube.ConsumerConfig) { c.CreateTopic = true })
		for range 2 {
			p := l.Producer(topic, "p", func(c *danube.ProducerConfig) { c.Stamp = true })
			p.Send("0", "1")
			epoch := ""
			for _, m := range c.Work(2) {
				parts := strings.Split(m.Attributes[danube.AttrStamp], "/")
				if len(parts) != 3 {
					l.Stop("stamp %q", m.Attributes[danube.AttrStamp])
				}
				l.Log("at %d: %s, number %s, same epoch %t", m.Offset, parts[0], parts[2], epoch == "" || epoch == parts[1])
				epoch = parts[1]
			}
			_ = p.Close(l.Soon())
		}
	}},

	{"nobody-subscribed", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		p.Post(300, "old")
		c := l.Consumer(topic, "s", "c")
		p.Send("new")
		list := c.Work(1)
		l.Log("%s at %s", payloads(list), offsets(list))
		c.Quiet("then", 2*time.Second)
	}},

	{"many-topics", OneNode, func(l *Lab) {
		var subs []*Sub
		var pubs []*Pub
		for i := range 8 {
			topic := l.Topic(fmt.Sprint("t", i))
			pubs = append(pubs, l.Producer(topic, "p"))
			subs = append(subs, l.Consumer(topic, "s", "c"))
		}
		for i, p := range pubs {
			p.Send(series(fmt.Sprint(i, "-"), 5)...)
		}
		for _, c := range subs {
			list := c.Work(5)
			l.Log("%s at %s", payloads(list), offsets(list))
		}
	}},
}
