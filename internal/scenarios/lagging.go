package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// lagging is what a broker skips, and what the client says about it.
var lagging = []Scenario{
	{"away-for-200", OneNode, func(l *Lab) { away(l, 200) }},
	{"away-for-1000", OneNode, func(l *Lab) { away(l, 1000) }},
	{"away-for-5000", OneNode, func(l *Lab) { away(l, 5000) }},
	{"away-for-1000-wide-window", WideWindow, func(l *Lab) { away(l, 1000) }},

	{"paused-for-1000", OneNode, func(l *Lab) {
		_, p, c := l.begun()
		c.Pause()
		l.Pass(2 * time.Second)
		p.Post(1000, "m")
		c.Resume()
		list := c.WorkRest(3 * time.Second)
		l.Log("%s came, %d of them", offsets(list), len(list))
		c.report()
	}},

	{"slow-consumer", OneNode, func(l *Lab) { slow(l, 3000) }},                // T4
	{"slow-consumer-wide-window", WideWindow, func(l *Lab) { slow(l, 3000) }}, // 17.1

	{"publisher-at-most-128-ahead", OneNode, func(l *Lab) { // 17.5, without a race
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		var list []*danube.Message
		for i := range 25 {
			p.Post(120, fmt.Sprint(i, "-"))
			list = append(list, c.Work(120)...)
		}
		l.Log("of 3000: %s", offsets(list))
		c.report()
	}},

	{"two-producers-at-full-speed", OneNode, func(l *Lab) { // 17.5: how many are lost is chance
		topic := l.Topic("a")
		p, q := l.Producer(topic, "p"), l.Producer(topic, "q")
		c := l.Consumer(topic, "s", "c", func(c *danube.ConsumerConfig) { c.AcksInFlight = 1 })
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 2000 {
				if q.Try(time.Minute, &danube.Outgoing{Payload: fmt.Append(nil, "q", i)}) != nil {
					return
				}
			}
		}()
		go p.post(2000)
		list := c.WorkRest(5 * time.Second)
		<-done
		p.Send("the end")
		list = append(list, c.WorkRest(5*time.Second)...)
		c.account(list, 4001, false) // T5: their order is chance, too
	}},
}

// post publishes without a word about what became of it.
func (p *Pub) post(n int) {
	for i := range n {
		_ = p.SendAsync(p.l.ctx, &danube.Outgoing{Payload: fmt.Append(nil, "p", i)}, func(danube.Receipt, error) {})
	}
}

// away publishes n messages while the consumer is not there.
func away(l *Lab, n int) {
	topic, p, c := l.begun()
	c.Leave()
	p.Post(n, "m")
	c = l.Consumer(topic, "s", "c")
	list := c.WorkRest(3 * time.Second)
	l.Log("%d messages: %s came, %d of them", n, offsets(list), len(list))
	p.Send("new")
	l.Log("then %s", payloads(c.Work(1)))
}

// slow publishes n messages at full speed to a consumer that needs 2 ms for each.
func slow(l *Lab, n int) {
	topic := l.Topic("a")
	p := l.Producer(topic, "p")
	c := l.Consumer(topic, "s", "c")
	go p.post(n)
	list := c.slowRest()
	p.Send("the end")
	list = append(list, c.WorkRest(5*time.Second)...)
	c.account(list, n+1, true)
}

// account says whether everything that did not come is inside what the client reported,
// where all n messages were published and the last one has come, and with order whether
// the offsets of those that came only rise.
func (c *Sub) account(list []*danube.Message, n int, order bool) {
	what := "all came"
	lost, untold := c.missing(list, n)
	if lost > 0 {
		what = "some were lost"
	}
	c.l.Log("of %d messages %s, each came or was reported missing: %t", n, what, untold == 0)
	if order {
		rising := slices.IsSortedFunc(list, func(a, b *danube.Message) int { return cmp.Compare(a.Offset, b.Offset) })
		c.l.Log("offsets only rise: %t", rising)
	}
}

// missing counts which of n messages did not come, and about which of these the client
// said nothing.
func (c *Sub) missing(list []*danube.Message, n int) (lost, untold int) {
	missing := make(map[uint64]bool)
	for i := range n {
		missing[uint64(i)] = true
	}
	for _, m := range list {
		delete(missing, m.Offset)
	}
	lost = len(missing)
	for _, a := range c.Anomalies() {
		for o := a.From; a.Kind == danube.GapFound && o <= a.To; o++ {
			delete(missing, o)
		}
	}
	return lost, len(missing)
}

// report writes what the client said about losses.
func (c *Sub) report() {
	list := c.Anomalies()
	if len(list) == 0 {
		c.l.Log("no loss reported")
	}
	for i := 0; i < len(list); i++ {
		a := list[i]
		for ; a.Kind == danube.GapFilled && i+1 < len(list) && list[i+1].Kind == danube.GapFilled && list[i+1].From == a.To+1; i++ {
			a.To = list[i+1].To // they come one by one
		}
		c.l.Log("reported: %v", a)
	}
}

func nonReliable(c *danube.ProducerConfig) { c.Dispatch = danube.NonReliable }

// loose is topics that are not reliable.
var loose = []Scenario{
	{"non-reliable", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p", nonReliable)
		p.Send("nobody is there")
		c := l.Consumer(topic, "s", "c")
		for range 3 {
			p.Send("x")
			m := c.Take(1)[0]
			l.Log("%s at %d", m.Payload, m.Offset)
		}
		c.Leave()
		p.Send("nobody is there")
		c = l.Consumer(topic, "s", "c")
		c.Quiet("again", 2*time.Second)
		p.Send("y")
		l.Log("%s", payloads(c.Take(1)))
	}},

	{"non-reliable-acks-and-nacks", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p", nonReliable)
		c := l.Consumer(topic, "s", "c")
		p.Send("x")
		c.Take(1)
		raw := l.Raw(l.Owner(topic))
		l.Err("nack", raw.Nack(topic, "s", 0))
		l.Err("ack", raw.Ack(topic, "s", 0))
		l.Err("ack in another subscription", raw.Ack(topic, "t", 0))
		c.Quiet("then", 3*time.Second)
	}},

	{"non-reliable-window", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p", nonReliable)
		c := l.Consumer(topic, "s", "c")
		for i := range 30 { // no window: without acks all come, unless they come at once
			p.Send(fmt.Sprint(i))
			if got := payloads(c.Take(1)); got != fmt.Sprint(i) {
				l.Log("%d: %s", i, got)
			}
		}
		l.Log("30 messages came without an ack")
	}},

	{"non-reliable-burst", OneNode, func(l *Lab) { // T34: how many are lost is chance
		topic := l.Topic("a")
		p := l.Producer(topic, "p", nonReliable)
		id, err := l.Raw(l.Owner(topic)).Subscribe(topic, "s", "c", 0)
		l.Must("subscribe", err)
		p.Post(100, "m") // to a consumer that has no stream yet
		st := l.Raw(l.Owner(topic)).Open(id)
		got := st.Rest(2 * time.Second)
		l.Log("of 100: %d", len(got))
	}},

	{"non-reliable-shared", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p", nonReliable)
		c, d := l.Consumer(topic, "s", "c", of(danube.Shared)), l.Consumer(topic, "s", "d", of(danube.Shared))
		for i := range 6 {
			p.Send(fmt.Sprint(i))
			l.Pass(20 * time.Millisecond)
		}
		l.Log("c gets %s, d gets %s", payloads(c.Take(3)), payloads(d.Take(3)))
	}},

	{"non-reliable-reaper", OneNode, func(l *Lab) { // 6.10
		topic := l.Topic("a")
		p := l.Producer(topic, "p", nonReliable)
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		c.Take(1)
		c.Leave()
		p.Send("1") // the broker notices that nobody is there
		_, err := l.TryConsumer(l.Within(2*time.Second), topic, "s", "d")
		l.Err("another name", err)
		l.Pass(100 * time.Second)
		_, err = l.TryConsumer(l.Within(5*time.Second), topic, "s", "d")
		l.Err("another name, after 100 s", err)
	}},
}
