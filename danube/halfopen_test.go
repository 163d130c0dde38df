package danube_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// deaf is a connection that goes dead without a word: what is written to it is thrown
// away, so that no answer comes.
type deaf struct {
	net.Conn
	dead *atomic.Bool
}

func (c deaf) Write(b []byte) (int, error) {
	if c.dead.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
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
			return deaf{conn, &dead}, nil
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
		first := map[string]bool{<-lost: true, <-lost: true}
		if d := time.Since(start); !first["consumer"] || !first["producer"] || d > 20*time.Second {
			n.Errorf("%v noticed after %v, want both within 20 s", first, d)
		}
		n.pass(5 * time.Second)
		n.send(p, "again")
		if got := n.brokers["b:1"].consumers(); len(got) != 2 {
			n.Errorf("subscribed by %v, want twice", got)
		}
		n.must(con.Close(n.soon()))
	}, "b:1")
}
