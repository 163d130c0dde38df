package danubetest_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// dialAlert connects with a keepalive of 10 s and a patience of 5 s.
func dialAlert(t *testing.T, b *danubetest.Broker) *stubs {
	t.Helper()
	conn, err := b.Dial(grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return newStubs(t, conn)
}

// halfOpen is a connection that goes dead under a consumer, over whatever the options say.
func halfOpen(t *testing.T, b *danubetest.Broker, other *stubs) {
	s := dialAlert(t, b)
	p := other.producer(topic, "p")
	c := s.open(topic, sub, "c", exclusive)
	p.send("0")
	c.offsets(1)
	h := b.Fault(danubetest.HalfOpen("c"))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	_, err := s.health.HealthCheck(ctx, &pb.HealthCheckRequest{Client: asCons, Id: c.id})
	cancel()
	want(t, "the health check", code(err), codes.DeadlineExceeded)
	must(t, h.Wait(t.Context(), 1))
	p.send("1") // into nothing
	_, err = c.stream.Recv()
	wantStatus(t, err, codes.Unavailable, "keepalive")
	want(t, "for the broker it is there", other.check(asCons, c.id), healthy)
	want(t, "in flight", info(t, b).InFlight, 2)
	h.Remove()
	must(t, b.WaitSubscription(t.Context(), topic, sub, func(i danubetest.SubscriptionInfo) bool { return !i.Consumers[0].Active }))
	want(t, "a new connection", other.open(topic, sub, "c", exclusive).offsets(2), []int{0, 1})
}

func TestHalfOpenBufconn(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) { halfOpen(t, b, s) })
}

func TestHalfOpenTCP(t *testing.T) {
	t.Parallel() // it takes the keepalive's 15 s
	b := danubetest.Run(t)
	halfOpen(t, b, dial(t, b))
}

func TestDeadConnection(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		for _, after := range []bool{false, true} {
			stored := len(b.Messages(topic))
			b.Fault(danubetest.Fault{Methods: only(mSend), Dead: true, AfterApply: after})
			q := &producer{s: dialAlert(t, b), id: p.id, topic: topic, name: "p"}
			wantStatus(t, q.trySend("x"), codes.Unavailable, "keepalive")
			want(t, "stored", len(b.Messages(topic))-stored, pickOne(after, 1, 0))
			must(t, q.trySend("y")) // on a new connection
		}
		// A delivery can take its connection with it.
		c := dialAlert(t, b).open(topic, sub, "c", exclusive)
		b.Fault(danubetest.Fault{Methods: only(mDelivery), Dead: true})
		p.send("z")
		_, err := c.stream.Recv()
		wantStatus(t, err, codes.Unavailable, "keepalive")
		// A broker that stops lets nothing hang.
		b.Stop()
	})
}

func TestCutConnection(t *testing.T) {
	for _, transport := range []string{"memory", "TCP"} {
		t.Run(transport, func(t *testing.T) {
			run := func(t *testing.T, b *danubetest.Broker, s *stubs) {
				p := s.producer(topic, "p")
				c := s.open(topic, sub, "c", exclusive)
				h := b.Fault(danubetest.Fault{Methods: only(mSend), Cut: true, AfterApply: true})
				want(t, "send", code(p.trySend("0")), codes.Unavailable)
				want(t, "hits", h.Hits(), 1)
				_, err := c.stream.Recv() // the message, or the end of the connection
				for err == nil {
					_, err = c.stream.Recv()
				}
				want(t, "stream", code(err), codes.Unavailable)
				b.CheckPayloads(t, topic, "0")
				_, err = s.producers.SendMessage(t.Context(), p.message("1"), grpc.WaitForReady(true))
				must(t, err)
				c = s.open(topic, sub, "c", exclusive)
				want(t, "again", c.offsets(2), []int{0, 1})
				b.Fault(danubetest.Fault{Methods: only(mDelivery), Cut: true})
				p.trySend("2") // its connection is cut too
				for err = nil; err == nil; {
					_, err = c.stream.Recv()
				}
				want(t, "stream", code(err), codes.Unavailable)
			}
			if transport == "TCP" {
				b := danubetest.Run(t)
				run(t, b, dial(t, b))
				return
			}
			bubble(t, run)
		})
	}
}

func TestRedirectToNowhere(t *testing.T) {
	for _, transport := range []string{"memory", "TCP"} {
		t.Run(transport, func(t *testing.T) {
			run := func(t *testing.T, b *danubetest.Broker, s *stubs) {
				s.producer(topic, "p")
				lookup := func() *pb.TopicLookupResponse {
					r, err := s.discovery.TopicLookup(t.Context(), &pb.TopicLookupRequest{Topic: topic})
					must(t, err)
					return r
				}
				h := b.Fault(danubetest.Fault{Redirect: b.DeadURL(), Topic: topic})
				r := lookup()
				want(t, "answer", []any{r.GetResponseType(), r.GetConnectUrl(), r.GetBrokerUrl(), r.GetProxy()},
					[]any{pb.TopicLookupResponse_Redirect, b.DeadURL(), b.DeadURL(), false})
				must(t, h.Wait(t.Context(), 1))
				conn, err := b.DialURL(r.GetConnectUrl())
				must(t, err)
				defer conn.Close()
				_, err = newStubs(t, conn).tryProducer(topic, "p")
				wantStatus(t, err, codes.Unavailable, "refused")
				want(t, "the next one", lookup().GetConnectUrl(), b.URL())
			}
			if transport == "TCP" {
				b := danubetest.Run(t)
				run(t, b, dial(t, b))
				return
			}
			bubble(t, run)
		})
	}
}

func TestFaultyDeliveries(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		for _, tc := range []struct {
			fault danubetest.Fault
			send  []string
			want  string
		}{
			{danubetest.SwapDeliveries(sub), []string{"a", "b", "c"}, "b a c"},
			{danubetest.Fault{Reorder: true, Count: 2}, []string{"a", "b", "c"}, "b a c"},
			{danubetest.DuplicateDelivery(sub), []string{"a", "b"}, "a a b"},
			{danubetest.Fault{Corrupt: func(p []byte) []byte { return append([]byte("bad "), p...) }, Count: 2}, []string{"a", "b", "c"}, "bad a bad b c"},
			{danubetest.Fault{Corrupt: always("x"), Reorder: true}, []string{"a", "b"}, "b x"},
			{danubetest.DamagedDelivery(sub), []string{"\xff\xfe"}, "\x00\x01"},
		} {
			h := b.Fault(tc.fault)
			p.send(tc.send...)
			var got []string
			for len(strings.Join(got, " ")) < len(tc.want) {
				m := c.next()
				got = append(got, string(m.GetPayload()))
				c.ack(m.GetMsgId().GetTopicOffset())
			}
			want(t, "payloads", strings.Join(got, " "), tc.want)
			h.Remove()
		}
		want(t, "stored as it was", string(b.Messages(topic)[8].Payload), "a")

		b.Fault(danubetest.OversizeDelivery(sub, 9<<20))
		p.send("small")
		_, err := c.stream.Recv()
		wantStatus(t, err, codes.ResourceExhausted, "larger than max")
		c = s.open(topic, sub, "c", exclusive)
		want(t, "again", string(c.next().GetPayload()), "small")
		c.ack(uint64(len(b.Messages(topic)) - 1))

		// One that waits for the next is not lost with its stream.
		b.Fault(danubetest.SwapDeliveries(sub))
		p.send("alone")
		synctest.Wait()
		c = s.open(topic, sub, "c", exclusive)
		want(t, "again", string(c.next().GetPayload()), "alone")
	})
}

// always is a Corrupt that always gives the same.
func always(text string) func([]byte) []byte { return func([]byte) []byte { return []byte(text) } }

func TestStreamEnds(t *testing.T) {
	for end, text := range map[danubetest.StreamEnd]string{
		danubetest.StreamEOF:         "EOF",
		danubetest.StreamUnavailable: "code = Unavailable",
		danubetest.StreamInternal:    "code = Internal",
		danubetest.StreamReset:       "code = Canceled desc = stream terminated by RST_STREAM",
	} {
		bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			p := s.producer(topic, "p")
			c := s.open(topic, sub, "c", exclusive)
			h := b.Fault(danubetest.StreamEnds(sub, end))
			p.send("0")
			_, err := c.stream.Recv()
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: stream ended with %v, want %s", end, err, text)
			}
			want(t, "hits", h.Hits(), 1)
			want(t, "again", s.open(topic, sub, "c", exclusive).offsets(1), []int{0})
		})
	}
}

func TestRedeliverAndExhaust(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("0", "1")
		c.offsets(2)
		start := time.Now()
		must(t, b.Redeliver(topic, sub, 0))
		want(t, "again", c.offsets(1), []int{0})
		want(t, "after", time.Since(start), time.Second)
		must(t, b.Exhaust(topic, sub, 1))
		i := info(t, b)
		want(t, "blocked, timed out", []any{i.Blocked, i.TimedOut}, "[true 2]")
		for _, err := range []error{
			b.Redeliver(topic, sub, 1), b.Exhaust(topic, sub, 7), b.Redeliver(topic, "x", 0), b.Redeliver("/default/x", sub, 0),
		} {
			if err == nil || !strings.Contains(err.Error(), "awaits no ack") {
				t.Errorf("error %v", err)
			}
		}
	})
}

func TestSchemaPresets(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		b.Fault(danubetest.SchemaIncompatible(1), danubetest.SchemaMissing(1))
		req := &schemapb.RegisterSchemaRequest{Subject: "x", SchemaType: "string"}
		_, err := s.schemas.RegisterSchema(t.Context(), req)
		wantStatus(t, err, codes.Internal, "Failed to register schema")
		_, err = s.schemas.RegisterSchema(t.Context(), req)
		must(t, err)
		_, err = s.schemas.GetLatestSchema(t.Context(), &schemapb.GetLatestSchemaRequest{Subject: "x"})
		wantStatus(t, err, codes.NotFound, "Schema not found for subject")
		_, err = s.schemas.GetLatestSchema(t.Context(), &schemapb.GetLatestSchemaRequest{Subject: "x"})
		must(t, err)
	})
}

func TestTokenExpired(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		b.Fault(danubetest.TokenExpired(2))
		for range 2 {
			_, err := s.tryProducer(topic, "p")
			wantStatus(t, err, codes.Unauthenticated, "Invalid token")
		}
		s.producer(topic, "p")
	})
}
