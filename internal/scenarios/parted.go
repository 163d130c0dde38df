package scenarios

import (
	"fmt"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

func partitions(n int) func(*danube.ProducerConfig) {
	return func(c *danube.ProducerConfig) { c.Partitions = n }
}

// parted is topics with partitions, and names that begin with one another.
var parted = []Scenario{
	{"partitions-take-turns", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p", partitions(3))
		c := l.Consumer(topic, "s", "c")
		for i := range 6 {
			r := p.Message(&danube.Outgoing{Payload: []byte(fmt.Sprint(i))})
			l.Log("%d goes to %s", r.Partition, r.Topic)
		}
		l.Log("%s", sorted(c.Work(6)))
	}},

	{"partitions-by-key", OneNode, func(l *Lab) { // the vectors of section 15
		topic := l.Topic("a")
		p := l.Producer(topic, "p", partitions(4))
		c := l.Consumer(topic, "s", "c")
		for _, key := range []string{"a", "order-123", "payment", "shipping", "user-42", "ключ"} {
			r := p.Message(&danube.Outgoing{Key: key})
			m := c.Work(1)[0]
			l.Log("%s: partition %d, received from %d at %d", m.Key, r.Partition, m.Partition, m.Offset)
		}
	}},

	{"partitions-order", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p", partitions(3))
		c := l.Consumer(topic, "s", "c")
		p.Post(60, "m")
		got := map[int32][]uint64{}
		for _, m := range c.WorkRest(3 * time.Second) {
			got[m.Partition] = append(got[m.Partition], m.Offset)
		}
		for i := range int32(3) {
			l.Log("partition %d: %s", i, ranges(got[i]))
		}
	}},

	{"partitions-made-by-admin", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		l.Err("create", l.Admin().CreatePartitionedTopic(l.Soon(), topic, 12, danube.TopicOptions{}))
		l.Err("create again", l.Admin().CreatePartitionedTopic(l.Soon(), topic, 12, danube.TopicOptions{}))
		c := l.Consumer(topic, "s", "c")
		p := l.Producer(topic, "p")
		l.Log("%d partitions", p.Partitions())
		for i := range 12 {
			p.Send(fmt.Sprint(i))
		}
		for _, m := range c.Work(12) {
			if string(m.Payload) != fmt.Sprint(m.Partition) {
				l.Log("%s in partition %d", m.Payload, m.Partition)
			}
		}
		d, err := l.Admin().DescribeTopic(l.Soon(), topic)
		l.Must("describe", err)
		l.Log("%d partitions, %v, subscriptions %v", d.Partitions, d.Dispatch == danube.Reliable, d.Subscriptions)
	}},

	{"partitions-nack-and-takeover", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p", partitions(2))
		old := l.Consumer(topic, "s", "c")
		p.Send("0", "1", "2", "3")
		old.Take(4)
		next := l.Consumer(topic, "s", "c")
		l.Log("the new one gets %s", sorted(next.Work(4)))
		old.Quiet("the old one", 5*time.Second)
	}},

	{"plain-and-partitioned", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		l.Producer(topic, "p")
		_, err := l.TryProducer(l.Within(3*time.Second), topic, "p", partitions(2))
		l.Err("partitions of a plain topic", err)
		other := l.Topic("b")
		l.Producer(other, "p", partitions(2))
		_, err = l.Raw(0).CreateProducer(other, "p")
		l.Err("a plain topic of that name", err)
		l.Err("the same by admin", l.Admin().CreateTopic(l.Soon(), other, danube.TopicOptions{}))
		l.Err("and the other way", l.Admin().CreatePartitionedTopic(l.Soon(), topic, 2, danube.TopicOptions{}))
	}},

	{"prefix-longer-first", OneNode, func(l *Lab) { // T19
		topic := l.Topic("a")
		l.Producer(topic+"-b", "p")
		_, err := l.TryProducer(l.Within(3*time.Second), topic, "p")
		l.Err("create", err)
		_, err = l.TryConsumer(l.Within(2*time.Second), topic, "s", "c")
		l.Err("consume", err)
	}},

	{"prefix-shorter-first", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		q := l.Producer(topic+"-b", "p")
		c, d := l.Consumer(topic, "s", "c"), l.Consumer(topic+"-b", "s", "c")
		p.Send("0")
		q.Send("1")
		l.Log("%s, %s", payloads(c.Work(1)), payloads(d.Work(1)))
		c.Quiet("the shorter", time.Second)
	}},

	{"prefix-of-partitions", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p", partitions(2))
		q := l.Producer(topic+"-eu", "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0", "1")
		q.Send("other")
		l.Log("%s", sorted(c.Work(2)))
		c.Quiet("then", time.Second)
	}},
}
