package danubetest_test

import (
	"testing"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestChecks(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		send := func(key string) {
			m := p.message(key)
			m.RoutingKey = &key
			_, err := s.producers.SendMessage(t.Context(), m)
			must(t, err)
		}
		for _, k := range []string{"a", "b", "a", "b"} {
			send(k)
		}
		c.offsets(4)
		c.ack(1, 0, 2)
		tb := new(fakeTB)
		want(t, "good ones", []bool{
			b.CheckAcked(tb, topic, sub, 0, 1, 2),
			b.CheckPayloads(tb, topic, "a", "b", "a", "b"),
			b.CheckOrderPerKey(tb, topic, sub),
		}, []bool{true, true, true})
		want(t, "errors", len(tb.errs), 0)
		send("a")
		c.offsets(1)
		send("a")
		c.offsets(1)
		c.ack(5, 4)
		want(t, "bad ones", []bool{
			b.CheckAcked(tb, topic, sub, 2, 3, 99),
			b.CheckNoUnacked(tb, topic, sub),
			b.CheckNoUnacked(tb, topic, "x"),
			b.CheckPayloads(tb, topic, "a"),
			b.CheckOrderPerKey(tb, topic, sub),
		}, []bool{false, false, false, false, false})
		want(t, "errors", tb.errs, []string{
			"danubetest: message 3 of /default/orders is not acked in subscription s",
			"danubetest: message 99 of /default/orders is not acked in subscription s",
			"danubetest: subscription s of /default/orders has 0 messages pending and 1 in flight",
			"danubetest: no subscription x on /default/orders",
			`danubetest: payloads of /default/orders: have ["a" "b" "a" "b" "a" "a"], want ["a"]`,
			`danubetest: key "a" of /default/orders in subscription s: message 5 was acked before message 4`,
		})
	})
}
