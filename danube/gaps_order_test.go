package danube_test

import (
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// A broker to which several producers send at once may begin with the second offset. The
// first is handed out when it comes, and it is told that it comes late.
func TestTheFirstComesSecond(t *testing.T) {
	withBrokers(t, func(n *network) {
		var seen anomalies
		far := uint64(1) << 40 // published after the consumer came, so that it is ours alone
		n.brokers["a:1"].receive = deliver(
			&danubepb.StreamMessage{MsgId: at(1), RequestId: 1, PublishTime: far, Payload: []byte("second")},
			&danubepb.StreamMessage{MsgId: at(0), RequestId: 2, PublishTime: far, Payload: []byte("first")},
			&danubepb.StreamMessage{MsgId: at(2), RequestId: 3, PublishTime: far, Payload: []byte("third")},
		)
		con := n.consumer(n.open(), "/default/t", func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add })
		n.ack(con, n.receive(con, "second", "first", "third")...)
		seen.mu.Lock()
		defer seen.mu.Unlock()
		if len(seen.list) != 1 || seen.list[0].Kind != danube.GapFilled || seen.list[0].From != 0 {
			t.Errorf("told of %v, want offset 0 alone", seen.list)
		}
	}, "a:1")
}

// A consumer has just taken over from another, and the topic moves: what the new broker
// begins with lies below, and was published before. It is handed out when it comes, and
// that is told; what the other consumer has left comes first of all, and is not.
func TestAMoveBeginsBelow(t *testing.T) {
	for _, c := range []struct {
		name  string
		first uint64 // the publish time of what comes first
		pause time.Duration
	}{
		{"at once", 1, 0},
		{"after what is ours alone", 1 << 40, 0},
		{"after a minute", 1, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			withBrokers(t, func(n *network) {
				var seen anomalies
				old := func(offset, published uint64, payload string) *danubepb.StreamMessage {
					return &danubepb.StreamMessage{MsgId: at(offset), RequestId: offset, PublishTime: published, Payload: []byte(payload)}
				}
				next := make(chan struct{})
				var streams atomic.Int32
				n.brokers["a:1"].receive = func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
					if streams.Add(1) > 1 {
						return deliver(old(430, 1, "skipped"), old(12122, 1<<40, "new"))(s)
					}
					for _, m := range []*danubepb.StreamMessage{old(12121, c.first, "newest"), old(12000, 1, "left")} {
						if err := s.Send(m); err != nil {
							return err
						}
					}
					<-next
					return status.Error(codes.Unavailable, "it moves")
				}
				con := n.consumer(n.open(), "/default/t", func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add })
				n.ack(con, n.receive(con, "newest", "left")...)
				n.pass(c.pause)
				close(next)
				n.ack(con, n.receive(con, "skipped", "new")...)
				seen.mu.Lock()
				defer seen.mu.Unlock()
				if len(seen.list) != 1 || seen.list[0].Kind != danube.GapFilled || seen.list[0].From != 430 {
					t.Errorf("told of %v, want offset 430 alone", seen.list)
				}
			}, "a:1")
		})
	}
}

// backlog opens a consumer that gets a, b and c, which were published before it came.
func (l *lab) backlog(seen *anomalies) (*danube.Producer, *danube.Consumer, []*danube.Message) {
	l.Helper()
	topic, client := l.topic(), l.open()
	first := l.consumer(client, topic)
	p := l.producer(client, topic)
	l.must(first.Close(l.soon()))
	l.send(p, "a", "b", "c")
	l.pass(5 * time.Second)
	con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add })
	return p, con, l.receive(con, "a", "b", "c")
}

// What was handed back and comes again was never missing.
func TestNackedMessageIsNoGap(t *testing.T) {
	embedded(t, func(l *lab) {
		var seen anomalies
		p, con, list := l.backlog(&seen)
		l.send(p, "d")
		l.ack(con, l.receive(con, "d")...)
		l.must(con.Nack(l.soon(), list[0], 0, "later"))
		l.ack(con, list[1], list[2])
		l.ack(con, l.receive(con, "a")...)
		l.pass(time.Second)
		if told := seen.took(); len(told) > 0 {
			t.Errorf("told of %q", told)
		}
	})
}

// Nor was it missing when its stream has ended meanwhile.
func TestNackedMessageOnAnotherStreamIsNoGap(t *testing.T) {
	embedded(t, func(l *lab) {
		var seen anomalies
		p, con, list := l.backlog(&seen)
		l.ack(con, list[1:]...)
		l.must(con.Nack(l.soon(), list[0], 0, "later"))
		con.Pause()
		l.pass(time.Second)
		con.Resume()
		l.ack(con, l.receive(con, "a")...)
		l.send(p, "d")
		d := l.receive(con, "d")
		l.must(con.Nack(l.soon(), d[0], 0, "later"))
		l.ack(con, l.receive(con, "d")...)
		if told := seen.took(); len(told) > 0 {
			t.Errorf("told of %q", told)
		}
	})
}

// Of messages that are published at the same time, a broker now and then sends one before
// the one with the offset below it. They are handed out in the order of their offsets, and
// nothing is told.
func TestSwappedMessagesAreNoGap(t *testing.T) {
	embedded(t, func(l *lab) {
		var seen anomalies
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add })
		swaps := l.broker.Fault(danubetest.Fault{Topic: topic, Reorder: true, Count: -1, When: func(c danubetest.Call) bool { return c.Offset%100 == 1 }})
		defer swaps.Remove()
		const n = 1000
		l.post(l.producer(client, topic), series("m", n)...)
		for next := range uint64(n) {
			m, err := con.Receive(l.soon())
			l.must(err)
			if m.Offset != next {
				l.Fatalf("offset %d came where %d belongs", m.Offset, next)
			}
			l.must(con.Ack(m))
		}
		if swaps.Hits() == 0 {
			t.Error("nothing was swapped")
		}
		if told := seen.took(); len(told) > 0 {
			t.Errorf("told of %q", told)
		}
	})
}
