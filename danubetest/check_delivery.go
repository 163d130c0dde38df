package danubetest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// CheckAtLeastOnce fails the test unless every message of a reliable topic since the
// beginning of a subscription was acknowledged there. Other than for
// [Broker.CheckNoUnacked] it is not enough that the subscription is done with a message:
// one that was skipped, or that the failure policy gave up, is missing, also when it went
// to a dead letter topic ([Broker.CheckDeadLetters] looks there). What a kill has lost
// ([TopicInfo].Lost) is not there to be looked at, nor what [WithForgetAcked] has dropped.
// Topic may be the base name of a partitioned topic. It says whether nothing is missing.
func (b *Broker) CheckAtLeastOnce(t TB, topic, subscription string) bool {
	t.Helper()
	var missing []string
	problem := fmt.Sprintf("no subscription %s on %s", subscription, topic)
	b.do(func(c *core) {
		for _, tp := range c.find(topic) {
			s := tp.sub(subscription)
			switch {
			case s == nil:
				problem = fmt.Sprintf("no subscription %s on %s", subscription, tp.name)
				return
			case tp.dispatch != Reliable:
				problem = fmt.Sprintf("%s is not a reliable topic: nothing is acknowledged there", tp.name)
				return
			}
			problem = ""
			for _, m := range slices.Concat(tp.past, tp.log.all()) {
				if m.epoch > s.from.epoch || m.epoch == s.from.epoch && m.place >= s.from.offset {
					if why := m.unacked(s); why != "" {
						missing = append(missing, fmt.Sprintf("%d of %s (%s)", m.place, tp.name, why))
					}
				}
			}
		}
	})
	const shown = 10
	switch n := len(missing); {
	case problem != "":
	case n == 0:
		return true
	case n > shown:
		problem = fmt.Sprintf("%d messages were not acked in subscription %s: %s and %d more", n, subscription, strings.Join(missing[:shown], ", "), n-shown)
	default:
		problem = fmt.Sprintf("%d messages were not acked in subscription %s: %s", n, subscription, strings.Join(missing, ", "))
	}
	t.Errorf("danubetest: %s", problem)
	return false
}

// unacked says what became of a message that was never acknowledged, or nothing.
func (m *stored) unacked(s *subscription) (why string) {
	why = "never delivered"
	for _, d := range m.deliveries {
		switch {
		case d.sub != s:
		case d.outcome == Acked:
			return ""
		default:
			why = d.outcome.String()
		}
	}
	return why
}

// CheckDeadLetters fails the test unless a dead letter topic has the messages at those
// offsets of a topic and no others of it, as far as they come from a subscription: each at
// least once, in any order, with the payload and the attributes of the original. It goes
// by the attributes x-original-..., which the broker's own dead letters have (see
// [FailurePolicy]), and those of a sink. Topic is one on the wire, so a partition has its
// suffix. It says whether all is as it should be.
func (b *Broker) CheckDeadLetters(t TB, deadLetterTopic, topic, subscription string, offsets ...uint64) bool {
	t.Helper()
	ok := true
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("danubetest: dead letters in %s of subscription %s: "+format, append([]any{deadLetterTopic, subscription}, args...)...)
		ok = false
	}
	originals := make(map[uint64]Message)
	for _, m := range b.Messages(topic) {
		originals[m.Offset] = m
	}
	found := make(map[uint64]bool)
	for _, l := range b.Messages(deadLetterTopic) {
		if l.Attributes["x-original-topic"] != topic || l.Attributes["x-original-subscription"] != subscription {
			continue
		}
		offset, err := strconv.ParseUint(l.Attributes["x-original-topic-offset"], 10, 64)
		if err != nil {
			fail("letter %d: x-original-topic-offset is %q", l.Offset, l.Attributes["x-original-topic-offset"])
			continue
		}
		found[offset] = true
		m, kept := originals[offset]
		switch {
		case !slices.Contains(offsets, offset):
			fail("letter %d is message %d of %s, which should not be there: %q", l.Offset, offset, topic, l.Attributes["x-failure-reason"])
		case !kept:
			fail("letter %d: message %d of %s is not kept and cannot be compared", l.Offset, offset, topic)
		case !bytes.Equal(l.Payload, m.Payload):
			fail("letter %d: the payload is %q, that of message %d is %q", l.Offset, l.Payload, offset, m.Payload)
		}
		for name, value := range m.Attributes {
			if got, there := l.Attributes[name]; !there || got != value {
				fail("letter %d: attribute %q is %q, that of message %d is %q", l.Offset, name, got, offset, value)
			}
		}
	}
	for _, o := range offsets {
		if !found[o] {
			fail("message %d of %s is missing", o, topic)
		}
	}
	return ok
}
