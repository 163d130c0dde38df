package scenarios

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// crowding is many who publish at once. What is lost is a matter of speed, but for what
// is always or never so.
var crowding = []Scenario{
	{"parallel-senders", OneNode, func(l *Lab) { parallelSenders(l, 2000) }}, // T5
	{"parallel-senders-wide-window", WideWindow, func(l *Lab) { parallelSenders(l, 2000) }},

	{"two-producers-four-acks", OneNode, func(l *Lab) { crowd(l, 2, 5000, 4) }}, // 17.5
	{"two-producers-ten-acks", OneNode, func(l *Lab) { crowd(l, 2, 5000, 10) }},
	{"four-producers-four-acks", OneNode, func(l *Lab) { crowd(l, 4, 5000, 4) }},
	{"four-producers-ten-acks", OneNode, func(l *Lab) { crowd(l, 4, 5000, 10) }},
}

// parallelSenders has one producer send from 64 sides, which the client never does.
func parallelSenders(l *Lab, n int) {
	topic := l.Topic("a")
	p, c := l.Producer(topic, "p"), l.Consumer(topic, "s", "c")
	raw := l.Raw(l.Owner(topic))
	id, err := raw.CreateProducer(topic, "raw")
	l.Must("create producer", err)
	next := make(chan int)
	var senders sync.WaitGroup
	for range 64 {
		senders.Go(func() {
			for i := range next {
				_ = raw.Send(topic, id, fmt.Sprint(i))
			}
		})
	}
	go func() {
		defer close(next)
		for i := range n {
			next <- i
		}
	}()
	list := c.WorkRest(5 * time.Second)
	senders.Wait()
	p.Send("the end")
	list = append(list, c.WorkRest(5*time.Second)...)
	c.account(list, n+1, false)
	last, sorted := -1, true
	for _, m := range list[:len(list)-1] {
		i, err := strconv.Atoi(string(m.Payload))
		l.Must("payload", err)
		sorted = sorted && last < i
		last = i
	}
	l.Log("they come in the order in which they were sent: %t", sorted)
}

// crowd has producers publish n messages each as fast as they can, to a consumer that
// does nothing but acknowledge.
func crowd(l *Lab, producers, n, acks int) {
	topic := l.Topic("a")
	pubs := make([]*Pub, producers)
	for i := range pubs {
		pubs[i] = l.Producer(topic, fmt.Sprint("p", i))
	}
	c := l.Consumer(topic, "s", "c", func(c *danube.ConsumerConfig) { c.AcksInFlight = acks })
	for _, p := range pubs {
		go p.post(n)
	}
	list := c.WorkRest(5 * time.Second)
	for _, p := range pubs {
		p.Send("the end") // behind all else that it has published
	}
	list = append(list, c.WorkRest(5*time.Second)...)
	total := producers * (n + 1)
	_, untold := c.missing(list, total)
	l.Log("of %d messages each came or was reported missing: %t", total, untold == 0)
}
