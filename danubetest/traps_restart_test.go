package danubetest_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// restarted stops and starts a broker, or kills it, and connects anew.
func restarted(t *testing.T, b *danubetest.Broker, kill bool) *stubs {
	t.Helper()
	if kill {
		must(t, b.KillBroker(1))
	} else {
		b.Stop()
	}
	must(t, b.Start())
	return dial(t, b)
}

func TestTrapUnflushed(t *testing.T) {
	for _, tc := range []struct {
		kill bool
		want []string
	}{{true, []string{"old"}}, {false, []string{"old", "new"}}} {
		trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			p := s.producer(topic, "p")
			p.send("old")
			time.Sleep(6 * time.Second)
			p.send("new")
			restarted(t, b, tc.kill)
			b.CheckPayloads(t, topic, tc.want...)
			ti := b.Topics()[0]
			want(t, "published, lost", []int{ti.Published, ti.Lost}, []int{2, 2 - len(tc.want)})
		}, danubetest.TrapUnflushed)
	}
}

func TestTrapLatest(t *testing.T) {
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		o := s.open(topic, "other", "c", exclusive)
		p.send(numbers(0, 5)...)
		c.offsets(5)
		o.offsets(5)
		o.ack(0, 1)
		s = restarted(t, b, false)
		_, err := s.consumers.Ack(t.Context(), &pb.AckRequest{MsgId: c.msgID(0), SubscriptionName: sub})
		wantStatus(t, err, codes.Internal, "Subscription not found")
		s.producer(topic, "p").send("5")
		c, o = s.open(topic, sub, "c", exclusive), s.open(topic, "other", "c", exclusive)
		s.producer(topic, "p").send("6")
		want(t, "without a cursor", c.got(), []int{6})
		want(t, "with a cursor", o.got(), []int{2, 3, 4, 5, 6})
	}, danubetest.TrapLatest)
}

func TestTrapCursor(t *testing.T) {
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send(numbers(0, 6)...)
		c.offsets(6)
		c.ack(0, 1)
		time.Sleep(10 * time.Second)
		c.ack(2) // stores the cursor
		time.Sleep(9 * time.Second)
		c.ack(3, 4)
		s = restarted(t, b, false)
		want(t, "again", s.open(topic, sub, "c", exclusive).got(), []int{3, 4, 5})
	}, danubetest.TrapCursor)
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		p := s[0].producer(topic, "p")
		c := s[0].open(topic, sub, "c", exclusive)
		p.send(numbers(0, 3)...)
		c.offsets(3)
		c.ack(0, 1)
		must(t, b.MoveTopic(topic, 2))
		time.Sleep(time.Minute)
		want(t, "after a move", s[1].open(topic, sub, "c", exclusive).got(), []int{2})
	}, danubetest.WithTraps(danubetest.TrapCursor))
}

func TestTrapLag(t *testing.T) {
	for _, tc := range []struct{ behind, want int }{{2048, 2048}, {2049, 1024}, {40000, 1024}} {
		trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			p := s.producer(topic, "p")
			p.send("0")
			must(t, b.CreateSubscription(topic, sub, danubetest.SubOpts{From: danubetest.Earliest}))
			c := s.open(topic, sub, "c", exclusive)
			c.ack(c.offsets(1)...)
			c.cancel()
			for s.check(asCons, c.id) == healthy {
			}
			b.PublishN(topic, tc.behind, func(int) []byte { return nil })
			c = s.open(topic, sub, "c", exclusive)
			for range tc.want {
				c.ack(c.offsets(1)...)
			}
			if tc.want < tc.behind {
				p.send("later")
				c.quiet(time.Minute) // and silence
				s = restarted(t, b, false)
				want(t, "after a restart", s.open(topic, sub, "c", exclusive).offsets(1), []int{tc.want + 1})
			}
		}, danubetest.TrapLag)
	}
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		b.PublishN(topic, 1, func(int) []byte { return nil })
		must(t, b.CreateSubscription(topic, sub, danubetest.SubOpts{From: danubetest.Earliest}))
		b.PublishN(topic, 5000, func(int) []byte { return nil })
		c := s.open(topic, sub, "c", exclusive)
		for range 5001 {
			c.ack(c.offsets(1)...)
		}
	}, danubetest.WithTraps(danubetest.TrapLag), danubetest.WithCache(4000))
}

func TestTrapRenumber(t *testing.T) {
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		b.PublishN(topic, 8, func(int) []byte { return []byte("old") })
		c.offsets(8)
		c.ack(0, 1, 2)
		s = restarted(t, b, false)
		p := s.producer(topic, "p")
		c = s.open(topic, sub, "c", exclusive)
		p.send(numbers(0, 10)...)
		var got []string
		for range 7 {
			m := c.next()
			got = append(got, string(m.GetPayload()))
			c.ack(m.GetMsgId().GetTopicOffset())
		}
		want(t, "payloads", got, []string{"old", "old", "old", "old", "old", "8", "9"})
		c.quiet(time.Minute)
		var offsets []uint64
		for _, m := range b.Messages(topic) {
			if m.Epoch == 1 {
				offsets = append(offsets, m.Offset)
			}
		}
		want(t, "new offsets", offsets, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
		want(t, "published", b.Topics()[0].Published, 18)
	}, danubetest.TrapRenumber)
	// Another broker that takes over has not even the old ones.
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		p := s[0].producer(topic, "p")
		c := s[0].open(topic, sub, "c", exclusive)
		p.send(numbers(0, 5)...)
		c.offsets(5)
		c.ack(0, 1)
		must(t, b.KillBroker(1))
		time.Sleep(time.Minute)
		heir := s[b.Owner(topic)-1]
		c = heir.open(topic, sub, "c", exclusive)
		heir.producer(topic, "p").send(numbers(0, 4)...)
		want(t, "offsets", c.got(), []int{2, 3})
	}, danubetest.WithTraps(danubetest.TrapRenumber))
}
