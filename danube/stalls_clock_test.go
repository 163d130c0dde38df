package danube_test

import (
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// anotherSession ends a consumer's session and begins the next.
func (l *lab) anotherSession(con *danube.Consumer) {
	con.Pause()
	l.pass(time.Second)
	con.Resume()
}

// A clock that was ahead is put right: what is published then looks older than what came
// before, in a new session, too.
func TestClockPutRightIsNoStall(t *testing.T) {
	embedded(t, func(l *lab) {
		var seen anomalies
		topic := l.topic()
		client := l.open(l.metrics(l.broker.MetricsTransport()))
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add })
		p := l.producer(client, topic)
		send := func(at time.Time, s string) {
			_, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte(s), PublishTime: at})
			l.must(err)
			l.ack(con, l.receive(con, s)...)
		}
		send(time.Now().Add(time.Hour), "from a clock that is ahead")
		l.pass(time.Minute)
		l.anotherSession(con)
		l.pass(time.Minute)
		for range 20 {
			send(time.Now(), "the clock was put right")
			l.pass(10 * time.Second)
		}
		if told := seen.took(); len(told) > 0 {
			t.Errorf("told %q, though everything came and was acknowledged", told)
		}
	})
}

// A producer gives its messages the times of the events, newest first.
func TestEventTimesAreNoStall(t *testing.T) {
	embedded(t, func(l *lab) {
		var seen anomalies
		topic := l.topic()
		client := l.open(l.metrics(l.broker.MetricsTransport()))
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add })
		p := l.producer(client, topic)
		event := time.Now()
		n := 0
		for range 60 { // newest first, one every ten seconds
			event = event.Add(-time.Minute)
			_, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte("e"), PublishTime: event})
			l.must(err)
			l.ack(con, l.receive(con, "e")...)
			l.pass(10 * time.Second)
			if n++; n == 10 {
				l.anotherSession(con)
				l.pass(5 * time.Second)
			}
		}
		if told := seen.took(); len(told) > 0 {
			t.Errorf("told %q, though all came within a moment and was acknowledged", told)
		}
	})
}

// The answer to a publish was lost with the connection, and it is repeated later.
func TestRepeatedPublishIsNoStall(t *testing.T) {
	withBrokers(t, func(n *network) {
		var seen anomalies
		pages := &brokerPages{}
		const topic = "/default/t"
		now := uint64(time.Now().Add(time.Minute).UnixMilli())
		streams := 0
		cut, again := make(chan struct{}), make(chan struct{})
		n.brokers["a:1"].receive = func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
			streams++
			m := &danubepb.StreamMessage{MsgId: at(0), RequestId: 7, ProducerName: "p", PublishTime: now, Payload: []byte("m")}
			if streams == 1 {
				if err := s.Send(m); err != nil {
					return err
				}
				<-cut
				return status.Error(codes.Unavailable, "connection lost")
			}
			<-again // the producer publishes it once more
			m.MsgId = at(1)
			if err := s.Send(m); err != nil {
				return err
			}
			<-s.Context().Done()
			return nil
		}
		c := n.open(func(c *danube.Config) {
			c.Metrics, c.MetricsClient = []string{pageA}, &http.Client{Transport: pages}
		})
		pages.set(pageA, page(topic, 0, 1, 1))
		con := n.consumer(c, topic, func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add; c.CreateTopic = false })
		n.ack(con, n.receive(con, "m")...)
		n.pass(5 * time.Second)
		close(cut)
		n.pass(20 * time.Second)
		pages.set(pageA, page(topic, 0, 2, 2))
		close(again)
		n.ack(con, n.receive(con, "m")...)
		n.pass(5 * time.Minute)
		if told := seen.took(); len(told) > 0 {
			t.Errorf("told %q, though all came and was acknowledged, and the broker has a lag of 0", told)
		}
	}, "a:1")
}

// Acks were lost with the connection, the broker fell silent, and after a move everything
// comes again: all of it known, and nothing new is published.
func TestStallEndsWhenAllHasComeAgain(t *testing.T) {
	withBrokers(t, func(n *network) {
		var seen anomalies
		pages := &brokerPages{}
		const topic = "/default/t"
		now := uint64(time.Now().Add(time.Minute).UnixMilli())
		streams := 0
		step := make(chan struct{})
		n.brokers["a:1"].receive = func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
			streams++
			send := func() error {
				for o := range uint64(3) {
					if err := s.Send(&danubepb.StreamMessage{MsgId: at(o), RequestId: 7 + o, ProducerName: "p", PublishTime: now + o, Payload: []byte("m")}); err != nil {
						return err
					}
				}
				return nil
			}
			if streams != 2 {
				if err := send(); err != nil {
					return err
				}
			}
			select {
			case <-step:
				return status.Error(codes.Unavailable, "moved")
			case <-s.Context().Done():
				return nil
			}
		}
		c := n.open(func(c *danube.Config) {
			c.Metrics, c.MetricsClient = []string{pageA, pageB}, &http.Client{Transport: pages}
		})
		pages.set(pageA, page(topic, 3, 3, 3))
		con := n.consumer(c, topic, func(c *danube.ConsumerConfig) { c.OnAnomaly = seen.add; c.CreateTopic = false })
		list := n.receive(con, "m", "m", "m")
		n.pass(5 * time.Second)
		step <- struct{}{} // the session is lost
		for _, m := range list {
			n.must(con.Ack(m))
		}
		n.pass(3 * time.Minute)
		if told := seen.took(); len(told) != 1 {
			t.Errorf("told %q, want a stall", told)
		}
		step <- struct{}{} // it moves: all comes again
		n.pass(5 * time.Second)
		pages.set(pageB, page(topic, 0, 3, 3))
		pages.set(pageA, "danube_\n")
		n.pass(time.Hour)
		if told := seen.took(); len(told) != 1 {
			t.Errorf("told %q; the stall is not over, an hour after everything came", told)
		}
	}, "a:1")
}
