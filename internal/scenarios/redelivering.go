package scenarios

import (
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// redelivering is nacks and timeouts.
var redelivering = []Scenario{
	{"nack", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send(series("m", 3)...)
		list := c.Take(3)
		start := time.Now()
		l.Err("nack of 2", c.Nack(l.Soon(), list[2], 0, "because"))
		l.Err("nack again", c.Nack(l.Soon(), list[2], 0, "because"))
		l.Err("ack of it", c.Consumer.Ack(list[2]))
		again := c.Take(1)
		l.Log("%s %s", payloads(again), l.Took(start, 900*time.Millisecond, 10*time.Second))
		c.Ack(list[0], list[1], again[0])
		c.Quiet("then", 2*time.Second)
	}},

	{"nack-with-a-delay", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		start := time.Now()
		l.Err("nack", c.Nack(l.Soon(), c.Take(1)[0], 5*time.Second, ""))
		list := c.Take(1)
		l.Log("%s %s", payloads(list), l.Took(start, 5*time.Second, 15*time.Second))
		start = time.Now()
		l.Err("nack, with less than the broker's own delay", c.Nack(l.Soon(), list[0], time.Millisecond, ""))
		l.Log("%s %s", payloads(c.Work(1)), l.Took(start, 1900*time.Millisecond, 12*time.Second))
	}},

	{"nack-lets-others-pass", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0", "1")
		list := c.Take(2)
		l.Err("nack of 0", c.Nack(l.Soon(), list[0], 0, ""))
		p.Send("2")
		next := c.Take(2)
		l.Log("then %s", payloads(next))
		c.Ack(append(next, list[1])...)
		c.Quiet("then", 2*time.Second)
	}},

	// The client keeps the ack of the highest offset back while a lower one is with the
	// broker, so the trap of the next scenario does not catch it.
	{"nack-then-acks-of-later-ones", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send(series("m", 3)...)
		list := c.Take(3)
		l.Err("nack of 0", c.Nack(l.Soon(), list[0], 0, ""))
		l.Must("ack", c.Consumer.Ack(list[1]))
		l.Must("ack", c.Consumer.Ack(list[2]))
		again := c.Take(1)
		l.Log("again: %s", payloads(again))
		c.Ack(again...)
		c.Leave()
		c = l.Consumer(topic, "s", "c")
		c.Quiet("once more", 2*time.Second)
	}},

	{"parked", OneNode, func(l *Lab) { // T3
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		raw := l.Raw(l.Owner(topic))
		st := raw.Consume(topic, "s", "c", 0)
		p.Send(series("m", 3)...)
		l.Log("%s", ranges(st.Next(3)))
		l.Err("nack of 0", raw.Nack(topic, "s", 0))
		l.Err("acks of 1 and 2", raw.Ack(topic, "s", 1, 2))
		l.Log("in 20 s: %s", ranges(st.Rest(20*time.Second)))
		p.Send("3")
		l.Log("after one more message: %s", ranges(st.Next(2)))
	}},

	{"parked-by-another-consumer", OneNode, func(l *Lab) { // T3, with clients
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c, d := l.Consumer(topic, "s", "c", of(danube.Shared)), l.Consumer(topic, "s", "d", of(danube.Shared))
		p.Send("0", "1")
		list := c.Take(1)
		l.Log("c gets %s", payloads(list))
		l.Log("d gets %s and acknowledges it", payloads(d.Work(1)))
		l.Err("c gives its own back", c.Nack(l.Soon(), list[0], 0, ""))
		c.Quiet("c", 10*time.Second)
		d.Quiet("d", time.Second)
		p.Send("2")
		l.Log("after one more message: %s", sorted(c.Rest(3*time.Second), d.Rest(3*time.Second)))
	}},

	{"ack-timeout", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c, d := l.Consumer(topic, "s", "c", of(danube.Shared)), l.Consumer(topic, "s", "d", of(danube.Shared))
		start := time.Now()
		p.Send("0")
		l.Log("c gets %s and does nothing", payloads(c.Take(1)))
		l.Log("d gets %s %s", payloads(d.Take(1)), l.Took(start, 30*time.Second, 45*time.Second))
		c.Quiet("c", time.Second)
	}},

	{"ack-timeout-of-one-consumer", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		raw := l.Raw(l.Owner(topic))
		st := raw.Consume(topic, "s", "c", 0)
		start := time.Now()
		p.Send("0", "1")
		l.Log("%s", ranges(st.Next(2)))
		l.Log("again: %s, %s", ranges(st.Next(2)), l.Took(start, 30*time.Second, 45*time.Second))
	}},

	// A client hands out once what it gets twice while it works on it.
	{"ack-timeout-while-at-work", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		list := c.Take(1)
		c.Quiet("for longer than the ack timeout", 35*time.Second)
		c.Ack(list...)
		c.Leave()
		c = l.Consumer(topic, "s", "c")
		c.Quiet("again", 2*time.Second)
	}},

	{"nacks-until-blocked", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		m := c.Take(1)[0]
		for _, least := range []time.Duration{1, 2, 4, 8, 16} {
			start := time.Now()
			l.Must("nack", c.Nack(l.Soon(), m, 0, ""))
			m = c.Take(1)[0]
			l.Log("again %s", l.Took(start, least*time.Second-100*time.Millisecond, least*time.Second+8*time.Second))
		}
		l.Must("nack", c.Nack(l.Soon(), m, 0, ""))
		p.Send("1")
		c.Quiet("after six deliveries", 5*time.Second)
		c.Leave()
		c = l.Consumer(topic, "s", "c")
		c.Quiet("on a new stream", 5*time.Second)
		p.Send("2")
		c.Quiet("after one more message", 2*time.Second)
	}},

	// 17.1: a broker looks at what waits to be sent again when something else happens.
	{"nacks-with-traffic", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		raw := l.Raw(l.Owner(topic))
		st := raw.Consume(topic, "s", "c", 0)
		p.Send("0")
		st.Next(1)
		l.Must("nack", raw.Nack(topic, "s", 0))
		for i := 1; i <= 12; i++ {
			l.Pass(500 * time.Millisecond) // no delay ends while one looks
			p.Send("traffic")
			list := st.Rest(4500 * time.Millisecond)
			l.Log("message %d: %s", i, ranges(list))
			for _, offset := range list {
				if offset == 0 {
					l.Must("nack", raw.Nack(topic, "s", 0))
				} else {
					l.Must("ack", raw.Ack(topic, "s", offset))
				}
			}
		}
	}},

	{"nacks-with-traffic-of-a-client", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		l.Must("nack", c.Nack(l.Soon(), c.Take(1)[0], 0, ""))
		for i := 1; i <= 12; i++ {
			l.Pass(500 * time.Millisecond)
			p.Send("traffic")
			list := c.Rest(4500 * time.Millisecond)
			l.Log("message %d: %s", i, offsets(list))
			for _, m := range list {
				if m.Offset == 0 {
					l.Must("nack", c.Nack(l.Soon(), m, 0, ""))
				} else {
					l.Must("ack", c.Consumer.Ack(m))
				}
			}
		}
	}},

	{"takeovers-count-as-deliveries", OneNode, func(l *Lab) { // T15
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		m := c.Take(1)[0]
		for range 5 {
			c = l.Consumer(topic, "s", "c")
			m = c.Take(1)[0]
		}
		l.Must("nack", c.Nack(l.Soon(), m, 0, ""))
		p.Send("1")
		c.Quiet("after six deliveries and one nack", 5*time.Second)
	}},
}
