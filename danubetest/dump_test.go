package danubetest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestDump(t *testing.T) {
	dump := func() (text string) {
		bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			p := s.producer(topic, "p")
			must(t, b.CreateTopic("/default/b", danubetest.TopicConfig{Partitions: 11, Dispatch: danubetest.NonReliable}))
			c := s.open(topic, sub, "c", exclusive)
			p.send("one", "two")
			c.offsets(2)
			time.Sleep(1234 * time.Millisecond)
			c.ack(0)
			c.nack(1, 5*time.Second)
			b.Publish(topic, []byte(strings.Repeat("x", 100)), danubetest.PubOpts{Key: "k"})
			b.Fault(danubetest.Fault{Optional: true, Topic: topic, Delay: time.Second, Offsets: []uint64{1}})
			text = b.Dump()
		})
		return text
	}
	text := dump()
	if again := dump(); again != text {
		t.Errorf("not stable:\n%s\n%s", text, again)
	}
	head := `broker, 1.234s after its start
`
	const tail = `topic /default/orders, Reliable, 3 published, 3 kept
  producer p, 2 sent
  message 0 at 0s from p: "one"
    s to c at 0s, attempt 1: acked at 1.234s
  message 1 at 0s from p: "two"
    s to c at 0s, attempt 1: nacked at 1.234s ("because")
  message 2 at 1.234s from danubetest key "k": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    s to c at 1.234s, attempt 1: in flight
  subscription s, Exclusive, cursor 0: 1 pending, 1 of them again, 1 in flight, 1 acked, 1 nacked, 0 timed out, 0 dropped
    consumer c, active true, stream true, 1 in flight, 3 delivered
    1 is to be sent again at 6.234s, after 1 attempts
    2 awaits an ack from c until 31.234s, attempt 1
fault 1 (topic=/default/orders, offsets=[1], delay 1s): 0 hits
calls of CreateProducer: 1 OK
calls of SendMessage: 2 OK
calls of Subscribe: 1 OK
calls of ReceiveMessages: 1 OK
calls of Ack: 1 OK
calls of Nack: 1 OK
`
	if !strings.HasPrefix(text, head) || !strings.HasSuffix(text, tail) ||
		strings.Index(text, "b-part-2,") > strings.Index(text, "b-part-10,") {
		t.Errorf("got:\n%s\nwant:\n%s...\n%s", text, head, tail)
	}
}

func TestDumpShowsTheNewestMessages(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		_, err := b.PublishN(topic, 60, func(i int) []byte { return []byte("x") })
		must(t, err)
		if d := b.Dump(); !strings.Contains(d, "(10 older messages)") || strings.Contains(d, "message 9 ") || !strings.Contains(d, "message 59 ") {
			t.Error(d)
		}
	})
}
