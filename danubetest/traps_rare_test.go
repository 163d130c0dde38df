package danubetest_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// crowd sends n messages at the same time: the broker takes the first up when the others
// are there.
func crowd(t *testing.T, b *danubetest.Broker, p *producer, n int) {
	t.Helper()
	gate := make(chan struct{})
	h := b.Fault(danubetest.Fault{Methods: only(mSend), Observe: true, When: func(danubetest.Call) bool { <-gate; return true }})
	var done sync.WaitGroup
	for range n {
		m := p.message("x")
		done.Go(func() {
			if _, err := p.s.producers.SendMessage(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
	synctest.Wait()
	close(gate)
	done.Wait()
	h.Remove()
}

func TestTrapConcurrent(t *testing.T) {
	t.Run("at the newest message", func(t *testing.T) {
		trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			p := s.producer(topic, "p")
			c := s.open(topic, sub, "c", exclusive)
			crowd(t, b, p, 600)
			inversions, last, seen := 0, -1, map[uint64]bool{}
			for range 600 {
				o := c.offsets(1)[0]
				if int(o) < last {
					inversions++
				}
				last, seen[o] = int(o), true
				c.ack(o)
			}
			want(t, "inversions, messages", []int{inversions, len(seen)}, []int{1, 600})
			i := info(t, b)
			want(t, "cursor, pending, skipped", []int{int(i.Cursor), i.Pending, i.Skipped}, []int{599, 0, 0})
		}, danubetest.TrapConcurrent)
	})
	t.Run("from a cursor", func(t *testing.T) {
		trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			p := s.producer(topic, "p")
			p.send("0")
			must(t, b.CreateSubscription(topic, sub, danubetest.SubOpts{From: danubetest.Earliest}))
			c := s.open(topic, sub, "c", exclusive)
			c.ack(c.offsets(1)...)
			crowd(t, b, p, 600)
			stop := time.AfterFunc(time.Minute, c.cancel)
			defer stop.Stop()
			n := 1
			for {
				m, err := c.stream.Recv()
				if err != nil {
					break
				}
				c.ack(m.GetMsgId().GetTopicOffset())
				n++
			}
			if n > 500 {
				t.Errorf("%d messages came, want it to stop before", n)
			}
			s = restarted(t, b, false)
			want(t, "after a restart", s.open(topic, sub, "c", exclusive).offsets(1), []int{n})
		}, danubetest.TrapConcurrent)
	})
	t.Run("one after another", func(t *testing.T) {
		trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			p := s.producer(topic, "p")
			c := s.open(topic, sub, "c", exclusive)
			for i := range 600 {
				p.send("x")
				want(t, "offset", c.offsets(1), []int{i})
				c.ack(uint64(i))
			}
		}, danubetest.TrapConcurrent, danubetest.TrapHole)
	})
}

func TestTrapHole(t *testing.T) {
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		tail := s.open(topic, "tail", "c", exclusive)
		p.send("0")
		must(t, b.CreateSubscription(topic, sub, danubetest.SubOpts{From: danubetest.Earliest}))
		c := s.open(topic, sub, "c", exclusive)
		c.ack(c.offsets(1)...)
		tail.ack(tail.offsets(1)...)
		h := b.Fault(danubetest.Fault{Methods: only(mSend), Hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := s.producers.SendMessage(ctx, p.message("1"))
		cancel()
		want(t, "code", code(err), codes.DeadlineExceeded)
		synctest.Wait()
		h.Remove()
		p.send("2")
		want(t, "at the newest message", tail.offsets(1), []int{2})
		tail.ack(2)
		i, _ := b.Subscription(topic, "tail")
		want(t, "its cursor", i.Cursor, 0)
		c.quiet(time.Hour)
		s = restarted(t, b, false)
		want(t, "after a restart", s.open(topic, sub, "c", exclusive).offsets(2), []int{1, 2})
		want(t, "after a restart", s.open(topic, "tail", "c", exclusive).offsets(2), []int{1, 2})
	}, danubetest.TrapHole)
}

func TestTrapLocal(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		p := s[0].producer(topic, "p")
		c, d := s[0].open(topic, sub, "c", exclusive), s[0].open(topic, "done", "c", exclusive)
		p.send(numbers(0, 3)...)
		c.offsets(3)
		c.ack(0)
		d.ack(d.offsets(3)...)
		must(t, b.MoveTopic(topic, 2))
		time.Sleep(time.Minute)
		c, d = s[1].open(topic, sub, "c", exclusive), s[1].open(topic, "done", "c", exclusive)
		s[1].producer(topic, "p").send("3")
		want(t, "one that was done", d.offsets(1), []int{3})
		c.quiet(time.Hour)
	}, danubetest.WithTraps(danubetest.TrapLocal))
}

func TestTrapRate(t *testing.T) {
	for _, on := range []bool{true, false} {
		bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			p := s.producer(topic, "p")
			c := s.open(topic, sub, "c", exclusive)
			p.send(numbers(0, 8)...)
			start := time.Now()
			if on {
				want(t, "offsets", c.got(), []int{0, 1, 2})
				want(t, "skipped", info(t, b).Skipped, 5)
				p.send("8")
				want(t, "later", s.open(topic, sub, "c", exclusive).offsets(4), []int{0, 1, 2, 8})
				return
			}
			want(t, "offsets", c.offsets(8), []int{0, 1, 2, 3, 4, 5, 6, 7})
			want(t, "took", time.Since(start), 2*time.Second)
		}, danubetest.WithDispatchRate(3), pickOne(on, danubetest.WithTraps(danubetest.TrapRate), danubetest.WithTraps()))
	}
}

func TestTrapPrefixLookup(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		must(t, b.CreateTopic("/default/a", danubetest.TopicConfig{}))   // on broker 1
		must(t, b.CreateTopic("/default/a-b", danubetest.TopicConfig{})) // on broker 2
		must(t, b.MoveTopic("/default/a", 3))
		must(t, b.MoveTopic("/default/a-b", 1))
		time.Sleep(time.Minute)
		for i, want := range []string{b.URLs()[0], b.URLs()[0], b.URLs()[2]} {
			r, err := s[i].discovery.TopicLookup(t.Context(), &pb.TopicLookupRequest{Topic: "/default/a"})
			must(t, err)
			if r.GetConnectUrl() != want {
				t.Errorf("broker %d says %s, want %s", i+1, r.GetConnectUrl(), want)
			}
		}
		_, err := s[0].tryProducer("/default/a", "p")
		wantStatus(t, err, codes.Unavailable, "redo the Lookup")
	}, danubetest.WithTraps(danubetest.TrapPrefix))
}

func TestTrapRecreate(t *testing.T) {
	for _, on := range []bool{true, false} {
		bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			p := s.producer(topic, "p")
			c := s.open(topic, sub, "c", exclusive)
			p.send(numbers(0, 5)...)
			c.offsets(5)
			c.ack(0, 1, 2)
			_, _, err := b.RegisterSchema("old", "string", "")
			must(t, err)
			_, err = s.schemas.ConfigureTopicSchema(t.Context(), &schemapb.ConfigureTopicSchemaRequest{
				TopicName: topic, SchemaSubject: "old", ValidationPolicy: "enforce",
			})
			must(t, err)
			_, err = s.topics.DeleteTopic(t.Context(), &adminpb.TopicRequest{Name: topic})
			must(t, err)
			wantEOF(t, c)
			p = s.producer(topic, "p")
			if on {
				wantStatus(t, p.trySend("x"), codes.PermissionDenied, "missing schema_id")
				_, err = s.schemas.UpdateTopicValidationPolicy(t.Context(), &schemapb.UpdateTopicValidationPolicyRequest{TopicName: topic, ValidationPolicy: "none"})
				must(t, err)
			}
			c = s.open(topic, sub, "c", exclusive)
			p.send(numbers(0, 5)...)
			want(t, "offsets", c.got(), pickOne(on, "[3 4]", "[0 1 2 3 4]"))
		}, pickOne(on, danubetest.WithTraps(danubetest.TrapRecreate), danubetest.WithTraps()))
	}
}

func TestTrapFirstSubscribe(t *testing.T) {
	for _, on := range []bool{true, false} {
		bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			p := s.producer(topic, "p")
			gate := make(chan struct{})
			b.Fault(danubetest.Fault{Methods: only(danubetest.MethodSubscribe), Observe: true, When: func(danubetest.Call) bool { <-gate; return true }})
			var list [2]*consumer
			var done sync.WaitGroup
			for i, name := range []string{"c", "d"} {
				done.Go(func() { list[i], _ = s.trySubscribe(topic, sub, name, shared) })
			}
			synctest.Wait()
			close(gate)
			done.Wait()
			want(t, "consumers", len(info(t, b).Consumers), pickOne(on, 1, 2))
			known := 0
			for _, c := range list {
				if s.check(asCons, c.id) == healthy {
					c.receive()
					known++
				}
			}
			want(t, "known", known, pickOne(on, 1, 2))
			p.send("0") // to somebody
			must(t, b.WaitSubscription(t.Context(), topic, sub, func(i danubetest.SubscriptionInfo) bool { return i.InFlight == 1 }))
		}, pickOne(on, danubetest.WithTraps(danubetest.TrapFirstSubscribe), danubetest.WithTraps()))
	}
}

func TestTrapLateInactive(t *testing.T) {
	trap(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		d := s.open(topic, sub, "c", exclusive)
		wantEOF(t, c)
		p.send("0")
		want(t, "health", s.check(asCons, d.id), closed)
		d.quiet(time.Hour)
		want(t, "the next one", s.open(topic, sub, "c", exclusive).offsets(1), []int{0})
	}, danubetest.TrapLateInactive)
}

func TestCache(t *testing.T) {
	trap := danubetest.WithTraps(danubetest.TrapLag)
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		p.send("0")
		must(t, b.CreateSubscription(topic, sub, danubetest.SubOpts{From: danubetest.Earliest}))
		b.PublishN(topic, 5000, func(int) []byte { return nil })
		c := s.open(topic, sub, "c", exclusive)
		for range 5001 {
			c.ack(c.offsets(1)...)
		}
	}, trap, danubetest.WithCache(5000))
	_, err := danubetest.New(danubetest.WithCache(0), danubetest.WithDispatchRate(-1))
	want(t, "error", err != nil, true)
}
