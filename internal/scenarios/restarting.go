package scenarios

import (
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// outage ends node 0, waits, and starts it again.
func (l *Lab) outage(kill bool, d time.Duration) {
	if kill {
		l.Must("kill", l.on.Kill(0))
	} else {
		l.Must("stop", l.on.Stop(0))
	}
	l.Pass(d)
	l.Must("start", l.on.Start(0))
}

// restarting is one node that stops and starts.
var restarting = []Scenario{
	{"restart-nothing-acked", OwnNode, func(l *Lab) { // T2
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send(series("old", 5)...)
		l.Log("%s", offsets(c.Take(5)))
		l.Pass(7 * time.Second) // they are on disk
		l.outage(false, time.Second)
		c.Back()
		p.Send("new0", "new1")
		list := c.Rest(5 * time.Second)
		l.Log("after the restart: %s at %s", payloads(list), offsets(list))
		c.report()
		l.Log("sessions: consumer %s; producer %s", &c.Sessions, &p.Sessions)
	}},

	{"restart-after-the-cursor", OwnNode, func(l *Lab) { restartAfterCursor(l, false) }}, // T6
	{"kill-after-the-cursor", OwnNode, func(l *Lab) { restartAfterCursor(l, true) }},

	{"restart-of-shared-fs", OwnSharedFS, func(l *Lab) { restartAfterCursor(l, false) }}, // T6: no better

	{"stop-before-the-flush", OwnNode, func(l *Lab) { beforeTheFlush(l, false) }}, // T1: a stop is no better than a kill
	{"kill-before-the-flush", OwnNode, func(l *Lab) { beforeTheFlush(l, true) }},

	{"restart-idle", OwnNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0", "1")
		c.Work(2)
		l.outage(false, time.Second)
		c.Quiet("after the restart", 5*time.Second)
		p.Send("2")
		l.Log("then %s", payloads(c.Rest(5*time.Second)))
		l.Log("sessions: consumer %s; producer %s", &c.Sessions, &p.Sessions)
	}},

	{"publish-while-down", OwnNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		p.Send("before")
		l.Must("stop", l.on.Stop(0))
		l.Err("publish, for a second", p.Try(time.Second, &danube.Outgoing{Payload: []byte("0")}))
		done := make(chan danube.Receipt, 1)
		l.Must("publish", p.SendAsync(l.Soon(), &danube.Outgoing{Payload: []byte("1")}, func(r danube.Receipt, err error) {
			if err == nil {
				done <- r
			}
		}))
		l.Pass(5 * time.Second)
		l.Must("start", l.on.Start(0))
		select {
		case r := <-done:
			l.Log("published at last, ambiguous %t", r.Ambiguous)
		case <-l.Soon().Done():
			l.Stop("not published")
		}
		l.Log("sessions: %s", &p.Sessions)
	}},

	{"open-while-down", OwnNode, func(l *Lab) {
		topic := l.Topic("a")
		l.Must("stop", l.on.Stop(0))
		_, err := l.TryProducer(l.Within(2*time.Second), topic, "p")
		l.Err("producer", err)
		_, err = l.TryConsumer(l.Within(2*time.Second), topic, "s", "c")
		l.Err("consumer", err)
		l.Must("start", l.on.Start(0))
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		l.Log("after the start: %s", payloads(c.Work(1)))
	}},

	{"ids-after-a-restart", OwnNode, func(l *Lab) {
		topic := l.Topic("a")
		l.Producer(topic, "p")
		raw := l.Raw(0)
		pid, err := raw.CreateProducer(topic, "x")
		l.Must("create producer", err)
		cid, err := raw.Subscribe(topic, "s", "x", 0)
		l.Must("subscribe", err)
		st := raw.Open(cid)
		l.outage(false, time.Second)
		l.Log("stream: %s", st.End())
		l.Owner(topic)
		l.Log("health %s %s", raw.Check(0, pid), raw.Check(1, cid))
		l.Err("send", raw.Send(topic, pid, "x"))
		l.Log("receive: %s", raw.Open(cid).End())
		l.Err("ack", raw.Ack(topic, "s", 0))
	}},

	{"parked-then-restarted", OwnNode, func(l *Lab) { // exhausted messages are forgiven
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		l.Must("policy", l.Admin().SetFailurePolicy(l.Soon(), topic, "s", danube.FailurePolicy{MaxRedeliveries: danube.NoRedelivery}))
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		l.Must("nack", c.Nack(l.Soon(), c.Take(1)[0], 0, ""))
		p.Send("1")
		c.Quiet("blocked", 2*time.Second)
		l.outage(false, time.Second)
		c.Back()
		p.Send("2")
		l.Log("after the restart: %s", payloads(c.Rest(5*time.Second)))
	}},
}

// restartAfterCursor restarts a node when the cursor is behind 12 messages and the log
// goes on to 99.
func restartAfterCursor(l *Lab, kill bool) {
	topic := l.Topic("a")
	p := l.Producer(topic, "p")
	c := l.Consumer(topic, "s", "c")
	p.Send(series("old", 11)...)
	c.Work(11)
	l.Pass(11 * time.Second) // the next ack stores the cursor
	p.Send("old11")
	c.Work(1)
	p.Post(88, "more")
	l.Log("acked to 11, and then %s of 99 came", offsets(c.Take(10)))
	l.Pass(7 * time.Second) // they are on disk
	c.Leave()
	l.outage(kill, time.Second)
	c = l.Consumer(topic, "s", "c")
	p.Post(150, "new")
	list := c.WorkRest(5 * time.Second)
	old, fresh := split(list)
	l.Log("old: %d, %s", len(old), edges(old))
	l.Log("new: %d, %s", len(fresh), edges(fresh))
	c.report()
}

// beforeTheFlush restarts a node when its cursor is on disk and some of the messages
// behind it are not: a log is written every 5 s from its beginning on.
func beforeTheFlush(l *Lab, kill bool) {
	topic, p, c := l.begun()
	l.Pass(11 * time.Second) // the next ack stores the cursor
	p.Send("second")
	c.Work(1)
	p.Send(series("written", 5)...)
	l.Pass(5 * time.Second)
	c.Leave()
	p.Send(series("unwritten", 5)...)
	l.outage(kill, time.Second)
	c = l.Consumer(topic, "s", "c")
	p.Post(20, "new")
	old, fresh := split(c.WorkRest(5 * time.Second))
	l.Log("old: %s", edges(old))
	l.Log("new: %s", edges(fresh))
	c.report()
}

// split tells what was published before an outage from what came after.
func split(list []*danube.Message) (old, fresh []*danube.Message) {
	for _, m := range list {
		if len(m.Payload) > 3 && string(m.Payload[:3]) == "new" {
			fresh = append(fresh, m)
		} else {
			old = append(old, m)
		}
	}
	return old, fresh
}

// edges is the first and the last of messages.
func edges(list []*danube.Message) string {
	if len(list) == 0 {
		return "nothing"
	}
	a, b := list[0], list[len(list)-1]
	return string(a.Payload) + " to " + string(b.Payload) + " at " + offsets(list)
}
