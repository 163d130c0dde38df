package danube_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// node is a real broker of this test's own, which it may stop, kill and start.
type node struct {
	*lab
	bin, dir string
	ports    [4]int
	cmd      *exec.Cmd
	log      *os.File
}

// ownBroker starts the broker that DANUBE_BROKER_BIN names, one node with its data in
// a directory of the test.
func ownBroker(t *testing.T) *node {
	bin := os.Getenv("DANUBE_BROKER_BIN")
	if bin == "" {
		t.Skip("DANUBE_BROKER_BIN is not set: no broker of its own to restart")
	}
	n := &node{bin: bin, dir: t.TempDir()}
	for i := range n.ports {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		n.ports[i] = lis.Addr().(*net.TCPAddr).Port
		lis.Close()
	}
	n.lab = &lab{T: t, url: fmt.Sprintf("http://127.0.0.1:%d", n.ports[0])}
	n.must(os.WriteFile(filepath.Join(n.dir, "broker.yml"), fmt.Appendf(nil, `
cluster_name: t
broker: {host: "127.0.0.1", ports: {client: %d, admin: %d, raft: %d, prometheus: %d}}
meta_store: {data_dir: ./raft}
bootstrap_namespaces: [default]
auth: {mode: none}
policies: {max_producers_per_topic: 0, max_subscriptions_per_topic: 0, max_consumers_per_topic: 0, max_consumers_per_subscription: 0, max_publish_rate: 0, max_subscription_dispatch_rate: 0, max_message_size: 10485760}
storage:
  mode: local
  local_wal_root: ./wal
  wal: {advanced: {file_sync: {interval_ms: 100, max_batch_bytes: 1048576}}}
`, n.ports[0], n.ports[1], n.ports[2], n.ports[3]), 0o600))
	var err error
	n.log, err = os.Create(filepath.Join(n.dir, "broker.log"))
	n.must(err)
	n.start()
	t.Cleanup(func() {
		n.stop(syscall.SIGKILL)
		n.log.Close()
	})
	return n
}

func (n *node) start() {
	n.cmd = exec.Command(n.bin, "--config-file", "broker.yml", "--data-dir", "./raft", "--advertised-addr", fmt.Sprintf("127.0.0.1:%d", n.ports[0]))
	n.cmd.Dir, n.cmd.Stdout, n.cmd.Stderr = n.dir, n.log, n.log
	n.must(n.cmd.Start())
}

func (n *node) stop(how syscall.Signal) {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Signal(how)
	_ = n.cmd.Wait()
	n.cmd = nil
}

// A one-node cluster that restarts numbers its topics from 0 again, and brings old
// messages in place of new ones. The client cannot change that. What it promises
// holds: sends succeed, nothing that was acknowledged is handed out again, and in the
// end new messages come.
func TestRealRestart(t *testing.T) {
	for _, how := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(how.String(), func(t *testing.T) {
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

			n.stop(how)
			n.pass(time.Second)
			n.start()
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
