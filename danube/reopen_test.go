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

// streams is what a handmade broker sends on each stream in turn; all but the last
// break behind it.
func streams(list ...[]uint64) func(danubepb.ConsumerService_ReceiveMessagesServer) error {
	messages := make([][]*danubepb.StreamMessage, len(list))
	for i, offsets := range list {
		for _, o := range offsets {
			messages[i] = append(messages[i], &danubepb.StreamMessage{MsgId: at(o), RequestId: o, Payload: []byte(fmt.Sprint(o))})
		}
	}
	return streamsOf(messages...)
}

// streamsOf is streams of messages of the test's own.
func streamsOf(list ...[]*danubepb.StreamMessage) func(danubepb.ConsumerService_ReceiveMessagesServer) error {
	var opened atomic.Int32
	return func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
		n := int(opened.Add(1))
		messages := list[min(n, len(list))-1]
		if n >= len(list) {
			return deliver(messages...)(s)
		}
		for _, m := range messages {
			if err := s.Send(m); err != nil {
				return err
			}
		}
		return status.Error(codes.Unavailable, "it breaks")
	}
}

// farMessage was published after any consumer of a test came, so that it is its alone.
func farMessage(offset, request uint64, payload string) *danubepb.StreamMessage {
	return &danubepb.StreamMessage{MsgId: at(offset), RequestId: request, PublishTime: 1 << 40, Payload: []byte(payload)}
}

// When a stream was opened again, the broker sends first what it had ready for the
// old one. The application gets it in order all the same.
func TestOrderAfterReopening(t *testing.T) {
	tests := map[string]struct {
		streams [][]uint64
		want    []string
		kind    danube.SubscriptionType
		took    time.Duration // at most, after the streams broke
	}{
		"stale ones first":     {streams: [][]uint64{{0, 1, 2}, {6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 8}}, want: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8"}},
		"with a hole":          {streams: [][]uint64{{0, 1, 2}, {6, 7, 0, 1, 2, 4, 6, 7, 8}}, want: []string{"0", "1", "2", "4", "6", "7", "8"}, took: 2 * time.Second},
		"a gap for good":       {streams: [][]uint64{{0}, {300, 301, 302}}, want: []string{"0", "300", "301", "302"}, took: 2 * time.Second},
		"it breaks meanwhile":  {streams: [][]uint64{{0}, {3, 4}, {4, 0, 1, 2, 3, 4, 5}}, want: []string{"0", "1", "2", "3", "4", "5"}},
		"shared has no order":  {streams: [][]uint64{{0}, {6, 2, 3}}, want: []string{"0", "6", "2", "3"}, kind: danube.Shared},
		"the first stream not": {streams: [][]uint64{{6, 7, 0, 1}}, want: []string{"6", "7", "0", "1"}},
	}
	for name, tt := range tests {
		for _, handler := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, handler %v", name, handler), func(t *testing.T) {
				withBrokers(t, func(n *network) {
					n.brokers["seed:1"].receive = streams(tt.streams...)
					got := make(chan *danube.Message, 100)
					con := n.consumer(n.open(), "/default/t", func(c *danube.ConsumerConfig) {
						c.Type = tt.kind
						if handler {
							c.Handler = func(m *danube.Message) { got <- m }
						}
					})
					start := time.Now()
					var list []string
					for range tt.want {
						var m *danube.Message
						if handler {
							m = <-got
						} else {
							var err error
							m, err = con.Receive(n.soon())
							n.must(err)
						}
						list = append(list, string(m.Payload))
					}
					if !slices.Equal(list, tt.want) {
						n.Errorf("got %v, want %v", list, tt.want)
					}
					if d, most := time.Since(start), tt.took+2*time.Duration(len(tt.streams)-1)*time.Second; d > most {
						n.Errorf("it took %v, want at most %v", d, most)
					}
					n.must(con.Close(n.soon()))
					if len(got) > 0 {
						n.Errorf("%d more came", len(got))
					}
				}, "seed:1")
			})
		}
	}
}

// Close drops what is held: the next consumer gets it.
func TestCloseWhileMessagesAreHeld(t *testing.T) {
	withBrokers(t, func(n *network) {
		n.brokers["seed:1"].receive = streams([]uint64{0}, []uint64{5, 6})
		got := make(chan *danube.Message, 100)
		con := n.consumer(n.open(), "/default/t", func(c *danube.ConsumerConfig) { c.Handler = func(m *danube.Message) { got <- m } })
		n.pass(1500 * time.Millisecond)
		n.must(con.Close(n.soon()))
		if len(got) != 1 {
			n.Errorf("%d came, want 1", len(got))
		}
	}, "seed:1")
}

// Large messages, a consumer that does not read, and a stream that is opened again:
// a real broker then has messages ready for the old stream.
func TestOrderAfterPause(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		p := l.producer(client, topic)
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.MaxQueued = 1 })
		for range 10 {
			_, err := p.Send(l.soon(), &danube.Outgoing{Payload: make([]byte, 1_500_000)})
			l.must(err)
		}
		l.pass(time.Second)
		con.Pause()
		for i := range 10 {
			m, err := con.Receive(l.soon())
			l.must(err)
			if i == 0 {
				l.pass(500 * time.Millisecond)
				con.Resume()
			}
			if m.Offset != uint64(i) {
				l.Errorf("offset %d came, want %d", m.Offset, i)
			}
			l.must(con.Ack(m))
		}
		l.must(con.Flush(l.soon()))
	})
}
