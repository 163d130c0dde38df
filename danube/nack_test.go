package danube_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestNackComesAgain(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		p := l.producer(client, topic)
		l.send(p, "a", "b", "c")
		list := l.receive(con, "a", "b", "c")
		l.must(con.Nack(l.soon(), list[0], 0, "not now"))
		if err := con.Ack(list[0]); !errors.Is(err, danube.ErrInvalid) {
			l.Errorf("an ack after the nack: got %v, want ErrInvalid", err)
		}
		l.ack(con, list[1], list[2]) // c waits for a
		again := l.receive(con, "a")[0]
		if again.ID() != list[0].ID() {
			l.Errorf("another message came: %+v", again.ID())
		}
		l.ack(con, again)
		l.send(p, "d")
		l.ack(con, l.receive(con, "d")...)
		if l.broker != nil {
			l.broker.CheckNoUnacked(l, topic, "s")
			if d := l.broker.Messages(topic)[0].Deliveries; len(d) != 2 || d[0].NackReason != "not now" || d[0].Outcome != danubetest.Nacked {
				l.Errorf("deliveries of a: %+v", d)
			}
		}
	})
}

// A message that was nacked is still this consumer's to settle only when it came again.
func TestNackWithDelay(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		l.send(l.producer(client, topic), "a")
		m := l.receive(con, "a")[0]
		start := time.Now()
		l.must(con.Nack(l.soon(), m, 20*time.Second, ""))
		l.ack(con, l.receive(con, "a")...)
		if d := time.Since(start); d < 20*time.Second || d > 21*time.Second {
			l.Errorf("it came again after %v, want 20 s", d)
		}
	})
}

// Topics that are not reliable have no offsets: everything is at 0, and acks mean
// nothing.
func TestNonReliable(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		p := l.producer(client, topic, func(c *danube.ProducerConfig) { c.Dispatch = danube.NonReliable })
		con := l.consumer(client, topic)
		var list []*danube.Message
		for _, s := range series("m", 20) { // one at a time: more than eight behind are dropped
			l.send(p, s)
			list = append(list, l.receive(con, s)...)
		}
		slices.Reverse(list)
		l.ack(con, list...)
		l.must(con.Close(l.soon()))
	})
}
