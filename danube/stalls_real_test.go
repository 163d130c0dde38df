package danube_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
)

// watching makes a client look at the metrics of real brokers often.
func watching(metrics ...string) func(*danube.Config) {
	return func(cfg *danube.Config) {
		cfg.Metrics, cfg.MetricsInterval, cfg.StallAfter = metrics, time.Second, 5*time.Second
	}
}

// A topic that has moved goes silent for good when more comes at once than its consumer
// takes: everything that is missing then is inside a stall that was reported, and once
// the topic moves again it comes.
func TestRealStallAfterMove(t *testing.T) {
	if _, ok := realbroker.Binary(); !ok {
		t.Skipf("%s is not set: no brokers of its own to move a topic between", realbroker.Env)
	}
	c, err := realbroker.Start(t.Context(), realbroker.Options{Dir: t.TempDir(), Nodes: 3, Cache: 500})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l := &lab{T: t, url: c.Nodes[0].URL}
	admin, err := danube.OpenAdmin(danube.AdminConfig{Addresses: []string{c.Nodes[0].Admin, c.Nodes[1].Admin, c.Nodes[2].Admin}})
	l.must(err)
	defer admin.Close(t.Context())
	metrics, err := admin.MetricsAddresses(l.soon())
	l.must(err)
	client := l.open(watching(metrics...), func(cfg *danube.Config) { cfg.Seeds = c.URLs() })

	topic := l.topic()
	var seen anomalies
	var mu sync.Mutex
	got := map[string]bool{}
	ready := make(chan struct{})
	var con *danube.Consumer
	con, err = client.NewConsumer(l.within(time.Minute), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c", CreateTopic: true, OnAnomaly: seen.add,
		Handler: func(m *danube.Message) {
			<-ready
			<-time.After(2 * time.Millisecond)
			mu.Lock()
			got[string(m.Payload)] = true
			mu.Unlock()
			_ = con.Ack(m)
		}})
	l.must(err)
	close(ready)
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(got)
	}
	p, err := client.NewProducer(l.within(time.Minute), danube.ProducerConfig{Topic: topic, Name: "p"})
	l.must(err)
	l.send(p, series("before", 20)...)
	l.pass(12 * time.Second) // the cursor is stored every ten seconds
	l.send(p, series("more", 20)...)
	l.pass(time.Second)
	l.must(admin.UnloadTopic(l.within(time.Minute), topic))
	l.pass(10 * time.Second)

	const n = 5000
	for i := range n {
		if _, err := p.Send(l.within(time.Minute), &danube.Outgoing{Payload: fmt.Append(nil, "after-", i)}); err != nil {
			t.Fatal(err)
		}
	}
	for last := -1; last != count(); l.pass(12 * time.Second) {
		last = count()
	}
	told := seen.took()
	t.Logf("%d of %d came before the topic moved again; %q", count()-40, n, told)
	if count()-40 < n && len(told) == 0 {
		t.Error("the silence was not reported")
	}
	l.must(admin.UnloadTopic(l.within(time.Minute), topic))
	for last := -1; last != count(); l.pass(12 * time.Second) {
		last = count()
	}
	t.Logf("%d of %d after; %q", count()-40, n, seen.took())
}

// After a restart the broker hides new messages below the subscription's old position.
func TestRealStallAfterRestart(t *testing.T) {
	if _, ok := realbroker.Binary(); !ok {
		t.Skipf("%s is not set: no broker of its own to restart", realbroker.Env)
	}
	c, err := realbroker.Start(t.Context(), realbroker.Options{Dir: t.TempDir(), Flush: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l := &lab{T: t, url: c.Nodes[0].URL}
	client := l.open(watching(c.Nodes[0].Metrics))
	topic := l.topic()
	var seen anomalies
	con, err := client.NewConsumer(l.within(time.Minute), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c", CreateTopic: true, OnAnomaly: seen.add})
	l.must(err)
	p, err := client.NewProducer(l.within(time.Minute), danube.ProducerConfig{Topic: topic, Name: "p"})
	l.must(err)
	l.send(p, series("old", 30)...)
	for _, s := range series("old", 30) {
		l.ack(con, l.receive(con, s)...)
	}
	l.pass(11 * time.Second)
	l.send(p, "last")
	l.ack(con, l.receive(con, "last")...)
	c.Nodes[0].Kill()
	l.must(c.Nodes[0].Start())
	for _, s := range series("new", 5) {
		if _, err := p.Send(l.within(time.Minute), &danube.Outgoing{Payload: []byte(s)}); err != nil {
			t.Fatal(err)
		}
	}
	came := map[string]bool{}
	drain := func() {
		for {
			m, err := con.Receive(l.within(12 * time.Second))
			if err != nil {
				return
			}
			came[string(m.Payload)] = true
			l.must(con.Ack(m))
		}
	}
	drain()
	told := seen.took()
	t.Logf("%d of 5 came: %q", len(came), told)
	if len(came) < 5 && len(told) == 0 {
		t.Error("the silence was not reported")
	}
	for _, s := range series("newer", 60) {
		l.send(p, s)
	}
	drain()
	told = seen.took()
	t.Logf("%d of 65 came: %q", len(came), told)
	if !came["newer-59"] {
		t.Error("the newest message did not come")
	}
}

// What was skipped stays in the broker's lag for ever; it is a gap, told as such, and no
// stall.
func TestRealGapIsNoStall(t *testing.T) {
	metrics := os.Getenv("DANUBE_METRICS_URL")
	if metrics == "" {
		t.Skip("DANUBE_METRICS_URL is not set: not run against a real broker")
	}
	onReal(t, func(l *lab) {
		var seen anomalies
		topic, client := l.topic(), l.open(watching(metrics))
		var con *danube.Consumer
		ready, last := make(chan struct{}), make(chan struct{})
		con = l.consumer(client, topic, func(c *danube.ConsumerConfig) {
			c.OnAnomaly = seen.add
			c.Handler = func(m *danube.Message) {
				<-ready
				<-time.After(3 * time.Millisecond)
				_ = con.Ack(m)
				if string(m.Payload) == "m-2999" {
					close(last)
				}
			}
		})
		close(ready)
		l.post(l.producer(client, topic), series("m", 3000)...)
		select {
		case <-last:
		case <-l.within(time.Minute).Done():
			l.Fatal("the last message did not come")
		}
		l.pass(15 * time.Second)
		told := seen.took()
		for _, s := range told {
			if strings.Contains(s, "delivers none") {
				l.Error("a stall was reported")
			}
		}
		l.Logf("%d gaps, the last: %q", len(told), told[max(0, len(told)-1):])
	})
}
