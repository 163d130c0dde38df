package danubetest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// trap runs a test in virtual time on a broker with some traps.
func trap(t *testing.T, f func(t *testing.T, b *danubetest.Broker, s *stubs), traps ...danubetest.Trap) {
	t.Helper()
	bubble(t, f, danubetest.WithTraps(traps...))
}

// got returns the offsets that come until the stream is quiet for 5 s. It ends it.
func (c *consumer) got() (list []uint64) {
	c.s.t.Helper()
	for {
		quiet := time.AfterFunc(5*time.Second, c.cancel)
		m, err := c.stream.Recv()
		quiet.Stop()
		if err != nil {
			return list
		}
		list = append(list, m.GetMsgId().GetTopicOffset())
	}
}

func TestTrapParked(t *testing.T) {
	parked := func(b *danubetest.Broker) bool { return info(t, b).Parked }
	t.Run("acked above an unsettled one", func(t *testing.T) {
		trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			p := s.producer(topic, "p")
			c := s.open(topic, sub, "c", exclusive)
			p.send(numbers(0, 3)...)
			c.offsets(3)
			c.nack(0, 0)
			c.ack(1, 2)
			time.Sleep(time.Hour)
			want(t, "parked", parked(b), true)
			c.ack(0) // waits, too late
			p.send("3")
			want(t, "then", c.got(), []int{3, 0})
		}, danubetest.TrapParked)
	})
	t.Run("loaded on a topic that is not empty", func(t *testing.T) {
		trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			p := s.producer(topic, "p")
			p.send("0")
			c := s.open(topic, sub, "c", exclusive)
			time.Sleep(time.Second)
			want(t, "parked", parked(b), true)
			p.send("1")
			want(t, "offset", c.offsets(1), []int{1})
			want(t, "parked", parked(b), false)
		}, danubetest.TrapParked)
	})
	t.Run("acked in order", func(t *testing.T) {
		trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			p := s.producer(topic, "p")
			c := s.open(topic, sub, "c", exclusive)
			for i := range 100 {
				p.send(numbers(0, 10)...)
				c.offsets(10)
				for o := range 10 {
					c.ack(uint64(10*i + o))
				}
				time.Sleep(time.Second)
				want(t, "parked", parked(b), false)
			}
		}, danubetest.TrapParked)
	})
}

func TestTrapTail(t *testing.T) {
	t.Run("away", func(t *testing.T) {
		for _, n := range []int{200, 256, 257, 1000} {
			trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
				s.producer(topic, "p")
				c := s.open(topic, sub, "c", exclusive)
				b.PublishN(topic, 1, func(int) []byte { return nil })
				c.ack(c.offsets(1)...)
				c.cancel()
				for s.check(asCons, c.id) == healthy {
				}
				b.PublishN(topic, n, func(int) []byte { return nil })
				c = s.open(topic, sub, "c", exclusive)
				first := c.offsets(1)[0]
				c.ack(first)
				have := 1
				for range min(n, 256) - 1 {
					c.ack(c.offsets(1)...)
					have++
				}
				i := info(t, b)
				lost := max(0, n-256)
				want(t, "first, skipped, cursor", []int{int(first), i.Skipped, int(i.Cursor)},
					[]int{1 + lost, lost, map[bool]int{true: n, false: 0}[lost == 0]})
				// A restart goes on at the cursor: what was skipped comes.
				s = restarted(t, b, false)
				if lost > 0 {
					want(t, "after a restart", s.open(topic, sub, "c", exclusive).offsets(2), []int{1, 2})
				}
			}, danubetest.TrapTail)
		}
	})
	t.Run("slow", func(t *testing.T) {
		trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			s.producer(topic, "p")
			c := s.open(topic, sub, "c", exclusive)
			b.PublishN(topic, 3000, func(int) []byte { return nil })
			want(t, "first", c.offsets(10), []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
			c.ack(0)
			want(t, "next", c.offsets(1), []int{3000 - 256})
		}, danubetest.TrapTail)
	})
}

func TestTrapNoStream(t *testing.T) {
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.subscribe(topic, sub, "c", exclusive)
		send := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := p.s.producers.SendMessage(ctx, p.message("x"))
			return err
		}
		n := 0
		for send() == nil {
			n++
		}
		want(t, "messages before publishers wait", n, 37)
		want(t, "parked", info(t, b).Parked, true)
		done := make(chan error)
		go func() { done <- send() }()
		time.Sleep(time.Second)
		c.receive()
		must(t, <-done)
		want(t, "the window", c.offsets(10), []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
		want(t, "parked", info(t, b).Parked, false)
		c.ack(0)
		want(t, "stored, though their publishers gave up", []any{c.offsets(1), b.Topics()[0].Published}, "[[10] 39]")
	}, danubetest.TrapNoStream)
}

func TestTrapStale(t *testing.T) {
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		h := b.Fault(danubetest.Fault{Methods: only(mDelivery), Hang: true}) // the stream does not keep up
		p.send(numbers(0, 10)...)
		must(t, h.Wait(t.Context(), 1))
		c.cancel()
		for s.check(asCons, c.id) == healthy {
		}
		h.Remove()
		c.receive()
		want(t, "offsets", c.got(), []int{4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	}, danubetest.TrapStale)
}

func TestTrapSilentMove(t *testing.T) {
	silent := func(ack []uint64, traps ...danubetest.Trap) (is bool) {
		cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
			p := s[0].producer(topic, "p")
			c := s[0].open(topic, sub, "c", exclusive)
			p.send(numbers(0, 2)...)
			c.offsets(2)
			c.ack(ack...)
			must(t, b.MoveTopic(topic, 2))
			want(t, "health", s[0].check(asCons, c.id), closed)
			stop := time.AfterFunc(time.Hour, c.cancel)
			defer stop.Stop()
			_, err := c.stream.Recv()
			is = code(err) == codes.Canceled
		}, danubetest.WithTraps(append(traps, danubetest.TrapSilentMove)...))
		return is
	}
	want(t, "alone", silent(nil), true)
	want(t, "not parked", silent([]uint64{0, 1}, danubetest.TrapParked), false)
	want(t, "parked", silent([]uint64{1}, danubetest.TrapParked), true)
}

func TestTrapPrefix(t *testing.T) {
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer("/default/a-b", "p")
		_, err := s.tryProducer("/default/a", "p")
		wantStatus(t, err, codes.AlreadyExists, "partitioned topics with this base name already exist")
		r, err := s.discovery.TopicPartitions(t.Context(), &pb.TopicLookupRequest{Topic: "/default/a"})
		must(t, err)
		want(t, "partitions", r.GetPartitions(), []string{"/default/a-b"})
		s.producer("/default/a-b-c", "p") // the other way round it works
	}, danubetest.TrapPrefix)
}

func TestTrapBurst(t *testing.T) {
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		must(t, b.CreateTopic(topic, danubetest.TopicConfig{Dispatch: danubetest.NonReliable}))
		c := s.open(topic, sub, "c", exclusive)
		h := b.Fault(danubetest.Fault{Methods: only(mDelivery), Hang: true})
		b.PublishN(topic, 100, func(i int) []byte { return []byte(numbers(i, i+1)[0]) })
		h.Remove()
		var got []string
		for range 8 {
			got = append(got, string(c.next().GetPayload()))
		}
		want(t, "payloads", strings.Join(got, " "), "0 1 2 3 4 5 6 7")
		c.quiet(time.Second)
		want(t, "dropped", info(t, b).Dropped, 92)
	}, danubetest.TrapBurst)
}

func TestTrapOptions(t *testing.T) {
	for _, o := range []danubetest.Option{danubetest.WithTraps(0), danubetest.WithoutTraps(99), danubetest.WithProfile(7)} {
		if _, err := danubetest.New(o); err == nil {
			t.Error("nonsense was taken")
		}
	}
	want(t, "names", []danubetest.Trap{danubetest.TrapUnflushed, danubetest.TrapBurst, 77}, "[Unflushed Burst unknown]")
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer("/default/a-b", "p")
		s.producer("/default/a", "p")
	}, danubetest.WithTraps(danubetest.TrapPrefix), danubetest.WithoutTraps(danubetest.TrapPrefix))
}

// A parked dispatcher does not hear that its topic is deleted, nor stores its cursor when
// it moves.
func TestTrapParkedHearsNothing(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		p := s[0].producer(topic, "p")
		c, d := s[0].open(topic, sub, "c", exclusive), s[0].open(topic, "free", "c", exclusive)
		p.send(numbers(0, 3)...)
		c.offsets(3)
		c.ack(0, 2) // and now it is parked: 1 is missing
		d.offsets(3)
		d.ack(0, 1)
		must(t, b.MoveTopic(topic, 2))
		time.Sleep(5 * time.Second)
		want(t, "with a cursor", s[1].open(topic, "free", "c", exclusive).offsets(1), []uint64{2})
		s[1].open(topic, sub, "c", exclusive).quiet(time.Minute)
	}, danubetest.WithTraps(danubetest.TrapParked, danubetest.TrapCursor, danubetest.TrapLatest))
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c, d := s.open(topic, sub, "c", exclusive), s.open(topic, "free", "c", exclusive)
		p.send(numbers(0, 2)...)
		c.offsets(2)
		c.ack(1)
		d.offsets(2)
		d.ack(0, 1)
		must(t, b.DeleteTopic(topic))
		wantEOF(t, d)
		c.quiet(time.Hour)
	}, danubetest.TrapParked, danubetest.TrapSilentMove)
}

func TestTrapOrphan(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		must(t, b.CreateTopic(topic, danubetest.TopicConfig{Dispatch: danubetest.NonReliable}))
		must(t, b.MoveTopic(topic, 2))
		time.Sleep(time.Hour)
		for _, x := range s {
			want(t, "lookup", where(x, b, topic), "nowhere")
			_, err := x.trySubscribe(topic, sub, "c", exclusive)
			wantStatus(t, err, codes.Unavailable, "redo the Lookup")
		}
	}, danubetest.WithTraps(danubetest.TrapOrphan))
}
