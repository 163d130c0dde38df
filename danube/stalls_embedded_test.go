package danube_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// metrics has a client look at the metrics of the lab's broker.
func (l *lab) metrics(via http.RoundTripper) func(*danube.Config) {
	return func(c *danube.Config) {
		c.Metrics, c.MetricsClient = l.broker.MetricsURLs(), &http.Client{Transport: via}
	}
}

// A subscription that was loaded again and then fell behind goes silent until its topic
// is loaded once more; the metrics of the broker show it.
func TestStallOnABrokerThatLags(t *testing.T) {
	for _, typ := range []danube.SubscriptionType{danube.Exclusive, danube.Shared, danube.Failover} {
		t.Run(typ.String(), func(t *testing.T) { stallOnABrokerThatLags(t, typ) })
	}
}

func stallOnABrokerThatLags(t *testing.T, typ danube.SubscriptionType) {
	embedded(t, func(l *lab) {
		var seen anomalies
		topic := l.topic()
		client := l.open(l.metrics(l.broker.MetricsTransport()))
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.Type, c.OnAnomaly, c.MaxQueued = typ, seen.add, 5 })
		p := l.producer(client, topic)
		for _, s := range series("before", 30) {
			l.send(p, s)
			l.ack(con, l.receive(con, s)...)
			l.pass(time.Second)
		}
		l.broker.Stop()
		l.must(l.broker.Start())
		l.pass(20 * time.Second)

		const n = 4000
		l.post(p, series("after", n)...)
		l.pass(time.Minute)
		got := 0
		for {
			m, err := con.Receive(l.within(10 * time.Second))
			if err != nil {
				break
			}
			l.must(con.Ack(m))
			got++
		}
		if told := seen.took(); len(told) > 0 {
			t.Errorf("after 10 s of silence: %q", told)
		}
		l.pass(5 * time.Second) // so that a look has seen the silence before there is more
		l.post(p, "more")       // where others may have skipped some, only what is new shows a stall
		l.pass(2 * time.Minute)
		told := seen.took()
		t.Logf("%d of %d came: %q", got, n, told)
		if got == n || len(told) != 1 {
			t.Errorf("%d of %d came, and %q was told", got, n, told)
		}
	}, danubetest.WithTraps(danubetest.TrapCursor, danubetest.TrapLag))
}

// After a restart a broker brings an old message for each one that is published, and the
// new ones not at all until it has no old ones any more: that is told, although
// something comes, also where the consumer is not the one that got the old ones.
func TestStallBehindOldMessages(t *testing.T) {
	for name, reopen := range map[string]bool{"one consumer": false, "two, one after the other": true} {
		t.Run(name, func(t *testing.T) { stallBehindOldMessages(t, reopen) })
	}
}

func stallBehindOldMessages(t *testing.T, reopen bool) {
	embedded(t, func(l *lab) {
		var seen anomalies
		topic := l.topic()
		client := l.open(l.metrics(l.broker.MetricsTransport()))
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add })
		p := l.producer(client, topic)
		for _, s := range series("before", 30) {
			l.send(p, s)
			l.ack(con, l.receive(con, s)...)
			l.pass(time.Second)
		}
		l.pass(15 * time.Second) // the broker stores how far it is
		for _, s := range series("old", 30) {
			l.send(p, s)
			l.ack(con, l.receive(con, s)...)
		}
		l.broker.Stop()
		l.must(l.broker.Start())
		l.pass(20 * time.Second)
		if reopen {
			l.must(con.Close(l.soon()))
			con = l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add })
		}

		l.send(p, series("hidden", 35)...) // at the offsets that the subscription is done with
		came := map[string]int{}           // by the first word
		told := ""
		for i := range 60 {
			l.send(p, fmt.Sprintf("new-%d", i))
			for {
				m, err := con.Receive(l.within(5 * time.Second))
				if err != nil {
					break
				}
				word, _, _ := strings.Cut(string(m.Payload), "-")
				if word == "new" && came["new"] == 0 {
					told = strings.Join(seen.took(), "; ") + "; "
				}
				came[word]++
				l.must(con.Ack(m))
			}
		}
		t.Logf("%v came; before the first new one: %s", came, told)
		if came["new"] == 0 || !strings.Contains(told, "delivers none") || strings.Count(told, "silence is over") != 1 {
			t.Errorf("%v came; before the first new one was told: %q", came, told)
		}
	}, danubetest.WithTraps(danubetest.TrapCursor, danubetest.TrapRenumber, danubetest.TrapParked))
}

// busyTransport publishes and receives a message while the metrics are fetched, as happens
// on any busy topic.
type busyTransport struct {
	http.RoundTripper
	on   atomic.Bool
	come func()
}

func (t *busyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.on.Load() {
		t.come()
	}
	return t.RoundTripper.RoundTrip(r)
}

// No look finds the topic quiet before its broker restarts.
func TestStallBehindOldMessagesOnABusyTopic(t *testing.T) {
	embedded(t, func(l *lab) {
		var seen anomalies
		topic := l.topic()
		transport := &busyTransport{RoundTripper: l.broker.MetricsTransport()}
		client := l.open(l.metrics(transport))
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add })
		p := l.producer(client, topic)
		n := 0
		transport.come = func() {
			n++
			if _, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte("old")}); err != nil {
				t.Error(err)
			}
			m, err := con.Receive(l.soon())
			if err != nil || con.Ack(m) != nil {
				t.Error(err)
			}
		}
		l.pass(time.Minute)
		transport.on.Store(true)
		l.pass(10 * time.Minute)
		transport.on.Store(false)
		for range 20 {
			transport.come()
		}
		l.broker.Stop()
		l.must(l.broker.Start())
		l.pass(20 * time.Second)
		l.send(p, series("hidden", n-20)...) // at the offsets that the subscription is done with
		for i := 0; ; i++ {
			if i == 40 {
				t.Fatal("nothing new came")
			}
			l.send(p, "new")
			m, err := con.Receive(l.within(5 * time.Second))
			if err == nil {
				l.must(con.Ack(m))
				if string(m.Payload) == "new" {
					break
				}
			}
		}
		if told := strings.Join(seen.took(), "; "); !strings.Contains(told, "delivers none") {
			t.Errorf("told of %q, want a stall", told)
		}
	}, danubetest.WithTraps(danubetest.TrapCursor, danubetest.TrapRenumber, danubetest.TrapParked))
}
