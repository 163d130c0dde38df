package danube_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// chunks are messages in one text, each behind its length.
func chunks(b []byte) (list [][]byte) {
	for len(b) > 0 {
		n := min(int(b[0]), len(b)-1)
		list, b = append(list, b[1:1+n]), b[1+n:]
	}
	return list
}

func chunk(list ...[]byte) (b []byte) {
	for _, m := range list {
		b = append(append(b, byte(len(m))), m...)
	}
	return b
}

// Whatever a broker answers, and in whatever order: errors of ours, no panic, nothing that
// goes on without end, and Close returns.
func FuzzAnswers(f *testing.F) {
	join := func(fields ...[]byte) []byte { return bytes.Join(fields, nil) }
	const last = ^uint64(0)
	id := func(offset uint64) []byte {
		return field(2, string(join(field(1, uint64(1)), field(2, "/default/t"), field(3, "http://a:1"), field(5, offset))))
	}
	lookup := join(field(4, uint64(1)), field(5, "http://a:1"), field(6, "http://a:1"))
	some := chunk(join(field(1, uint64(1)), id(0), field(3, "x"), field(4, uint64(9))), join(field(1, uint64(2)), id(1), field(3, "y")))
	two := join(field(2, "/default/t-part-0"), field(2, "/default/t-part-1"))
	f.Add(lookup, field(2, "/default/t"), field(2, uint64(1)), some, []byte{}, uint16(0))
	f.Add(lookup, two, field(2, last), chunk(join(field(1, last), id(last), field(4, last)), join(field(1, last), id(0), field(4, last)), join(field(1, uint64(0)), id(last-1))), field(1, last), uint16(0))
	f.Add(lookup, field(2, "/default/t-part-2147483647"), []byte{}, some, []byte{}, uint16(0))
	f.Add(lookup, join(field(2, "/default/t-part-0"), field(2, "/default/t-part-0"), field(2, "/default/t")), []byte{}, chunk([]byte("\xff")), []byte{}, uint16(0))
	f.Add(join(field(4, uint64(1)), field(5, "http://\x1b[2J:1"), field(6, strings.Repeat("b", 200))), two, []byte{}, some, []byte{}, uint16(0))
	f.Add(join(field(4, uint64(1)), field(5, "http://a:1"), field(6, "\x00\n"), field(7, uint64(1))), two, []byte{}, some, []byte{}, uint16(0))
	f.Add(join(field(4, uint64(99)), field(5, "0.0.0.0:1")), []byte{}, []byte{}, []byte{}, []byte{}, uint16(0))
	f.Add(join(field(5, "a:1"), field(6, "a:1")), field(2, "/default/t"), []byte{}, chunk([]byte{}, field(3, "no id"), field(2, "")), []byte{}, uint16(1<<6))
	f.Add(lookup, field(2, "/default/t"), []byte{}, some, []byte{}, uint16(1<<3|1<<7))
	f.Add(lookup, field(2, "/default/t"), []byte{}, chunk(join(id(5), field(7, "\x0a\x0fx-connect-stamp\x12\x07p/1-a/5")), join(id(9), field(7, "\x0a\x0fx-connect-stamp\x12\x10p/1-a/4294967295"), field(10, ""), field(8, last), field(9, last))), []byte{}, uint16(1<<9))
	f.Fuzz(func(t *testing.T, lookup, partitions, opened, stream, other []byte, how uint16) {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int64
			received := 0
			l := rawBroker(t, func(method string, s grpc.ServerStream) error {
				calls.Add(1)
				odd := func(bit int) bool { return how>>bit&1 != 0 }
				switch {
				case odd(0) && calls.Load()%2 == 0:
					return status.Error(codes.Code(anyCode(other)), string(bytes.ToValidUTF8(other, nil)))
				case odd(1) && method != "ReceiveMessages":
					return nil // without an answer
				case odd(2) && method != "ReceiveMessages":
					return errors.Join(s.SendMsg(opened), s.SendMsg(lookup))
				}
				switch method {
				case "TopicLookup":
					return s.SendMsg(lookup)
				case "TopicPartitions":
					return s.SendMsg(partitions)
				case "ReceiveMessages":
					for _, m := range chunks(stream) {
						if err := s.SendMsg(m); err != nil {
							return err
						}
					}
					if odd(3) {
						return nil
					}
					select {
					case <-s.Context().Done():
					case <-time.After(5 * time.Second):
					}
					return nil
				case "CreateProducer", "Subscribe":
					return s.SendMsg(opened)
				}
				return s.SendMsg(other)
			})
			client := l.open(func(c *danube.Config) { c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil)) })
			ours := func(what string, err error) bool {
				if err != nil && !strings.Contains(err.Error(), "danube: ") && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", what, err)
				}
				return err == nil
			}
			start := time.Now()
			ours("ping", client.Ping(l.within(time.Second)))
			_, err := client.Schemas().Latest(l.within(time.Second), "s")
			ours("schema", err)
			p, err := client.NewProducer(l.within(20*time.Second), danube.ProducerConfig{Topic: "/default/t", Name: "p", Stamp: how>>8&1 != 0})
			if ours("producer", err) {
				for range 4 {
					_, err := p.Send(l.within(5*time.Second), &danube.Outgoing{Payload: []byte("m")})
					ours("send", err)
				}
			}
			cfg := danube.ConsumerConfig{Topic: "/default/t", Subscription: "s", Name: "c", Type: danube.SubscriptionType(how >> 4 & 3)}
			if how>>9&1 != 0 && cfg.Type != danube.Shared && cfg.Type != danube.KeyShared {
				cfg.Stamps = new(danube.StampTracker)
			}
			con, err := client.NewConsumer(l.within(20*time.Second), cfg)
			if ours("consumer", err) {
				for range 20 {
					m, err := con.Receive(l.within(2 * time.Second))
					if !ours("receive", err) {
						break
					}
					received++
					if _ = m.ID(); received%3 == 0 {
						ours("nack", con.Nack(l.within(time.Second), m, time.Second, "no"))
					} else {
						ours("ack", con.Ack(m))
					}
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			ours("close", client.Close(ctx))
			// A call each 10 ms would be more than anything here asks for: a client that spins
			// makes many more.
			if d := time.Since(start); calls.Load() > int64(d/(10*time.Millisecond))+1000 {
				t.Errorf("%d calls in %v", calls.Load(), d)
			}
		})
	})
}

// anyCode is a code of a status, one that does not exist as well.
func anyCode(b []byte) byte {
	if len(b) == 0 {
		return byte(codes.Unknown)
	}
	return max(b[0]%20, 1)
}
