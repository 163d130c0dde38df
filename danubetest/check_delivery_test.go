package danubetest_test

import (
	"strings"
	"testing"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// wantErrors fails the test unless a test has failed with exactly these texts.
func (f *fakeTB) wantErrors(t *testing.T, texts ...string) {
	t.Helper()
	want(t, "errors", strings.Join(f.errs, "\n"), strings.Join(texts, "\n"))
	f.errs = nil
}

func TestCheckAtLeastOnce(t *testing.T) {
	policy := danubetest.FailurePolicy{MaxRedeliveries: -1, Poison: danubetest.Drop}
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		tb := new(fakeTB)
		s.producer(topic, "p").send("before the subscription")
		c := s.open(topic, sub, "c", exclusive)
		want(t, "nothing yet", b.CheckAtLeastOnce(tb, topic, sub), true)
		b.PublishN(topic, 4, func(int) []byte { return nil })
		c.offsets(4)
		c.ack(1, 2)
		c.nack(3, 0)
		want(t, "done with what was dropped", info(t, b).InFlight, 1)
		want(t, "two", b.CheckAtLeastOnce(tb, topic, sub), false)
		tb.wantErrors(t, "danubetest: 2 messages were not acked in subscription s: 3 of /default/orders (dropped), 4 of /default/orders (in flight)")
		c.ack(4)
		b.CheckNoUnacked(t, topic, sub) // which does not mind
		want(t, "one", b.CheckAtLeastOnce(tb, topic, sub), false)
		tb.wantErrors(t, "danubetest: 1 messages were not acked in subscription s: 3 of /default/orders (dropped)")
		want(t, "no such subscription", b.CheckAtLeastOnce(tb, topic, "x"), false)
		want(t, "no such topic", b.CheckAtLeastOnce(tb, "/default/x", sub), false)
		tb.wantErrors(t, "danubetest: no subscription x on /default/orders", "danubetest: no subscription s on /default/x")

		must(t, b.CreateTopic("/default/loose", danubetest.TopicConfig{Dispatch: danubetest.NonReliable}))
		s.open("/default/loose", sub, "c", exclusive)
		want(t, "not reliable", b.CheckAtLeastOnce(tb, "/default/loose", sub), false)
		tb.wantErrors(t, "danubetest: /default/loose is not a reliable topic: nothing is acknowledged there")
	}, danubetest.WithFailurePolicy("", policy))
}

// A client that acks everything it sees does not see everything.
func TestCheckAtLeastOnceSeesLosses(t *testing.T) {
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		tb := new(fakeTB)
		s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		b.PublishN(topic, 1, func(int) []byte { return nil })
		c.ack(c.offsets(1)...)
		c.leave()
		b.PublishN(topic, 270, func(int) []byte { return nil })
		c = s.open(topic, sub, "c", exclusive)
		for range 256 {
			c.ack(c.offsets(1)...)
		}
		want(t, "skipped", info(t, b).Skipped, 14)
		want(t, "all", b.CheckAtLeastOnce(tb, topic, sub), false)
		if len(tb.errs) != 1 || !strings.Contains(tb.errs[0], "14 messages were not acked in subscription s: 1 of /default/orders (never delivered), 2 of") ||
			!strings.HasSuffix(tb.errs[0], "10 of /default/orders (never delivered) and 4 more") {
			t.Errorf("errors: %q", tb.errs)
		}
	}, danubetest.TrapTail)
	// After a restart numbers mean something else.
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		tb := new(fakeTB)
		s.producer(topic, "p").send("0", "1")
		c := s.open(topic, sub, "c", exclusive)
		s.producer(topic, "p").send("2")
		c.ack(c.offsets(1)...)
		want(t, "all", b.CheckAtLeastOnce(tb, topic, sub), true)
		s = restarted(t, b, false)
		s.producer(topic, "p").send("0")
		want(t, "then", b.CheckAtLeastOnce(tb, topic, sub), false)
		tb.wantErrors(t, "danubetest: 1 messages were not acked in subscription s: 0 of /default/orders (never delivered)")
	}, danubetest.TrapRenumber)
}

func TestCheckAtLeastOncePartitions(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		tb := new(fakeTB)
		must(t, b.CreateTopic(topic, danubetest.TopicConfig{Partitions: 2}))
		must(t, b.CreateSubscription(topic, sub, danubetest.SubOpts{}))
		b.PublishN(topic, 2, func(int) []byte { return nil })
		c := s.open(topic+"-part-0", sub, "c", exclusive)
		c.ack(c.offsets(1)...)
		want(t, "half", b.CheckAtLeastOnce(tb, topic, sub), false)
		tb.wantErrors(t, "danubetest: 1 messages were not acked in subscription s: 0 of /default/orders-part-1 (never delivered)")
		c = s.open(topic+"-part-1", sub, "c", exclusive)
		c.ack(c.offsets(1)...)
		want(t, "both", b.CheckAtLeastOnce(tb, topic, sub), true)
	})
}

func TestCheckDeadLetters(t *testing.T) {
	policy := danubetest.FailurePolicy{MaxRedeliveries: -1, Poison: danubetest.DeadLetter, DeadLetterTopic: dead}
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		tb := new(fakeTB)
		s.producer(topic, "p")
		c, other := s.open(topic, sub, "c", exclusive), s.open(topic, "other", "c", exclusive)
		for _, payload := range []string{"bad", "good", "ugly"} {
			_, err := b.Publish(topic, []byte(payload), danubetest.PubOpts{Attributes: map[string]string{"kind": payload}})
			must(t, err)
		}
		want(t, "none", b.CheckDeadLetters(tb, dead, topic, sub), true)
		c.offsets(3)
		other.offsets(3)
		c.nack(2, 0)
		c.nack(0, 0)
		other.nack(1, 0)
		_, err := b.WaitPublished(t.Context(), dead, 3)
		must(t, err)
		want(t, "right", b.CheckDeadLetters(tb, dead, topic, sub, 0, 2), true)
		tb.wantErrors(t)
		want(t, "one too few", b.CheckDeadLetters(tb, dead, topic, sub, 0, 1, 2), false)
		want(t, "one too many", b.CheckDeadLetters(tb, dead, topic, sub, 0), false)
		const in = "danubetest: dead letters in /default/dead of subscription s: "
		tb.wantErrors(t, in+"message 1 of /default/orders is missing",
			in+`letter 0 is message 2 of /default/orders, which should not be there: "because"`)

		letter := func(payload string, attrs map[string]string) {
			attrs["x-original-topic"], attrs["x-original-subscription"] = topic, sub
			_, err := b.Publish(dead, []byte(payload), danubetest.PubOpts{Attributes: attrs})
			must(t, err)
		}
		letter("bad", map[string]string{"kind": "bad", "x-original-topic-offset": "0"}) // twice
		want(t, "twice", b.CheckDeadLetters(tb, dead, topic, sub, 0, 2), true)
		letter("worse", map[string]string{"kind": "bad", "x-original-topic-offset": "0"})
		letter("bad", map[string]string{"x-original-topic-offset": "0"})
		letter("bad", map[string]string{"kind": "bad"})
		letter("", map[string]string{"x-original-topic-offset": "7"})
		want(t, "spoilt", b.CheckDeadLetters(tb, dead, topic, sub, 0, 2, 7), false)
		tb.wantErrors(t,
			in+`letter 4: the payload is "worse", that of message 0 is "bad"`,
			in+`letter 5: attribute "kind" is "", that of message 0 is "bad"`,
			in+`letter 6: x-original-topic-offset is ""`,
			in+`letter 7: message 7 of /default/orders is not kept and cannot be compared`)
	}, danubetest.WithFailurePolicy("", policy))
}
