package danube_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// The topic is deleted and made again: numbering starts at 0 and nothing of the old
// topic can be acknowledged any more.
func TestNumberingStartsAgain(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		p := l.producer(client, topic)
		l.send(p, "a", "b", "c")
		old := l.receive(con, "a", "b", "c")
		l.ack(con, old[0])
		l.must(con.Ack(old[2])) // waits for b
		l.must(l.broker.DeleteTopic(topic))
		l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
		l.pass(10 * time.Second) // the consumer is back
		l.send(p, "d")
		d := l.receive(con, "d")[0]
		if d.Offset != 0 {
			l.Fatalf("d is at offset %d", d.Offset)
		}
		l.want(con.Ack(old[1]), danube.ErrInvalid)
		l.want(con.Nack(l.soon(), old[1], 0, ""), danube.ErrInvalid)
		l.ack(con, d)
		l.send(p, "e")
		l.ack(con, l.receive(con, "e")...)
		l.broker.CheckNoUnacked(l, topic, "s")
		events.check(l)
	})
}

// Flush does not wait for acks that nobody can send any more.
func TestFlushOverANewEpoch(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		p := l.producer(client, topic)
		l.send(p, "a", "b")
		list := l.receive(con, "a", "b")
		lost := l.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodAck}, Err: status.Error(codes.Unavailable, ""), Count: -1})
		l.must(con.Ack(list[0]))
		l.must(con.Ack(list[1]))
		flushed := make(chan error, 1)
		go func() { flushed <- con.Flush(l.within(time.Minute)) }()
		l.must(l.broker.DeleteTopic(topic))
		l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
		l.pass(10 * time.Second)
		l.send(p, "c")
		l.receive(con, "c")
		l.must(<-flushed)
		lost.Remove()
	})
}

// A consumer that began high up does not know what was at the low offsets before it. When
// the numbering starts again, it says so all the same.
func TestNumberingStartsAgainBelowWhatIsKnown(t *testing.T) {
	embedded(t, func(l *lab) {
		var seen anomalies
		topic, client := l.topic(), l.open()
		first := l.consumer(client, topic)
		p := l.producer(client, topic)
		for _, m := range series("old", 50) {
			l.send(p, m)
			l.ack(first, l.receive(first, m)...)
		}
		l.must(first.Close(l.soon()))
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add })
		l.send(p, "high")
		l.ack(con, l.receive(con, "high")...)
		l.must(l.broker.DeleteTopic(topic))
		l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
		l.pass(10 * time.Second)
		l.send(p, "a", "b")
		l.ack(con, l.receive(con, "a", "b")...)
		seen.mu.Lock()
		defer seen.mu.Unlock()
		if len(seen.list) != 1 || seen.list[0].Kind != danube.NumberingRestarted || seen.list[0].From != 0 || seen.list[0].To != 50 {
			t.Errorf("got %v, want a numbering that has started again at 0, from 50", seen.list)
		}
		l.broker.CheckNoUnacked(l, topic, "s")
	})
}

// What comes again after a move was published before, so that it is no new epoch, even
// where nobody remembers it.
func TestOldMessagesThatComeLate(t *testing.T) {
	embedded(t, func(l *lab) {
		var seen anomalies
		topic, client := l.topic(), l.open()
		first := l.consumer(client, topic)
		p := l.producer(client, topic)
		l.send(p, series("m", 20)...)
		list := l.receive(first, series("m", 20)[:10]...)
		l.ack(first, list[:5]...)
		l.must(first.Close(l.soon()))
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add })
		for _, m := range series("m", 20)[5:] {
			l.ack(con, l.receive(con, m)...)
		}
		l.must(l.broker.MoveTopic(topic, 2))
		l.pass(10 * time.Second)
		l.send(p, "last")
		for {
			m, err := con.Receive(l.soon())
			l.must(err)
			l.must(con.Ack(m))
			if string(m.Payload) == "last" {
				break
			}
		}
		if told := seen.took(); len(told) > 0 {
			t.Errorf("told of %q", told)
		}
	}, danubetest.WithBrokers(2), danubetest.WithTraps(danubetest.TrapCursor, danubetest.TrapLatest))
}

// What was held back for its place belongs to the numbering that it came with: it is
// handed out before the first of the next, whose gaps are told as before.
func TestNumberingStartsAgainWhileOneIsHeld(t *testing.T) {
	withBrokers(t, func(n *network) {
		var seen anomalies
		n.brokers["a:1"].receive = streamsOf([][]*danubepb.StreamMessage{
			{farMessage(0, 1, "a"), farMessage(1, 2, "b"), farMessage(2, 3, "c")},
			{farMessage(9, 10, "held")}, // it would wait for 3
			{farMessage(1, 11, "new b"), farMessage(2, 12, "new c"), farMessage(5, 15, "new f")},
		}...)
		con := n.consumer(n.open(), "/default/t", func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add })
		list := n.receive(con, "a", "b", "c", "held", "new b", "new c", "new f")
		n.want(con.Ack(list[3]), danube.ErrInvalid)
		n.ack(con, list[4:]...)
		want := []string{
			"/default/t: offsets 3 to 8, 6 messages, were not delivered",
			"/default/t: the numbering has started again at 1, it was at 9",
			"/default/t: offsets 3 to 4, 2 messages, were not delivered",
		}
		if told := seen.took(); !slices.Equal(told, want) {
			t.Errorf("told of %q, want %q", told, want)
		}
	}, "a:1")
}

// The first messages of a numbering that starts again are swapped.
func TestNumberingStartsAgainOutOfOrder(t *testing.T) {
	withBrokers(t, func(n *network) {
		var seen anomalies
		n.brokers["a:1"].receive = streamsOf([][]*danubepb.StreamMessage{
			{farMessage(0, 1, "a"), farMessage(1, 2, "b")},
			{farMessage(3, 14, "new d"), farMessage(1, 12, "new b"), farMessage(2, 13, "new c"), farMessage(4, 15, "new e")},
		}...)
		con := n.consumer(n.open(), "/default/t", func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add })
		n.receive(con, "a", "b", "new b", "new c", "new d", "new e")
		if told := seen.took(); len(told) != 1 || !strings.Contains(told[0], "started again at 1, it was at 1") {
			t.Errorf("told of %q, want of the restart alone", told)
		}
	}, "a:1")
}
