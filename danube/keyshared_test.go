package danube_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// A KeyShared consumer that was away for three seconds is dead to the broker under its
// name, without a word. It comes back under another, though not for the first messages:
// those the broker still gives to the dead one.
func TestKeySharedComesBack(t *testing.T) {
	onReal(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		p := l.producer(client, topic)
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.Type = danube.KeyShared })
		for _, away := range []time.Duration{0, time.Second, 6 * time.Second} {
			con.Pause()
			l.pass(away)
			con.Resume()
			l.pass(2 * time.Second)
			for i := 0; ; i++ {
				if i == 40 {
					l.Fatalf("after %v away nothing comes", away)
				}
				_, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte("m"), Key: fmt.Sprint(i)})
				l.must(err)
				if m, err := con.Receive(l.within(500 * time.Millisecond)); err == nil {
					l.Logf("after %v away, message %d comes at offset %d", away, i, m.Offset)
					l.ack(con, m)
					break
				}
			}
		}
	})
}

func TestKeySharedNames(t *testing.T) {
	withBrokers(t, func(n *network) {
		b, client := n.brokers["seed:1"], n.open()
		keyShared := func(c *danube.ConsumerConfig) { c.Type = danube.KeyShared }
		con := n.consumer(client, "/default/t", keyShared)
		con.Pause()
		n.pass(time.Second)
		con.Resume()
		n.pass(time.Minute)
		con.Pause()
		n.pass(3 * time.Second)
		con.Resume()
		n.pass(time.Second)
		n.must(con.Close(n.soon()))
		n.consumer(client, "/default/t", keyShared)
		n.consumer(client, "/default/t")
		got := b.consumers()
		if len(got) != 5 || got[0] != got[1] || got[1] == got[2] || got[2] == got[3] || got[4] != "c" {
			n.Errorf("names: %v", got)
		}
		for _, name := range got {
			if !strings.HasPrefix(name, "c") {
				n.Errorf("name %q", name)
			}
		}
	}, "seed:1")
}

// A key goes to a consumer whose filters let it through, and one that none lets
// through to nobody, for good.
func TestKeyFilters(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		p := l.producer(client, topic)
		filtered := func(name string, filters ...string) *danube.Consumer {
			return l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.Name, c.Type, c.KeyFilters = name, danube.KeyShared, filters })
		}
		orders, users := filtered("orders", "order-*", "invoice-?"), filtered("users", "user-*")
		for _, key := range []string{"order-1", "user-1", "invoice-1", "invoice-10", "user-2"} {
			_, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte(key), Key: key})
			l.must(err)
		}
		l.send(p, "unkeyed")
		for _, want := range []string{"order-1", "invoice-1"} {
			l.ack(orders, l.receive(orders, want)...)
		}
		for _, want := range []string{"user-1", "user-2"} {
			l.ack(users, l.receive(users, want)...)
		}
		rest := filtered("rest")
		l.silent(rest, 3*time.Second)
		l.silent(orders, time.Second)
	}, danubetest.WithTraps(danubetest.TrapKeySkip))
}

func TestKeyFiltersConfig(t *testing.T) {
	l := &lab{T: t}
	client := l.open(func(c *danube.Config) { c.Seeds = []string{"a:1"} })
	for _, tt := range []struct {
		kind    danube.SubscriptionType
		filters []string
		say     string
	}{
		{danube.Exclusive, []string{"a"}, "type Exclusive"},
		{danube.KeyShared, []string{"a", ""}, `key filter ""`},
		{danube.KeyShared, []string{"a\xff"}, `a\xff`},
	} {
		_, err := client.NewConsumer(t.Context(), danube.ConsumerConfig{Topic: "/default/t", Subscription: "s", Name: "c", Type: tt.kind, KeyFilters: tt.filters})
		l.want(err, danube.ErrInvalid, tt.say)
	}
}
