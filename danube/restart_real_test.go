package danube_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
)

// node is a real broker of this test's own, which it may stop, kill and start.
type node struct {
	*lab
	*realbroker.Node
}

// ownBroker starts a broker, one node with its data in a directory of the test.
func ownBroker(t *testing.T) *node {
	if _, ok := realbroker.Binary(); !ok {
		t.Skipf("%s is not set: no broker of its own to restart", realbroker.Env)
	}
	c, err := realbroker.Start(t.Context(), realbroker.Options{Dir: t.TempDir(), Flush: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &node{lab: &lab{T: t, url: c.Nodes[0].URL}, Node: c.Nodes[0]}
}

// A one-node cluster that restarts numbers its topics from 0 again, and brings old
// messages in place of new ones. The client cannot change that. What it promises
// holds: sends succeed, nothing that was acknowledged is handed out again, and in the
// end new messages come.
func TestRealRestart(t *testing.T) {
	for how, stop := range map[string]func(*realbroker.Node){"stopped": (*realbroker.Node).Stop, "killed": (*realbroker.Node).Kill} {
		t.Run(how, func(t *testing.T) {
			n := ownBroker(t)
			var events sessions
			topic, client := n.topic(), n.open()
			open := n.within(time.Minute)
			con, err := client.NewConsumer(open, danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c", CreateTopic: true, OnSession: events.add})
			n.must(err)
			p, err := client.NewProducer(open, danube.ProducerConfig{Topic: topic, Name: "p"})
			n.must(err)

			const before, after = 60, 150
			n.post(p, series("old", before/2)...)
			for _, s := range series("old", before/2) {
				n.must(con.Ack(n.receive(con, s)[0]))
			}
			n.pass(11 * time.Second) // the broker stores how far a subscription is every ten seconds
			n.post(p, series("more", before/2)...)
			acked := map[danube.ID]bool{}
			for _, s := range series("more", before/2) {
				m := n.receive(con, s)[0]
				n.must(con.Ack(m))
				acked[m.ID()] = true
			}
			n.must(con.Flush(n.soon()))

			stop(n.Node)
			n.pass(time.Second)
			n.must(n.Start())
			for _, s := range series("new", after) {
				if _, err := p.Send(n.within(time.Minute), &danube.Outgoing{Payload: []byte(s)}); err != nil {
					n.Fatalf("send %s: %v", s, err)
				}
			}
			var fresh, old int
			lowest, highest := ^uint64(0), uint64(0)
			for {
				m, err := con.Receive(n.within(3 * time.Second))
				if err != nil {
					break
				}
				if acked[m.ID()] {
					n.Errorf("%q at offset %d was acknowledged and comes again", m.Payload, m.Offset)
				}
				lowest, highest = min(lowest, m.Offset), max(highest, m.Offset)
				if strings.HasPrefix(string(m.Payload), "new") {
					fresh++
				} else {
					old++
				}
				n.must(con.Ack(m))
			}
			n.Logf("of %d new messages %d came, beside %d old ones, at offsets %d to %d", after, fresh, old, lowest, highest)
			if fresh == 0 {
				n.Error("no new message came")
			}
			n.must(con.Flush(n.soon()))
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			n.must(client.Close(ctx))
			events.wantStates(n.lab, topic, danube.Ready, danube.Connecting, danube.Ready)
		})
	}
}
