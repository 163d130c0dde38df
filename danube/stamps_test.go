package danube_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// of lists those of one kind as "from-to".
func (r *anomalies) of(kind danube.AnomalyKind) (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.list {
		if a.Kind == kind {
			list = append(list, fmt.Sprintf("%d-%d", a.From, a.To))
		}
	}
	return list
}

// A topic is numbered anew and has lost messages: its offsets do not show how many, the
// stamps do, whether messages are received or handled.
func TestStampsShowWhatARestartHasLost(t *testing.T) {
	for _, how := range []string{"received", "handled"} {
		t.Run(how, func(t *testing.T) {
			embedded(t, func(l *lab) {
				var said anomalies
				topic, client := l.topic(), l.open()
				came := make(chan *danube.Message, 100)
				con := l.consumer(client, topic, func(c *danube.ConsumerConfig) {
					c.OnAnomaly, c.Stamps = said.add, new(danube.StampTracker)
					if how == "handled" {
						c.Handler = func(m *danube.Message) { came <- m }
					}
				})
				next := func(want string) *danube.Message {
					l.Helper()
					if how == "received" {
						return l.receive(con, want)[0]
					}
					m := <-came
					if string(m.Payload) != want {
						l.Fatalf("got %q, want %q", m.Payload, want)
					}
					return m
				}
				l.pass(2 * time.Second) // a producer that is opened later is known from its start
				p := l.producer(client, topic, func(c *danube.ProducerConfig) { c.Stamp = true })
				l.send(p, "a", "b")
				for _, s := range []string{"a", "b"} {
					m := next(s)
					if stamp := m.Attributes[danube.AttrStamp]; !strings.HasPrefix(stamp, "p/") {
						l.Fatalf("the stamp is %q", stamp)
					}
					l.ack(con, m)
				}
				con.Pause()
				l.send(p, "lost", "lost", "lost")
				l.must(l.broker.DeleteTopic(topic))
				l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
				con.Resume()
				l.pass(10 * time.Second)
				l.send(p, "c", "d")
				l.ack(con, next("c"))
				l.ack(con, next("d"))
				if got := said.of(danube.StampGap); !slices.Equal(got, []string{"3-5"}) {
					l.Errorf("lost by their stamps: %v, want 3-5", got)
				}
				if got := said.of(danube.GapFound); got != nil {
					l.Errorf("lost by their offsets: %v, want nothing: they begin again", got)
				}
			})
		})
	}
}

// The consumers of one subscription share a tracker: what is lost between two of them
// shows, and so does what comes again because the first had not acknowledged it. What
// one had received and not handed out is no news when the next one gets it.
func TestStampsOverTwoConsumers(t *testing.T) {
	embedded(t, func(l *lab) {
		var said anomalies
		var tracker danube.StampTracker
		topic, client := l.topic(), l.open()
		open := func() *danube.Consumer {
			return l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnAnomaly, c.Stamps = said.add, &tracker })
		}
		con := open()
		p := l.producer(client, topic, func(c *danube.ProducerConfig) { c.Stamp = true })
		l.send(p, "a", "b", "c", "d")
		l.ack(con, l.receive(con, "a", "b")[0]) // not b
		l.pass(time.Second)                     // c and d wait for Receive
		l.must(con.Close(l.soon()))

		con = open()
		l.ack(con, l.receive(con, "b", "c", "d")...)
		if got := said.of(danube.StampRepeated); !slices.Equal(got, []string{"2-2"}) {
			l.Errorf("again: %v, want 2-2, of which there was no ack", got)
		}
		l.must(con.Close(l.soon()))

		l.send(p, "lost")
		l.must(l.broker.DeleteTopic(topic))
		l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
		con = open()
		l.pass(10 * time.Second)
		l.send(p, "e")
		l.ack(con, l.receive(con, "e")...)
		if got := said.of(danube.StampGap); !slices.Equal(got, []string{"5-5"}) {
			l.Errorf("lost: %v, want 5-5", got)
		}
	})
}
