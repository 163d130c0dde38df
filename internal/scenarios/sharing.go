package scenarios

import (
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// sharing is several consumers of one subscription.
var sharing = []Scenario{
	{"shared", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c, d := l.Consumer(topic, "s", "c", of(danube.Shared)), l.Consumer(topic, "s", "d", of(danube.Shared))
		p.Send(series("", 8)...)
		l.Log("c gets %s, d gets %s", payloads(c.Take(4)), payloads(d.Take(4)))
	}},

	{"shared-one-leaves", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c, d := l.Consumer(topic, "s", "c", of(danube.Shared)), l.Consumer(topic, "s", "d", of(danube.Shared))
		p.Send(series("", 8)...)
		l.Log("c gets %s, d gets %s", payloads(c.Take(4)), payloads(d.Take(4)))
		start := time.Now()
		_ = c.Close(l.Soon())
		l.Log("c leaves: d gets %s, %s", sorted(d.Take(4)), l.Took(start, 0, 10*time.Second))
	}},

	{"shared-one-comes", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c", of(danube.Shared))
		p.Send("0", "1")
		l.Log("c gets %s", payloads(c.Work(2)))
		d := l.Consumer(topic, "s", "d", of(danube.Exclusive)) // its type does not matter any more
		p.Send(series("new", 4)...)
		a, b := c.Rest(2*time.Second), d.Rest(2*time.Second)
		l.Log("then %d and %d: %s", len(a), len(b), sorted(a, b))
	}},

	{"shared-three", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		var subs []*Sub
		for _, name := range []string{"c", "d", "e"} {
			subs = append(subs, l.Consumer(topic, "s", name, of(danube.Shared)))
		}
		p.Send(series("", 9)...)
		for _, c := range subs {
			l.Log("%s", payloads(c.Take(3)))
		}
	}},

	{"shared-none-is-there", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c", of(danube.Shared))
		p.Send("0")
		c.Take(1)
		c.Leave()
		p.Send("1", "2")
		d := l.Consumer(topic, "s", "d", of(danube.Shared))
		l.Log("another one gets %s", sorted(d.WorkRest(3*time.Second)))
	}},

	{"shared-two-of-one-name", OneNode, func(l *Lab) { // T20
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c", of(danube.Shared))
		d := l.Consumer(topic, "s", "c", of(danube.Shared))
		c.Quiet("the first", 5*time.Second)
		p.Send("0", "1")
		l.Log("the second gets %s", payloads(d.Work(2)))
	}},

	{"failover", OneNode, func(l *Lab) { // T10
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		a, b := l.Consumer(topic, "s", "a", of(danube.Failover)), l.Consumer(topic, "s", "b", of(danube.Failover))
		p.Send("0", "1")
		l.Log("a gets %s", payloads(a.Work(2)))
		b.Quiet("b", 2*time.Second)
		a.Leave()
		p.Send("2")
		b.Quiet("a has left: b", 5*time.Second)
		a = l.Consumer(topic, "s", "a", of(danube.Failover))
		l.Log("a is back: %s", payloads(a.Work(1)))
	}},

	{"types-are-fixed-by-the-first", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		a := l.Consumer(topic, "s", "a", of(danube.Failover))
		b := l.Consumer(topic, "s", "b", of(danube.Shared))
		p.Send("0", "1")
		l.Log("a gets %s", payloads(a.Work(2)))
		b.Quiet("b", 2*time.Second)
	}},
}

// keyed is KeyShared.
var keyed = []Scenario{
	{"keyshared", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		subs := []*Sub{l.Consumer(topic, "s", "c", of(danube.KeyShared)), l.Consumer(topic, "s", "d", of(danube.KeyShared))}
		owner := map[string]int{}
		inOrder := true
		var list []*danube.Message
		for round := range 3 {
			for _, key := range []string{"k0", "k1", "k2", "k3"} {
				p.Message(&danube.Outgoing{Payload: []byte(key), Key: key, Attributes: map[string]string{"round": string(rune('0' + round))}})
			}
			for i, c := range subs { // what is acknowledged late, the broker brings late
				for _, m := range c.WorkRest(4 * time.Second) {
					if had, ok := owner[m.Key]; ok && had != i {
						inOrder = false
					}
					owner[m.Key] = i
					list = append(list, m)
				}
			}
		}
		l.Log("%s", sorted(list))
		l.Log("each key came to one consumer: %t", inOrder)
	}},

	{"keyshared-one-of-a-key", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c", of(danube.KeyShared))
		for _, key := range []string{"a", "a", "b"} {
			p.Message(&danube.Outgoing{Payload: []byte(key), Key: key})
		}
		list := c.Rest(3 * time.Second)
		l.Log("first %s", offsets(list))
		c.Ack(list...)
		list = c.Rest(5 * time.Second)
		l.Log("then %s", offsets(list))
	}},

	{"keyshared-pace", OneNode, func(l *Lab) { // T11
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c", of(danube.KeyShared))
		for i := range 60 {
			key := string(rune('a' + i%20))
			p.Message(&danube.Outgoing{Payload: []byte(key), Key: key})
		}
		start := time.Now()
		c.Work(60)
		l.Log("60 messages of 20 keys, the last one %s", l.Took(start, 10*time.Second, 45*time.Second))
	}},

	{"keyshared-name-is-dead", OneNode, func(l *Lab) { // T11
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		raw := l.Raw(l.Owner(topic))
		id, err := raw.Subscribe(topic, "s", "c", 3)
		l.Must("subscribe", err)
		st := raw.Open(id)
		p.Message(&danube.Outgoing{Payload: []byte("0"), Key: "k"})
		l.Log("%s", ranges(st.Next(1)))
		l.Err("ack", raw.Ack(topic, "s", 0))
		st.cancel()
		l.Pass(6 * time.Second)
		again, err := raw.Subscribe(topic, "s", "c", 3)
		l.Must("subscribe", err)
		l.Log("the same id: %t", id == again)
		st = raw.Open(again)
		for i := range 5 {
			p.Message(&danube.Outgoing{Payload: []byte{byte('1' + i)}, Key: "k"})
		}
		l.Log("health %s, and %s in 10 s", raw.Check(1, again), ranges(st.Rest(10*time.Second)))
	}},

	{"keyshared-comes-back", OneNode, func(l *Lab) { // the client takes a fresh name
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c", of(danube.KeyShared))
		p.Message(&danube.Outgoing{Payload: []byte("0"), Key: "k"})
		l.Log("%s", payloads(c.Work(1)))
		c.Leave()
		l.Pass(4 * time.Second)
		c = l.Consumer(topic, "s", "c", of(danube.KeyShared))
		for _, s := range []string{"1", "2", "3"} {
			p.Message(&danube.Outgoing{Payload: []byte(s), Key: "k"})
			l.Log("%s", payloads(c.Work(1)))
		}
	}},

	{"keyshared-filters", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		raw := l.Raw(l.Owner(topic))
		open := func(name string, filters ...string) *Stream { return raw.Consume(topic, "s", name, 3, filters...) }
		eu, us := open("eu", "eu-*"), open("us", "us-?", "c*")
		for _, key := range []string{"eu-1", "us-1", "us-10", "ca", "eu-2", "EU-1"} {
			p.Message(&danube.Outgoing{Key: key})
		}
		l.Log("eu-* gets %s, us-? and c* get %s", ranges(eu.Next(2)), ranges(us.Next(2)))
		l.Log("then %s, %s", ranges(eu.Rest(time.Second)), ranges(us.Rest(time.Second)))
	}},
}
