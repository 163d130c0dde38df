package danube_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// deafConn is a connection that can go dead without a word, as when a cable is pulled
// or a firewall forgets it: what is written goes nowhere, and nothing is read any more.
type deafConn struct {
	net.Conn
	deaf   *atomic.Bool
	once   sync.Once
	closed chan struct{}
}

func (c *deafConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.deaf.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *deafConn) Write(p []byte) (int, error) {
	if c.deaf.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *deafConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// A connection that has gone dead is noticed by itself, and everything goes on over
// another one: for a consumer that hears nothing, and for a send that is out.
func TestHalfOpenConnection(t *testing.T) {
	withBrokers(t, func(n *network) {
		b := n.brokers["a:1"]
		var stored atomic.Int32
		b.send = func(*danubepb.StreamMessage) error { stored.Add(1); return nil }
		deliver := make(chan string)
		b.receive = func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
			for {
				select {
				case payload := <-deliver:
					if err := s.Send(&danubepb.StreamMessage{MsgId: at(1), Payload: []byte(payload)}); err != nil {
						return err
					}
				case <-s.Context().Done():
					return s.Context().Err()
				}
			}
		}
		deaf := &atomic.Bool{} // of the connections made by now
		var unreachable atomic.Bool
		n.lab.dial = []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			conn, err := n.dial(ctx, addr)
			if err != nil {
				return nil, err
			}
			c := &deafConn{Conn: conn, deaf: deaf, closed: make(chan struct{})}
			if unreachable.Load() {
				c.deaf = &unreachable
			}
			return c, nil
		})}
		var ofConsumer, ofProducer sessions
		client := n.open()
		con := n.consumer(client, "/default/t", func(c *danube.ConsumerConfig) { c.CreateTopic, c.OnSession = false, ofConsumer.add })
		p := n.producer(client, "/default/t", func(c *danube.ProducerConfig) { c.OnSession = ofProducer.add })
		n.send(p, "a")

		// Nobody can be reached for two minutes, and nobody says so.
		was := deaf
		deaf = &atomic.Bool{}
		unreachable.Store(true)
		was.Store(true)
		start := time.Now()
		done := make(chan danube.Receipt, 1)
		n.must(p.SendAsync(n.soon(), &danube.Outgoing{Payload: []byte("b")}, func(r danube.Receipt, err error) {
			if err != nil {
				t.Error(err)
			}
			done <- r
		}))
		n.pass(45 * time.Second)
		for who, s := range map[string]*sessions{"consumer": &ofConsumer, "producer": &ofProducer} {
			if got := s.of("/default/t"); got[len(got)-1] != danube.Connecting {
				t.Errorf("the %s has noticed nothing: %v", who, got)
			}
		}
		n.pass(75 * time.Second)
		unreachable.Store(false)
		r := <-done
		if d := time.Since(start); d > 3*time.Minute || !r.Ambiguous || stored.Load() != 2 {
			t.Errorf("published after %v, %d stored: %+v", d, stored.Load(), r)
		}
		n.pass(30 * time.Second)
		deliver <- "c"
		n.receive(con, "c")
		ofConsumer.wantStates(n.lab, "/default/t", danube.Ready, danube.Connecting, danube.Ready)
		ofProducer.wantStates(n.lab, "/default/t", danube.Ready, danube.Connecting, danube.Ready)
	}, "a:1")
}

// A connection that is half open is noticed, by consumers and producers, well before the
// broker's ack timeout of 30 s.
func TestHalfOpenConnections(t *testing.T) {
	withBrokers(t, func(n *network) {
		var dead atomic.Bool
		n.lab.dial = []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			conn, err := n.dial(ctx, addr)
			if dead.Load() || err != nil {
				return conn, err // new ones work
			}
			return &deafConn{Conn: conn, deaf: &dead, closed: make(chan struct{})}, nil
		})}
		client := n.open()
		lost := make(chan string, 10)
		note := func(who string) func(danube.SessionEvent) {
			return func(e danube.SessionEvent) {
				if e.State == danube.Connecting {
					lost <- who
				}
			}
		}
		con, err := client.NewConsumer(n.soon(), danube.ConsumerConfig{Topic: "/default/t", Subscription: "s", Name: "c", OnSession: note("consumer")})
		n.must(err)
		p, err := client.NewProducer(n.soon(), danube.ProducerConfig{Topic: "/default/t", Name: "p", OnSession: note("producer")})
		n.must(err)
		n.pass(3 * time.Second)
		dead.Store(true)
		start := time.Now()
		n.send(p, "again")
		first := map[string]bool{<-lost: true, <-lost: true} // a producer has lost its session where a send has
		if d := time.Since(start); !first["consumer"] || !first["producer"] || d > 20*time.Second {
			n.Errorf("%v noticed after %v, want both within 20 s", first, d)
		}
		n.pass(5 * time.Second)
		if got := n.brokers["b:1"].consumers(); len(got) != 2 {
			n.Errorf("subscribed by %v, want twice", got)
		}
		n.must(con.Close(n.soon()))
	}, "b:1")
}
