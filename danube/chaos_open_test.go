package danube_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
	"github.com/danube-messaging/danube-connect-go/internal/tcpproxy"
)

// newChaosRun starts the brokers, each with a proxy in front of it that clients are told
// to go to.
func newChaosRun(t *testing.T) *chaosRun {
	dir := os.Getenv("DANUBE_CHAOS_DIR")
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if dir == "" {
		dir = t.TempDir()
	} else {
		f, err := os.Create(filepath.Join(dir, "client.log"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		log = slog.New(slog.NewTextHandler(f, nil))
	}
	c := &chaosRun{T: t, ledger: newLedger(), always: t.Context(), start0: time.Now(), done: map[string]int{}}
	c.operator = &operator{run: c, tried: map[string]time.Time{}}
	var err error
	c.cluster, err = realbroker.Start(t.Context(), realbroker.Options{Dir: dir, Nodes: 3, Flush: 500 * time.Millisecond,
		Advertise: func(_ int, addr string) (string, error) {
			p, err := tcpproxy.New(addr)
			if err != nil {
				return "", err
			}
			t.Cleanup(p.Close)
			c.proxies = append(c.proxies, p)
			return p.Addr(), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.cluster.Close)
	var admins, metrics []string
	for _, n := range c.cluster.Nodes {
		admins, metrics = append(admins, n.Admin), append(metrics, n.Metrics)
	}
	if c.client, err = danube.Open(danube.Config{Seeds: c.cluster.URLs(), Metrics: metrics, Logger: log}); err != nil {
		t.Fatal(err)
	}
	if c.admin, err = danube.OpenAdmin(danube.AdminConfig{Addresses: admins, Logger: log}); err != nil {
		t.Fatal(err)
	}
	return c
}

// chaosTopics are what the run is about.
var chaosTopics = []struct {
	name              string
	partitions        int
	senders, burst    int
	slow              bool
	subscriptionNames []string
}{
	{name: "plain", senders: 2, burst: 100, subscriptionNames: []string{"one", "two"}},
	{name: "slow", senders: 1, burst: 1000, slow: true, subscriptionNames: []string{"slow"}},
	{name: "parts", partitions: 3, senders: 2, burst: 300, subscriptionNames: []string{"all"}},
	{name: "single", senders: 1, burst: 30, subscriptionNames: []string{"one"}},
}

// open makes the topics, the subscriptions, and then those who publish.
func (c *chaosRun) open() {
	ctx, cancel := context.WithTimeout(c.always, 2*time.Minute)
	defer cancel()
	for _, t := range chaosTopics {
		topic := fmt.Sprintf("/default/%s_%d", t.name, time.Now().UnixNano())
		wires := []string{topic}
		var err error
		if t.partitions == 0 {
			err = c.admin.CreateTopic(ctx, topic, danube.TopicOptions{})
		} else {
			wires = nil
			for i := range t.partitions {
				wires = append(wires, fmt.Sprintf("%s-part-%d", topic, i))
			}
			err = c.admin.CreatePartitionedTopic(ctx, topic, t.partitions, danube.TopicOptions{})
		}
		c.must(err)
		for _, name := range t.subscriptionNames {
			r := &reader{run: c, topic: topic, name: name, slow: t.slow, subs: map[string]*ledgerSub{}}
			for _, wire := range wires {
				r.subs[wire] = c.ledger.sub(wire, name)
			}
			r.con, err = r.open(ctx)
			c.must(err)
			c.readers = append(c.readers, r)
		}
	}
	c.wait(ctx, 2*time.Second) // for producers that are opened after their subscriptions, to the second
	for i, t := range chaosTopics {
		topic := c.topics()[i]
		for n := range t.senders {
			name := fmt.Sprintf("%s%d", t.name, n)
			s := &sender{run: c, name: name, burst: t.burst}
			var err error
			s.p, err = c.client.NewProducer(ctx, danube.ProducerConfig{Topic: topic, Name: name, Stamp: true, MaxPending: 64,
				OnSession: func(e danube.SessionEvent) { c.ledger.producerSession(s.nameOn(e.Partition), e) }})
			c.must(err)
			c.senders = append(c.senders, s)
		}
	}
}

// topics are the topics, in their order.
func (c *chaosRun) topics() (list []string) {
	for _, r := range c.readers {
		if !slices.Contains(list, r.topic) {
			list = append(list, r.topic)
		}
	}
	return list
}
