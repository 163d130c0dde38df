package danube_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// A broker sends 3 before 1 and 2, and the application needs longer for a message than
// one may wait for those below: they are in the stream meanwhile.
func TestSlowApplicationKeepsOrder(t *testing.T) {
	for _, inbox := range []bool{false, true} {
		withBrokers(t, func(n *network) {
			var seen anomalies
			came := make(chan uint64, 9)
			msg := func(o uint64) *danubepb.StreamMessage { return farMessage(o, o+1, "x") }
			n.brokers["a:1"].receive = deliver(msg(0), msg(3), msg(1), msg(2), msg(4))
			var con *danube.Consumer
			ready := make(chan struct{})
			con = n.consumer(n.open(), "/default/t", func(c *danube.ConsumerConfig) {
				c.OnAnomaly = seen.add
				if inbox {
					c.MaxQueued = 1
					return
				}
				c.Handler = func(m *danube.Message) {
					<-ready
					time.Sleep(50 * time.Millisecond)
					came <- m.Offset
					n.must(con.Ack(m))
				}
			})
			close(ready)
			if inbox {
				for range 5 {
					n.pass(50 * time.Millisecond)
					m, err := con.Receive(n.soon())
					n.must(err)
					came <- m.Offset
					n.must(con.Ack(m))
				}
			}
			n.pass(5 * time.Second)
			var got []uint64
			for len(came) > 0 {
				got = append(got, <-came)
			}
			if !slices.Equal(got, []uint64{0, 1, 2, 3, 4}) {
				t.Errorf("inbox %v: got %v", inbox, got)
			}
			if told := seen.took(); len(told) > 0 {
				t.Errorf("inbox %v: told %q", inbox, told)
			}
		}, "a:1")
	}
}

// Two swaps that overlap: the second has its own time.
func TestSecondGapHasItsOwnTime(t *testing.T) {
	withBrokers(t, func(n *network) {
		var seen anomalies
		n.brokers["a:1"].receive = func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
			for _, o := range []uint64{0, 2, 4, 1, 3} {
				if o == 4 {
					time.Sleep(19 * time.Millisecond)
				}
				if o == 3 {
					time.Sleep(2 * time.Millisecond)
				}
				if err := s.Send(farMessage(o, o+1, fmt.Sprint(o))); err != nil {
					return err
				}
			}
			<-s.Context().Done()
			return nil
		}
		con := n.consumer(n.open(), "/default/t", func(c *danube.ConsumerConfig) { c.CreateTopic = false; c.OnAnomaly = seen.add })
		n.ack(con, n.receive(con, "0", "1", "2", "3", "4")...)
		if told := seen.took(); len(told) > 0 {
			t.Errorf("told %q", told)
		}
	}, "a:1")
}

// What is held when the consumer closes is for the next one, and so is what is missing
// before it.
func TestHeldAtClose(t *testing.T) {
	for _, handler := range []bool{false, true} {
		withBrokers(t, func(n *network) {
			var seen anomalies
			n.brokers["a:1"].receive = deliver(farMessage(0, 1, "x"), farMessage(2, 3, "x"))
			ack := make(chan *danube.Message, 9)
			con := n.consumer(n.open(), "/default/t", func(c *danube.ConsumerConfig) {
				c.OnAnomaly = seen.add
				if handler {
					c.Handler = func(m *danube.Message) { ack <- m }
				}
			})
			if handler {
				n.must(con.Ack(<-ack))
			} else {
				m, err := con.Receive(n.soon())
				n.must(err)
				n.must(con.Ack(m))
			}
			n.pass(5 * time.Millisecond)
			n.must(con.Close(n.soon()))
			if told := seen.took(); len(told) > 0 {
				t.Errorf("handler %v: told %q of a message that was handed to nobody", handler, told)
			}
		}, "a:1")
	}
}

// Sessions that do not last as long as a message may wait do not withhold it for ever.
func TestHeldOverShortSessions(t *testing.T) {
	withBrokers(t, func(n *network) {
		var streams atomic.Int32
		n.brokers["a:1"].receive = func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
			list := []uint64{5}
			if streams.Add(1) == 1 {
				list = []uint64{0, 5}
			}
			for _, o := range list {
				if err := s.Send(farMessage(o, o+1, fmt.Sprint(o))); err != nil {
					return err
				}
			}
			if len(list) == 1 {
				select {
				case <-time.After(1900 * time.Millisecond):
				case <-s.Context().Done():
				}
			}
			return status.Error(codes.Unavailable, "a proxy that ends streams")
		}
		con := n.consumer(n.open(), "/default/t", func(c *danube.ConsumerConfig) { c.CreateTopic = false })
		n.ack(con, n.receive(con, "0")...)
		if _, err := con.Receive(n.within(5 * time.Minute)); err != nil {
			t.Errorf("offset 5 came on each of %d streams and was not handed out", streams.Load())
		}
	}, "a:1")
}
