package scenarios

import (
	"time"
)

// dying is nodes of a cluster that go away.
var dying = []Scenario{
	{"kill-the-owner", OwnCluster, func(l *Lab) { // 17.2
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send(series("old", 11)...)
		c.Work(11)
		l.Pass(11 * time.Second) // the next ack stores the cursor
		p.Send("old11")
		c.Work(1)
		c.Leave()
		p.Post(100, "unread")
		owner := l.Owner(topic)
		start := time.Now()
		l.Must("kill", l.on.Kill(owner))
		other := (owner + 1) % 3
		url, how := l.lookup(other, topic)
		l.Log("a lookup: %s to the dead node %t", how, url == l.on.Seeds()[owner])
		p.Post(50, "new")
		l.Log("published again %s", l.Took(start, 10*time.Second, 90*time.Second))
		c = l.Consumer(topic, "s", "c")
		p.Post(50, "new more")
		old, fresh := split(c.WorkRest(5 * time.Second))
		l.Log("old: %s", edges(old))
		l.Log("new: %s", edges(fresh))
		c.report()
	}},

	{"stop-the-owner", OwnCluster, func(l *Lab) { // as a deployment does
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0", "1")
		c.Work(2)
		owner := l.Owner(topic)
		start := time.Now()
		l.Must("stop", l.on.Stop(owner))
		c.Back()
		l.Log("there is another owner %s", l.Took(start, 10*time.Second, 90*time.Second))
		p.Send("2")
		p.Send("3")
		list := c.WorkRest(12 * time.Second)
		l.Log("%s at %s", payloads(list), offsets(list))
		l.Log("sessions: consumer %s; producer %s", &c.Sessions, &p.Sessions)
		l.Must("start", l.on.Start(owner))
		l.Pass(10 * time.Second)
		p.Send("4")
		l.Log("after it is back: %s", payloads(c.WorkRest(5*time.Second)))
		l.Log("the topic stays where it is: %t", l.Owner(topic) != owner)
	}},

	{"kill-another-node", OwnCluster, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		l.Log("%s", payloads(c.Work(1)))
		l.Must("kill", l.on.Kill((l.Owner(topic)+1)%3))
		p.Send("1", "2")
		l.Log("%s", payloads(c.Work(2)))
		d := l.Consumer(topic, "t", "c")
		p.Send("3")
		l.Log("%s, and for a new subscription %s", payloads(c.Work(1)), payloads(d.Work(1)))
		l.Log("sessions: consumer %s; producer %s", &c.Sessions, &p.Sessions)
	}},
}
