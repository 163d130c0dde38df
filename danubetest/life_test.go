package danubetest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// stopAndStart is a stop under a connected client, over whatever the options say.
func stopAndStart(t *testing.T, opts ...danubetest.Option) {
	b := danubetest.Run(t, opts...)
	s := dial(t, b)
	p := s.producer(topic, "p")
	c := s.open(topic, sub, "c", exclusive)
	p.send("a", "b", "c", "d")
	c.offsets(4)
	c.ack(0, 2) // 2 is above the cursor and will be forgotten

	ended := make(chan error)
	go func() {
		_, err := c.stream.Recv()
		ended <- err
	}()
	url := b.URL()
	b.Stop()
	b.Stop()
	want(t, "the stream's end", status.Code(<-ended), codes.Unavailable)
	wantStatus(t, p.trySend("e"), codes.Unavailable, "")
	_, err := b.Publish(topic, []byte("e")) // arranging works meanwhile
	must(t, err)
	want(t, "consumers", len(b.Consumers()), 0)
	want(t, "producers", len(b.Producers()), 0)
	must(t, b.Start())
	want(t, "url", b.URL(), url)
	if err := b.Start(); err == nil {
		t.Error("a second start went well")
	}

	// The same connection comes back by itself.
	_, err = s.producers.SendMessage(t.Context(), p.message("x"), grpc.WaitForReady(true))
	wantStatus(t, err, codes.NotFound, "The producer with id")
	_, err = s.consumers.Ack(t.Context(), &pb.AckRequest{MsgId: c.msgID(1), SubscriptionName: sub})
	must(t, err)
	want(t, "health", []any{s.check(asProd, p.id), s.check(asCons, c.id)}, []any{closed, closed})
	p = s.producer(topic, "p")
	c = s.open(topic, sub, "another name", shared) // the old one is forgotten
	want(t, "offsets", c.offsets(4), []int{1, 2, 3, 4})
	c.ack(1, 2, 3, 4)
	i := info(t, b)
	want(t, "acked, cursor, attempts", []any{i.Acked, i.Cursor, b.Messages(topic)[1].Deliveries[1].Attempt}, []any{5, 4, 1})

	// Waiting on an empty stream works after a restart too.
	go p.trySend("f")
	want(t, "payload", string(c.next().GetPayload()), "f")

	must(t, b.Close())
	must(t, b.Close())
	if err := b.Start(); err == nil {
		t.Error("started a closed broker")
	}
	want(t, "kept", len(b.Messages(topic)), 6)
	b.Publish(topic, []byte("g"))
	want(t, "kept", len(b.Messages(topic)), 7)
}

func TestStopAndStartTCP(t *testing.T) { stopAndStart(t) }

func TestStopAndStartBufconn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { stopAndStart(t, danubetest.WithBufconn()) })
}

func TestRestart(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		must(t, b.CreateTopic(topic, danubetest.TopicConfig{})) // on the first one
		p, c := s[0].producer(topic, "p"), s[0].open(topic, sub, "c", exclusive)
		p.send("0", "1")
		c.offsets(2)
		c.ack(0)
		must(t, b.KillBroker(2))
		must(t, b.Restart())
		_, err := c.stream.Recv()
		wantStatus(t, err, codes.Unavailable, "")
		want(t, "after the kill", b.Brokers()[1].Alive, true)
		s = dialAll(t, b)
		c = s[0].open(topic, sub, "c", exclusive)
		want(t, "offsets", c.offsets(1), []int{1})
		waiting := make(chan uint64)
		go func() { waiting <- c.next().GetMsgId().GetTopicOffset() }()
		synctest.Wait()
		s[0].producer(topic, "p").send("2")
		want(t, "what was waited for", <-waiting, 2)

		b.Stop()
		must(t, b.Restart())
		dialAll(t, b)[2].producer("/default/other", "p")
		must(t, b.Close())
		if err := b.Restart(); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("of a closed one: %v", err)
		}
	})
}

func TestDropStreams(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		must(t, b.CreateTopic("/default/a", danubetest.TopicConfig{Partitions: 2}))
		must(t, b.CreateTopic("/default/b", danubetest.TopicConfig{}))
		open := func() []*consumer {
			return []*consumer{
				s.open("/default/a-part-0", "s", "c", exclusive),
				s.open("/default/a-part-1", "s", "c", exclusive),
				s.open("/default/a-part-1", "t", "d", exclusive),
				s.open("/default/b", "s", "c", exclusive),
			}
		}
		for _, tc := range []struct {
			end  danubetest.StreamEnd
			sel  []danubetest.Selector
			want []int
		}{
			{danubetest.StreamEOF, nil, []int{0, 1, 2, 3}},
			{danubetest.StreamUnavailable, []danubetest.Selector{{Topic: "/default/a"}}, []int{0, 1, 2}},
			{danubetest.StreamInternal, []danubetest.Selector{{Topic: "/default/a-part-1"}}, []int{1, 2}},
			{danubetest.StreamEOF, []danubetest.Selector{{Subscription: "t"}, {Topic: "/default/b"}}, []int{2, 3}},
			{danubetest.StreamEOF, []danubetest.Selector{{Consumer: "c", Topic: "/default/a"}}, []int{0, 1}},
			{danubetest.StreamEOF, []danubetest.Selector{{Consumer: "x"}}, nil},
		} {
			all := open()
			want(t, "ended", b.DropStreams(tc.end, tc.sel...), len(tc.want))
			for _, i := range tc.want {
				_, err := all[i].stream.Recv()
				code := map[danubetest.StreamEnd]codes.Code{danubetest.StreamUnavailable: codes.Unavailable, danubetest.StreamInternal: codes.Internal}
				if tc.end == danubetest.StreamEOF {
					want(t, "end", err.Error(), "EOF")
				} else {
					want(t, "end", status.Code(err), code[tc.end])
				}
				want(t, "health", s.check(asCons, all[i].id), closed)
			}
			open := 0
			for _, c := range b.Consumers() {
				if c.Streaming {
					open++
				}
			}
			want(t, "left open", open, 4-len(tc.want))
		}
	})
}

func TestDroppedStreamLeavesItsMessages(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("a")
		c.offsets(1)
		b.DropStreams(danubetest.StreamUnavailable)
		want(t, "retrying", info(t, b).Retrying, 1)
		want(t, "outcome", b.Messages(topic)[0].Deliveries[0].Outcome, danubetest.Lost)
		c.receive()
		want(t, "again", c.offsets(1), []int{0})
	})
}

func TestDropStreamsNonsense(t *testing.T) {
	tb := new(fakeTB)
	tb.run(func(tb danubetest.TB) { danubetest.Run(tb).DropStreams(0) })
	want(t, "failures", tb.fatal, []string{"danubetest: drop streams: end 0 is unknown"})
}

func TestCloseClient(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		b.CloseClient("c")
		b.CloseClient("p")
		b.CloseClient("nobody") // must not fail the test
		want(t, "first", []any{s.check(asProd, p.id), s.check(asCons, c.id)}, []any{closed, closed})
		want(t, "second", []any{s.check(asProd, p.id), s.check(asCons, c.id)}, []any{healthy, healthy})
	})
}

func TestTakeover(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("a")
		c.offsets(1)
		must(t, b.Takeover(topic, sub, "c"))
		wantEOF(t, c)
		want(t, "health", s.check(asCons, c.id), healthy)
		p.send("b")
		want(t, "in flight", info(t, b).InFlight, 0)
		c.receive()
		want(t, "again", c.offsets(2), []int{0, 1})
		for _, args := range [][3]string{{topic, sub, "x"}, {topic, "x", "c"}, {"/default/x", sub, "c"}} {
			if err := b.Takeover(args[0], args[1], args[2]); err == nil {
				t.Errorf("takeover of %v went well", args)
			}
		}
	})
}

func TestSecondStreamGetsWhatTheFirstHadNotSent(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		h := b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodDelivery}, Hang: true})
		p.send("a", "b", "c")
		must(t, h.Wait(t.Context(), 1))
		h.Remove()
		want(t, "a", c.offsets(1), []int{0})
		synctest.Wait() // b and c are on their way
		h = b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodDelivery}, Hang: true})
		p.send("d", "e")
		second := *c
		second.receive()
		want(t, "first stream", c.offsets(2), []int{1, 2})
		wantEOF(t, c)
		h.Remove()
		want(t, "second stream", second.offsets(5), []int{3, 4, 0, 1, 2})
	})
}

func TestUnspecifiedHost(t *testing.T) {
	b := danubetest.Run(t, danubetest.WithAddr("0.0.0.0:0"))
	s := dial(t, b)
	s.producer(topic, "p")
	r, err := s.discovery.TopicLookup(t.Context(), &pb.TopicLookupRequest{Topic: topic})
	must(t, err)
	want(t, "url", r.GetConnectUrl(), b.URL())
	b.Stop()
	must(t, b.Start())
	dial(t, b).producer(topic, "p")
}

func TestAddressInUse(t *testing.T) {
	b := danubetest.Run(t)
	if _, err := danubetest.New(danubetest.WithAddr(b.URL()[len("http://"):])); err == nil {
		t.Error("two brokers on one port")
	}
}

func TestClientsMayPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := danubetest.Run(t, danubetest.WithBufconn())
		conn, err := b.Dial(grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}))
		must(t, err)
		defer conn.Close()
		s := newStubs(t, conn)
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		time.Sleep(time.Hour)
		p.send("x")
		want(t, "offset", c.offsets(1), []int{0}) // on the stream of an hour ago
	})
}
