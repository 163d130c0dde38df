package danube_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// Close ends a stream once the broker has sent all that it may without an ack: 0.15.1
// hangs when its dispatcher is just sending.
func TestCloseWaitsForTheBrokerToBeQuiet(t *testing.T) {
	for name, c := range map[string]struct{ sends, want int32 }{
		"a full window":   {10, 10},
		"without an end":  {1 << 30, 1000 / 5},
		"nothing at hand": {1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			withBrokers(t, func(n *network) {
				var sent atomic.Int32
				n.brokers["b:1"].receive = func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
					for i := range c.sends {
						m := &danubepb.StreamMessage{RequestId: uint64(i), ProducerName: "p", MsgId: &danubepb.MsgID{TopicOffset: uint64(i)}}
						if err := s.Send(m); err != nil {
							return err
						}
						sent.Add(1)
						select {
						case <-time.After(5 * time.Millisecond):
						case <-s.Context().Done():
							return nil
						}
					}
					<-s.Context().Done()
					return nil
				}
				con, err := n.open().NewConsumer(n.soon(), danube.ConsumerConfig{Topic: "/default/t", Subscription: "s", Name: "c"})
				n.must(err)
				_, err = con.Receive(n.soon())
				n.must(err)
				n.must(con.Close(n.soon()))
				if got := sent.Load(); got < c.want || got > c.want+10 {
					n.Errorf("%d messages were sent when the stream ended, want %d", got, c.want)
				}
			}, "b:1")
		})
	}
}
