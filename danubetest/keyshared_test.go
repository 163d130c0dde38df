package danubetest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

const (
	failover  = pb.ConsumerRequest_Failover
	keyShared = pb.ConsumerRequest_KeyShared
)

func TestKeyHash(t *testing.T) {
	for text, w := range map[string]uint32{
		"": 0xc610ff71, "a": 0x767d5927, "order-123": 0xcc728681, "payment": 0xfcf9e347, "shipping": 0x9d671a65,
		"user-42": 0xff5b4cce, "ключ": 0x40002198,
		"1-0": 0x457b844a, "1-99": 0x7c3dfa6a, "18446744073709551615-0": 0x6e78ac5f,
	} {
		want(t, text, fmt.Sprintf("%08x", danubetest.KeyHash(text)), fmt.Sprintf("%08x", w))
	}
}

// keyed publishes one message for each key.
func keyed(t *testing.T, b *danubetest.Broker, keys ...string) {
	t.Helper()
	for _, k := range keys {
		_, err := b.Publish(topic, []byte(k), danubetest.PubOpts{Key: k})
		must(t, err)
	}
}

// sendKey publishes the key under itself.
func (p *producer) sendKey(key string) {
	p.s.t.Helper()
	m := p.message(key)
	m.RoutingKey = &key
	_, err := p.s.producers.SendMessage(p.s.t.Context(), m)
	must(p.s.t, err)
}

// openKeys opens a KeyShared consumer with filters.
func (s *stubs) openKeys(topic, name string, filters ...string) *consumer {
	s.t.Helper()
	r, err := s.consumers.Subscribe(s.t.Context(), &pb.ConsumerRequest{
		TopicName: topic, ConsumerName: name, Subscription: sub, SubscriptionType: keyShared, KeyFilters: filters,
	})
	must(s.t, err)
	c := &consumer{s: s, id: r.GetConsumerId(), topic: topic, sub: sub}
	c.receive()
	return c
}

func TestFailoverNeverFailsOver(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c, d := s.open(topic, sub, "c", failover), s.open(topic, sub, "d", failover)
		p.send("0")
		want(t, "first", c.offsets(1), []int{0})
		c.cancel()
		for s.check(asCons, c.id) == healthy {
		}
		p.send("1")
		d.quiet(time.Hour)
		c.receive()
		want(t, "first, back", c.offsets(2), []int{0, 1})
		want(t, "type", info(t, b).Type, danubetest.Failover)
	})
}

func TestKeySharedOneAtATime(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		c := s.openKeys(topic, "c")
		keyed(t, b, "a", "a", "b", "a", "b")
		want(t, "first of each key", c.offsets(2), []int{0, 2})
		i := info(t, b)
		want(t, "in flight, pending", []int{i.InFlight, i.Pending}, []int{2, 3})
		c.ack(2)
		want(t, "next of b", c.offsets(1), []int{4})
		c.nack(0, 0)
		want(t, "a again", c.offsets(1), []int{0})
		c.ack(0)
		want(t, "next of a", c.offsets(1), []int{1})
		c.ack(1, 4)
		c.ack(c.offsets(1)...)
		b.CheckOrderPerKey(t, topic, sub)
		b.CheckNoUnacked(t, topic, sub)
	})
}

func TestKeySharedFiltersAndOwners(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		eu, us := s.openKeys(topic, "eu", "eu-*"), s.openKeys(topic, "us", "us-*", "ca-?")
		keyed(t, b, "eu-1", "us-1", "ca-1", "ca-22", "eu-2")
		want(t, "eu", eu.offsets(2), []int{0, 4})
		want(t, "us", us.offsets(2), []int{1, 2})
		want(t, "waits", info(t, b).Pending, 1)
		all := s.openKeys(topic, "all")
		want(t, "all", all.offsets(1), []int{3})
		// What its owner had goes to somebody else when it leaves.
		eu.cancel()
		want(t, "again", all.offsets(2), []int{0, 4})
	})
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		cs := []*consumer{s.openKeys(topic, "a"), s.openKeys(topic, "b"), s.openKeys(topic, "c")}
		var keys []string
		for i := range 300 {
			keys = append(keys, fmt.Sprint("key-", i))
		}
		keyed(t, b, keys...)
		total := 0
		for _, ci := range info(t, b).Consumers {
			if ci.Delivered < 20 {
				t.Errorf("consumer %s has %d of 300 keys", ci.Name, ci.Delivered)
			}
			total += ci.Delivered
		}
		want(t, "delivered", total, 300)
		_ = cs
	}, danubetest.WithMaxUnacked(1000))
}

func TestTrapKeyPace(t *testing.T) {
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		c := s.openKeys(topic, "c")
		for i := range 30 {
			keyed(t, b, fmt.Sprint(i))
		}
		start := time.Now()
		for range 30 {
			c.ack(c.offsets(1)...)
		}
		if d := time.Since(start); d < 9*time.Second || d > 11*time.Second {
			t.Errorf("30 messages, 10 of them at once, took %v, want about 10 s", d)
		}
	}, danubetest.TrapKeyPace)
}

func TestTrapKeyGone(t *testing.T) {
	for _, tc := range []struct {
		away time.Duration
		want []int
	}{{2 * time.Second, []int{0, 1}}, {5 * time.Second, nil}} {
		trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			s.producer(topic, "p")
			c := s.openKeys(topic, "c")
			keyed(t, b, "a")
			c.offsets(1)
			c.cancel()
			time.Sleep(tc.away)
			keyed(t, b, "b")
			c = s.openKeys(topic, "c")
			stop := time.AfterFunc(time.Minute, c.cancel)
			defer stop.Stop()
			var got []uint64
			for {
				m, err := c.stream.Recv()
				if err != nil {
					break
				}
				got = append(got, m.GetMsgId().GetTopicOffset())
				c.ack(m.GetMsgId().GetTopicOffset())
			}
			if tc.want == nil {
				want(t, "got", len(got), 0)
				want(t, "a fresh name", s.openKeys(topic, "fresh").offsets(1), []int{1})
				want(t, "lost", info(t, b).Dropped, 1)
				return
			}
			want(t, "got", got, "[1 0]") // the one in flight after its ack timeout
		}, danubetest.TrapKeyGone)
	}
}

func TestTrapKeySkip(t *testing.T) {
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		c := s.openKeys(topic, "c", "a*")
		keyed(t, b, "b", "a1")
		want(t, "offset", c.offsets(1), []int{1})
		c.ack(1)
		i := info(t, b)
		want(t, "skipped, cursor", []int{i.Skipped, int(i.Cursor)}, []int{1, 1})
	}, danubetest.TrapKeySkip)
}
