package danubetest_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestKillBroker(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		p := s[0].producer(topic, "p")
		c := s[0].open(topic, sub, "c", exclusive)
		p.send("a", "b")
		c.offsets(2)
		c.ack(0)
		must(t, b.KillBroker(1))
		must(t, b.KillBroker(1))
		_, err := c.stream.Recv()
		wantStatus(t, err, codes.Unavailable, "")
		wantStatus(t, p.trySend("c"), codes.Unavailable, "")
		want(t, "lookup", where(s[1], b, topic), "Redirect 1") // to nobody
		_, err = s[1].tryProducer(topic, "p")
		wantStatus(t, err, codes.Unavailable, "redo the Lookup")
		time.Sleep(24 * time.Second)
		want(t, "lookup", where(s[1], b, topic), "Redirect 1")
		time.Sleep(time.Second)
		owner := b.Owner(topic)
		want(t, "lookup", where(s[owner-1], b, topic), "Connect "+string(rune('0'+owner)))
		c = s[owner-1].open(topic, sub, "c", exclusive)
		want(t, "again", c.offsets(1), []int{1})

		// It comes back, and has nothing; what comes after that it may have.
		must(t, b.StartBroker(1))
		if err := b.StartBroker(1); err == nil {
			t.Error("started a broker that runs")
		}
		want(t, "topics", b.Brokers()[0].Topics, []string{})
		want(t, "lookup", where(dialAll(t, b)[0], b, topic), "Redirect "+string(rune('0'+owner)))
	})
}

func TestKilledBrokerComesBackInTime(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		p := s[0].producer(topic, "p")
		must(t, b.KillBroker(1))
		time.Sleep(20 * time.Second)
		must(t, b.StartBroker(1))
		time.Sleep(time.Minute)
		want(t, "owner", b.Owner(topic), 1)
		want(t, "health", s[0].check(asProd, p.id), closed)
		dialAll(t, b)[0].producer(topic, "p").send("x")
	})
}

func TestEveryBrokerDies(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		s[0].producer(topic, "p")
		for i := range s {
			must(t, b.KillBroker(i+1))
		}
		time.Sleep(time.Minute)
		must(t, b.StartBroker(3))
		want(t, "owner", b.Owner(topic), 3)
		dialAll(t, b)[2].producer(topic, "p").send("x")

		must(t, b.Start())
		b.Stop() // all at once, and back
		time.Sleep(time.Minute)
		must(t, b.Start())
		want(t, "owner", b.Owner(topic), 3)
		must(t, b.CreateTopic("/default/p", danubetest.TopicConfig{Partitions: 3}))
	})
}
