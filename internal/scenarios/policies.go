package scenarios

import (
	"maps"
	"slices"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// policies is failure policies and dead letters.
var policies = []Scenario{
	{"dead-letter", OneNode, func(l *Lab) {
		topic, dead := l.Topic("a"), l.Topic("dlq")
		p := l.Producer(topic, "p")
		d := l.Consumer(dead, "d", "d", createTopic)
		l.Err("policy", l.Admin().SetFailurePolicy(l.Soon(), topic, "s", danube.FailurePolicy{
			MaxRedeliveries: 1, BaseDelay: 100 * time.Millisecond, Poison: danube.DeadLetter, DeadLetterTopic: dead,
		}))
		c := l.Consumer(topic, "s", "c")
		p.Message(&danube.Outgoing{Payload: []byte("bad"), Key: "k", Attributes: map[string]string{"a": "b"}})
		p.Send("good")
		list := c.Take(2)
		l.Must("nack", c.Nack(l.Soon(), list[0], 0, "first"))
		again := c.Take(1)
		l.Log("again: %s", payloads(again))
		l.Must("nack", c.Nack(l.Soon(), again[0], 0, "second"))
		m := d.Work(1)[0]
		l.Log("dead letter: %s at %d, key %q", m.Payload, m.Offset, m.Key)
		for _, k := range slices.Sorted(maps.Keys(m.Attributes)) {
			if k != "x-original-producer-id" && k != "x-original-broker-addr" {
				l.Log("%s=%s", k, m.Attributes[k])
			}
		}
		c.Ack(list[1])
		c.Quiet("then", 2*time.Second)
	}},

	{"dead-letter-by-timeout", OneNode, func(l *Lab) {
		topic, dead := l.Topic("a"), l.Topic("dlq")
		p := l.Producer(topic, "p")
		d := l.Consumer(dead, "d", "d", createTopic)
		l.Err("policy", l.Admin().SetFailurePolicy(l.Soon(), topic, "s", danube.FailurePolicy{
			MaxRedeliveries: danube.NoRedelivery, AckTimeout: 2 * time.Second, Poison: danube.DeadLetter, DeadLetterTopic: dead,
		}))
		c := l.Consumer(topic, "s", "c")
		p.Send("slow")
		c.Take(1)
		m := d.Work(1)[0]
		l.Log("dead letter: %s, attempt %s, because %q", m.Payload, m.Attributes["x-delivery-attempt"], m.Attributes["x-failure-reason"])
	}},

	{"dead-letter-nobody-reads", OneNode, func(l *Lab) {
		topic, dead := l.Topic("a"), l.Topic("dlq")
		p := l.Producer(topic, "p")
		l.Err("policy", l.Admin().SetFailurePolicy(l.Soon(), topic, "s", danube.FailurePolicy{
			MaxRedeliveries: danube.NoRedelivery, Poison: danube.DeadLetter, DeadLetterTopic: dead,
		}))
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		l.Must("nack", c.Nack(l.Soon(), c.Take(1)[0], 0, ""))
		l.Pass(5 * time.Second)
		p.Send("1")
		l.Log("it goes on with %s", payloads(c.Work(1)))
		d := l.Consumer(dead, "d", "d") // the broker made it
		d.Quiet("dead letters from before", 2*time.Second)
	}},

	{"drop", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		l.Err("policy", l.Admin().SetFailurePolicy(l.Soon(), topic, "s", danube.FailurePolicy{
			MaxRedeliveries: danube.NoRedelivery, Poison: danube.Drop,
		}))
		c := l.Consumer(topic, "s", "c")
		p.Send("0", "1")
		list := c.Take(2)
		l.Must("nack", c.Nack(l.Soon(), list[0], 0, ""))
		p.Send("2")
		c.Ack(append(c.Take(1), list[1])...)
		c.Quiet("then", 3*time.Second)
		c.Leave()
		c = l.Consumer(topic, "s", "c")
		c.Quiet("on a new stream", 3*time.Second)
	}},

	{"block", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		l.Err("policy", l.Admin().SetFailurePolicy(l.Soon(), topic, "s", danube.FailurePolicy{MaxRedeliveries: danube.NoRedelivery}))
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		l.Must("nack", c.Nack(l.Soon(), c.Take(1)[0], 0, ""))
		p.Send("1")
		c.Quiet("blocked", 3*time.Second)
		c.Leave()
		c = l.Consumer(topic, "s", "c")
		p.Send("2")
		c.Quiet("on a new stream", 3*time.Second)
	}},

	{"fixed-delay", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		l.Err("policy", l.Admin().SetFailurePolicy(l.Soon(), topic, "s", danube.FailurePolicy{
			MaxRedeliveries: 4, BaseDelay: 2 * time.Second, MaxDelay: 3 * time.Second, Backoff: danube.Fixed,
		}))
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		m := c.Take(1)[0]
		for _, ask := range []time.Duration{0, 0, time.Minute} {
			start := time.Now()
			l.Must("nack", c.Nack(l.Soon(), m, ask, ""))
			m = c.Take(1)[0]
			least := 2 * time.Second
			if ask > 0 {
				least = 3 * time.Second
			}
			l.Log("asked for %v: %s", ask, l.Took(start, least, least+10*time.Second))
		}
	}},

	{"short-ack-timeout", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		l.Err("policy", l.Admin().SetFailurePolicy(l.Soon(), topic, "s", danube.FailurePolicy{AckTimeout: 3 * time.Second}))
		c, d := l.Consumer(topic, "s", "c", of(danube.Shared)), l.Consumer(topic, "s", "d", of(danube.Shared))
		start := time.Now()
		p.Send("0")
		l.Log("c gets %s and does nothing", payloads(c.Take(1)))
		l.Log("d gets %s %s", payloads(d.Take(1)), l.Took(start, 3*time.Second, 15*time.Second))
	}},

	{"policy-comes-too-late", OneNode, func(l *Lab) { // T25
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		_, err := l.Admin().FailurePolicy(l.Soon(), topic, "s")
		l.Err("stored before the first consumer", err)
		c := l.Consumer(topic, "s", "c")
		l.policy(topic)
		l.Err("policy", l.Admin().SetFailurePolicy(l.Soon(), topic, "s", danube.FailurePolicy{MaxRedeliveries: danube.NoRedelivery, Poison: danube.Drop}))
		l.policy(topic)
		p.Send("0")
		l.Must("nack", c.Nack(l.Soon(), c.Take(1)[0], 0, ""))
		l.Log("it comes again: %s", payloads(c.Work(1)))
	}},

	{"policy-written-back", OneNode, func(l *Lab) { // 6.9
		topic := l.Topic("a")
		l.Producer(topic, "p")
		l.Consumer(topic, "s", "c", of(danube.Shared))
		l.Err("policy", l.Admin().SetFailurePolicy(l.Soon(), topic, "s", danube.FailurePolicy{MaxRedeliveries: 9}))
		l.policy(topic)
		l.Consumer(topic, "s", "d", of(danube.Shared))
		l.policy(topic)
	}},

	{"policy-refused", OneNode, func(l *Lab) {
		l.Err("no such topic", l.Admin().SetFailurePolicy(l.Soon(), l.Topic("a"), "s", danube.FailurePolicy{}))
		topic := l.Topic("b")
		l.Producer(topic, "p", nonReliable)
		l.Err("not reliable", l.Admin().SetFailurePolicy(l.Soon(), topic, "s", danube.FailurePolicy{}))
	}},
}

func (l *Lab) policy(topic string) {
	p, err := l.Admin().FailurePolicy(l.Soon(), topic, "s")
	l.Must("get policy", err)
	l.Log("stored: %d redeliveries, timeout %v, delay %v to %v, backoff %d, poison %d", p.MaxRedeliveries, p.AckTimeout, p.BaseDelay, p.MaxDelay, p.Backoff, p.Poison)
}
