package danubetest_test

import (
	"testing"
	"testing/synctest"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// roundTrip publishes, receives, acks and restarts, over whatever the options say.
func roundTrip(t *testing.T, opts ...danubetest.Option) {
	b := danubetest.Run(t, opts...)
	s := dial(t, b)
	p := s.producer(topic, "p")
	c := s.open(topic, sub, "c", exclusive)
	p.send("a", "b", "c")
	want(t, "offsets", c.offsets(3), []uint64{0, 1, 2})
	c.ack(0, 1)
	must(t, b.WaitAcked(t.Context(), topic, sub, 2))
	b.Stop()
	must(t, b.Start())

	s = dial(t, b)
	p = s.producer(topic, "p")
	p.send("d")
	c = s.open(topic, sub, "c", exclusive)
	want(t, "offsets after the restart", c.offsets(2), []uint64{2, 3})
	c.ack(2, 3)
	must(t, b.WaitIdle(t.Context(), topic, sub))
	b.CheckPayloads(t, topic, "a", "b", "c", "d")
	b.CheckAcked(t, topic, sub, 0, 1, 2, 3)
	b.CheckNoUnacked(t, topic, sub)
}

func TestRoundTripTCP(t *testing.T) { roundTrip(t) }

func TestRoundTripBufconn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { roundTrip(t, danubetest.WithBufconn()) })
}
