package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// consuming is the window and the acks.
var consuming = []Scenario{
	{"window", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Post(50, "m")
		list := c.Rest(2 * time.Second)
		l.Log("of 50: %s", offsets(list))
		c.Ack(list[:3]...)
		l.Log("after 3 acks: %s", offsets(c.Rest(2*time.Second)))
	}},

	{"wide-window", WideWindow, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Post(50, "m")
		l.Log("of 50: %s", offsets(c.Rest(2*time.Second)))
	}},

	{"window-of-two-consumers", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c, d := l.Consumer(topic, "s", "c", of(danube.Shared)), l.Consumer(topic, "s", "d", of(danube.Shared))
		p.Post(50, "m")
		a, b := c.Rest(2*time.Second), d.Rest(2*time.Second)
		l.Log("of 50: %d and %d, together %s", len(a), len(b), sorted(a, b))
	}},

	{"acks-in-any-order", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		for range 3 {
			p.Send(series("m", 10)...)
			list := c.Take(10)
			l.Log("%s", offsets(list))
			for i := range list {
				l.Must("ack", c.Consumer.Ack(list[(i*7+9)%10]))
			}
		}
		l.Must("flush", c.Flush(l.Soon()))
		c.Leave()
		c = l.Consumer(topic, "s", "c")
		c.Quiet("again", 2*time.Second)
		p.Send("new")
		l.Log("%s", offsets(c.Work(1)))
	}},

	{"acks-from-the-last-one-on", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send(series("m", 5)...)
		list := c.Take(5)
		for i := range list {
			c.Ack(list[4-i])
		}
		c.Leave()
		c = l.Consumer(topic, "s", "c")
		c.Quiet("again", 3*time.Second)
	}},

	{"one-ack-missing", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send(series("m", 5)...)
		list := c.Take(5)
		c.Ack(list[0], list[1], list[3], list[4])
		c.Leave()
		c = l.Consumer(topic, "s", "c")
		l.Log("again: %s", offsets(c.WorkRest(2*time.Second)))
	}},

	{"ack-twice", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		m := c.Take(1)[0]
		l.Err("ack", c.Consumer.Ack(m))
		l.Err("ack again", c.Consumer.Ack(m))
		l.Must("flush", c.Flush(l.Soon()))
		l.Err("the broker, once more", l.Raw(l.Owner(topic)).Ack(topic, "s", m.Offset))
		l.Err("the broker, an offset that is not there", l.Raw(l.Owner(topic)).Ack(topic, "s", 77))
		c.Quiet("then", time.Second)
	}},

	// Bursts that just fill the window, each followed by quiet: nothing that was acked
	// comes again, whoever consumes next.
	{"bursts-and-quiet", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		quiet := 20 * time.Millisecond
		if l.virtual() {
			quiet = time.Second // the broker looks at its subscriptions twice in it
		}
		for i := range 1000 {
			p.Send(series(fmt.Sprint(i, "-"), 10)...)
			c.Work(10)
			if i%100 != 99 {
				l.Pass(quiet)
				continue
			}
			l.Pass(2 * time.Second)
			c.Leave()
			c = l.Consumer(topic, "s", "c")
			c.Quiet(fmt.Sprintf("again, after %d bursts", i+1), time.Second)
		}
		p.Send("new")
		l.Log("%s", offsets(c.Work(1)))
	}},

	{"handler", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		got := make(chan *danube.Message, 100)
		c := l.Consumer(topic, "s", "c", func(c *danube.ConsumerConfig) { c.Handler = func(m *danube.Message) { got <- m } })
		p.Send(series("m", 20)...)
		var list []*danube.Message
		for range 20 {
			select {
			case m := <-got:
				l.Must("ack", c.Consumer.Ack(m))
				list = append(list, m)
			case <-l.Soon().Done():
				l.Stop("only %s came", offsets(list))
			}
		}
		l.Log("%s", offsets(list))
		l.Err("receive", func() error { _, err := c.Receive(l.ctx); return err }())
	}},

	{"late-acks", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send(series("m", 5)...)
		l.Log("%s", offsets(c.Take(5)))
		c.Leave()
		l.Err("acks after the stream has ended", l.Raw(l.Owner(topic)).Ack(topic, "s", 0, 1, 2, 3, 4))
		c = l.Consumer(topic, "s", "c")
		l.Log("again: %s", offsets(c.WorkRest(2*time.Second)))
		c.Leave()
		c = l.Consumer(topic, "s", "c")
		c.Quiet("once more", 2*time.Second)
	}},

	{"no-stream", OneNode, func(l *Lab) { // T7
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		raw := l.Raw(l.Owner(topic))
		id, err := raw.Subscribe(topic, "s", "c", 0)
		l.Must("subscribe", err)
		for n := 1; n <= 100; n++ {
			if err := p.Try(5*time.Second, &danube.Outgoing{Payload: []byte("x")}); err != nil {
				l.Err(fmt.Sprint("message ", n), err)
				break
			}
		}
		_, err = l.TryConsumer(l.Within(5*time.Second), topic, "s", "c")
		l.Log("another consumer of the name gave up: %t", errors.Is(err, context.DeadlineExceeded))
		l.Pass(time.Second) // the broker has heard that it gave up
		st := raw.Open(id)
		l.Log("with a stream: %s", ranges(st.Next(10)))
		l.Err("ack", raw.Ack(topic, "s", 0))
		l.Log("then: %s", ranges(st.Next(1)))
		l.Err("publish", p.Try(time.Minute, &danube.Outgoing{Payload: []byte("new")}))
	}},
}
