package danube_test

import (
	"testing"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// What the protocol cannot carry would fail at each attempt, and hold up everything
// behind it for ever.
func TestPublishTextThatIsNone(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic := l.topic()
		c := l.open()
		p := l.producer(c, topic, func(cfg *danube.ProducerConfig) { cfg.Stamp = true })
		con := l.consumer(c, topic)
		for _, m := range []*danube.Outgoing{
			{Key: "caf\xe9"},
			{Attributes: map[string]string{"name": "caf\xe9"}},
			{Attributes: map[string]string{"caf\xe9": "name"}},
			{Origin: "c/caf\xe9@1#0"},
		} {
			r, err := p.Send(l.soon(), m)
			l.want(err, danube.ErrInvalid, topic, "UTF-8")
			l.want(err, danube.ErrBadMessage)
			if r.Attempts != 0 {
				l.Errorf("receipt %+v, want no attempt", r)
			}
		}
		l.send(p, "after")
		m := l.receive(con, "after")[0]
		if n := m.RequestID & (1<<32 - 1); n != 1 {
			l.Errorf("the first message has the number %d", n)
		}
		l.ack(con, m)
	})
}
