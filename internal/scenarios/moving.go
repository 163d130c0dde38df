package scenarios

import (
	"fmt"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// move has another node take a topic over, and returns when it has.
func (l *Lab) move(topic string) {
	old := l.Owner(topic)
	l.Must("unload", l.Admin().UnloadTopic(l.Soon(), topic))
	l.Until("another owner", func() bool {
		url, how := l.lookup(old, topic)
		return how == "Redirect" && url != l.on.Seeds()[old]
	})
}

// moving is topics that go from one node to another.
var moving = []Scenario{
	{"move", Cluster, func(l *Lab) { // 17.2
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send(series("old", 22)...)
		list := c.Work(22)
		l.Log("before: %s", offsets(list))
		l.move(topic)
		c.Back()
		p.Send(series("new", 5)...)
		list = c.WorkRest(5 * time.Second)
		l.Log("after: %s at %s", payloads(list), offsets(list))
		c.report()
		l.Log("sessions: consumer %s; producer %s", &c.Sessions, &p.Sessions)
	}},

	{"move-with-unread-messages", Cluster, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send(series("m", 5)...)
		c.Work(5)
		p.Post(100, "unread")
		l.move(topic)
		list := c.WorkRest(8 * time.Second)
		l.Log("after the move: %s", offsets(list))
		c.report()
	}},

	{"move-nothing-acked", Cluster, func(l *Lab) { // T2
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send(series("m", 5)...)
		c.Take(5)
		l.move(topic)
		list := c.Rest(5 * time.Second)
		l.Log("after the move: %s", offsets(list))
		p.Send("new")
		list = c.Rest(3 * time.Second)
		l.Log("then %s at %s", payloads(list), offsets(list))
	}},

	{"move-repairs-a-gap", Cluster, func(l *Lab) { moveAGap(l, true) }}, // 17.2
	{"move-of-a-gap-without-a-cursor", Cluster, func(l *Lab) { moveAGap(l, false) }},

	{"away-after-a-move", Cluster, func(l *Lab) { awayAfterAMove(l, 1000) }}, // a dispatcher that started from its cursor
	{"far-away-after-a-move", Cluster, func(l *Lab) { awayAfterAMove(l, 5000) }},

	{"slow-after-a-move", Cluster, func(l *Lab) { // 17.2
		topic, p, c := l.begun()
		l.move(topic)
		c.Back()
		p.Send("second")
		c.Work(1)
		p.Post(5000, "m")
		l.Log("of 5000: %d", len(c.slowRest()))
	}},

	{"move-of-a-full-window", Cluster, func(l *Lab) {
		topic, p, c := l.begun()
		p.Post(20, "m")
		before := c.Take(10)
		l.Log("in hand: %s", offsets(before))
		l.move(topic)
		l.Pass(10 * time.Second)
		for _, m := range before {
			_ = c.Consumer.Ack(m) // one that the broker has brought again is settled by this, too
		}
		list := c.WorkRest(5 * time.Second)
		l.Log("then: %s", offsets(list))
	}},

	{"move-of-shared", Cluster, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c, d := l.Consumer(topic, "s", "c", of(danube.Shared)), l.Consumer(topic, "s", "d", of(danube.Shared))
		p.Send("0", "1")
		l.Log("%s", sorted(c.Work(1), d.Work(1)))
		l.move(topic)
		l.Pass(8 * time.Second) // both are back
		p.Send(series("new", 4)...)
		a, b := c.WorkRest(3*time.Second), d.WorkRest(3*time.Second)
		l.Log("%d and %d: %s", len(a), len(b), sorted(a, b))
	}},

	{"move-of-partitions", Cluster, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p", partitions(6))
		c := l.Consumer(topic, "s", "c")
		for i := range 6 {
			p.Send(fmt.Sprint(i))
		}
		l.Log("%s", sorted(c.Work(6)))
		for i := range 6 {
			l.move(fmt.Sprintf("%s-part-%d", topic, i))
		}
		l.Pass(10 * time.Second) // the consumer is back everywhere
		for i := range 12 {
			p.Send(fmt.Sprintf("new%02d", i))
		}
		l.Log("%s", sorted(c.WorkRest(10*time.Second)))
	}},

	{"move-of-non-reliable", Cluster, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p", nonReliable)
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		l.Log("%s", payloads(c.Take(1)))
		l.Err("unload", l.Admin().UnloadTopic(l.Soon(), topic))
		l.Pass(20 * time.Second)
		for node := range 3 {
			_, how := l.lookup(node, topic)
			_, err := l.Raw(node).Subscribe(topic, "s", "c", 0)
			l.Err("lookup "+how+", subscribe", err)
		}
		l.Err("publish", p.Try(5*time.Second, &danube.Outgoing{Payload: []byte("1")}))
	}},

	{"move-twice", Cluster, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		for i := range 3 {
			p.Send(series(fmt.Sprint(i, "-"), 4)...)
			list := c.WorkRest(6 * time.Second)
			l.Log("%s at %s", payloads(list), offsets(list))
			if i < 2 {
				l.move(topic)
			}
		}
	}},

	{"move-on-the-wire", Cluster, func(l *Lab) { // 4.4
		topic := l.Topic("a")
		l.Producer(topic, "p")
		old := l.Owner(topic)
		raw := l.Raw(old)
		pid, err := raw.CreateProducer(topic, "x")
		l.Must("create producer", err)
		cid, err := raw.Subscribe(topic, "s", "x", 0)
		l.Must("subscribe", err)
		st := raw.Open(cid)
		l.Must("send", raw.Send(topic, pid, "0"))
		l.Log("%s", ranges(st.Next(1)))
		l.Must("ack", raw.Ack(topic, "s", 0))
		start := time.Now()
		l.Err("unload", l.Admin().UnloadTopic(l.Soon(), topic))
		l.Log("stream: %s", st.End())
		l.Err("send", raw.Send(topic, pid, "1"))
		l.Err("ack", raw.Ack(topic, "s", 0))
		l.Log("receive: %s", raw.Open(cid).End())
		l.Log("health %s %s", raw.Check(0, pid), raw.Check(1, cid))
		l.Owner(topic)
		l.Log("a new owner %s", l.Took(start, 0, 20*time.Second))
		_, how := l.lookup(old, topic)
		l.Log("the old one says: %s", how)
		_, err = raw.CreateProducer(topic, "x")
		l.Err("create producer there", err)
		_, err = raw.Subscribe(topic, "s", "x", 0)
		l.Err("subscribe there", err)
	}},

	{"lookup-in-a-cluster", Cluster, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		p.Send("0")
		owner := l.Owner(topic)
		_, how := l.lookup(owner, topic)
		l.Log("the owner: %s", how)
		for i := 1; i < 3; i++ {
			url, how := l.lookup((owner+i)%3, topic)
			l.Log("another: %s, to the owner %t", how, url == l.on.Seeds()[owner])
		}
	}},
}

// awayAfterAMove publishes n messages while nobody consumes a subscription that was moved,
// whose dispatcher has started from its cursor.
func awayAfterAMove(l *Lab, n int) {
	topic, p, c := l.begun()
	l.move(topic)
	p.Send("second")
	l.Log("%s", payloads(c.WorkRest(5*time.Second)))
	c.Leave()
	p.Post(n, "m")
	c = l.Consumer(topic, "s", "c")
	list := c.WorkRest(5 * time.Second)
	l.Log("of %d: %d, %s", n, len(list), offsets(list))
}

// moveAGap moves a topic whose subscription has skipped messages. Its dispatcher is
// parked then, and stores nothing: what counts is a cursor that was stored before.
func moveAGap(l *Lab, stored bool) {
	topic, p, c := l.begun()
	if stored {
		l.Pass(11 * time.Second)
		p.Send("second")
		c.Work(1)
	}
	c.Pause()
	l.Pass(2 * time.Second)
	p.Post(1000, "m")
	c.Resume()
	list := c.WorkRest(3 * time.Second)
	l.Log("%d came: %s", len(list), offsets(list))
	c.report()
	l.move(topic)
	c.Back()
	list = c.WorkRest(8 * time.Second)
	l.Log("after the move %d came: %s", len(list), offsets(list))
	p.Send("new")
	list = c.WorkRest(5 * time.Second)
	l.Log("with the next message %d came: %s", len(list), offsets(list))
	l.Log("the client says: %s", filled(c))
}

// filled sums up what the client said after a gap was repaired.
func filled(c *Sub) string {
	found, again := 0, 0
	for _, a := range c.Anomalies() {
		n := int(a.To - a.From + 1)
		switch a.Kind {
		case danube.GapFound:
			found += n
		case danube.GapFilled:
			again += n
		}
	}
	return fmt.Sprintf("%d missing, %d of them came after all", found, again)
}
