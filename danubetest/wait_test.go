package danubetest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestWaits(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		done := make(chan string, 10)
		wait := func(name string, f func() error) {
			go func() {
				if err := f(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				done <- name
			}()
		}
		ctx := t.Context()
		wait("published", func() error {
			m, err := b.WaitPublished(ctx, topic, 2)
			want(t, "messages", len(m), 2)
			return err
		})
		wait("consumers", func() error { return b.WaitConsumers(ctx, topic, sub, 1) })
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		want(t, "first", <-done, "consumers")
		p.send("a", "b")
		want(t, "second", <-done, "published")
		c.offsets(2)
		wait("nacked", func() error { return b.WaitNacked(ctx, topic, sub, 1) })
		c.nack(0, 0)
		want(t, "third", <-done, "nacked")
		wait("acked", func() error { return b.WaitAcked(ctx, topic, sub, 1) })
		c.ack(1)
		want(t, "fourth", <-done, "acked")
		wait("idle", func() error { return b.WaitIdle(ctx, topic, sub) })
		wait("calls", func() error { return b.WaitCalls(ctx, mAck, 2) })
		c.ack(c.offsets(1)...)
		<-done
		<-done
	})
}

func TestWaitErrors(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		s.producer(topic, "p")
		h := b.Fault(danubetest.Fault{Optional: true})
		for name, f := range map[string]func(context.Context) error{
			"2 messages in /default/orders, have 0":                       func(ctx context.Context) error { _, err := b.WaitPublished(ctx, topic, 2); return err },
			"3 acked in subscription s of /default/orders, have 0":        func(ctx context.Context) error { return b.WaitAcked(ctx, topic, sub, 3) },
			"1 nacked in subscription s of /default/orders, have 0":       func(ctx context.Context) error { return b.WaitNacked(ctx, topic, sub, 1) },
			"subscription s of /default/orders, there is none":            func(ctx context.Context) error { return b.WaitIdle(ctx, topic, sub) },
			"1 open streams in subscription s of /default/orders, have 0": func(ctx context.Context) error { return b.WaitConsumers(ctx, topic, sub, 1) },
			"5 calls of Ack, have 0":                                      func(ctx context.Context) error { return b.WaitCalls(ctx, mAck, 5) },
			"1 hits of the fault, have 0":                                 func(ctx context.Context) error { return h.Wait(ctx, 1) },
			"a state of subscription s of /default/orders": func(ctx context.Context) error {
				return b.WaitSubscription(ctx, topic, sub, func(danubetest.SubscriptionInfo) bool { return false })
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			err := f(ctx)
			cancel()
			var w *danubetest.WaitError
			if !errors.As(err, &w) || !errors.Is(err, context.DeadlineExceeded) || w.What != name ||
				!strings.Contains(err.Error(), "topic /default/orders, Reliable") {
				t.Errorf("%s: got %v", name, err)
			}
		}
		must(t, b.CreateSubscription(topic, sub, danubetest.SubOpts{}))
		b.Publish(topic, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.WaitIdle(ctx, topic, sub); err == nil || !strings.Contains(err.Error(), "1 messages left") {
			t.Errorf("got %v", err)
		}
		if _, err := b.WaitPublished(ctx, topic, 1); err != nil {
			t.Errorf("what is there already: %v", err)
		}
		closing := make(chan error)
		go func() { closing <- b.WaitAcked(t.Context(), topic, sub, 1) }()
		b.Close()
		if err := <-closing; !errors.Is(err, danubetest.ErrClosed) {
			t.Errorf("got %v", err)
		}
		err := b.WaitSubscription(t.Context(), topic, sub, func(danubetest.SubscriptionInfo) bool { return false })
		if !errors.Is(err, danubetest.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWaitSubscriptionSeesEveryState(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		p := s.producer(topic, "p")
		var acked []int
		done := make(chan error)
		go func() {
			done <- b.WaitSubscription(t.Context(), topic, sub, func(i danubetest.SubscriptionInfo) bool {
				if len(acked) == 0 || acked[len(acked)-1] != i.Acked {
					acked = append(acked, i.Acked)
				}
				b.Topics() // may call the broker
				return i.Acked == 20
			})
		}()
		synctest.Wait() // it waits
		c := s.open(topic, sub, "c", exclusive)
		for range 20 {
			p.send("x")
			c.ack(c.offsets(1)...)
		}
		must(t, <-done)
		want(t, "acked", acked, numbers(0, 21))
	})
}
