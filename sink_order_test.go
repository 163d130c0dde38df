package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestSinkAcksOnlyWhenProcessHasReturned(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		release := make(chan struct{})
		sink := &testSink{process: func(context.Context, processed) error {
			<-release
			return nil
		}}
		r := l.sink(sink)
		l.publish(topic, numbers(1, 3)...)
		for i := range 3 {
			l.until("in Process", func() bool { return len(sink.seen()) == i+1 })
			l.pause(time.Second)
			sub, _ := l.b.Subscription(topic, "s")
			same(t, "acked while Process works on the next", sub.Acked, i)
			same(t, "in flight", sub.InFlight, 3-i)
			release <- struct{}{}
			if i < 2 {
				l.must(l.b.WaitAcked(t.Context(), topic, "s", i+1))
			}
		}
		l.must(l.b.WaitIdle(t.Context(), topic, "s"))
		r.stopped()
		same(t, "the connector's life", sink.lifetime(), "initialize process shutdown")
	})
}

func TestSinkAcksNothingThatFails(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(context.Context, processed) error { return errors.New("not today") }}
		r := l.sink(sink)
		l.publish(topic, numbers(1, 3)...)
		l.until("tried three times", func() bool { return len(sink.seen()) >= 3 })
		sub, _ := l.b.Subscription(topic, "s")
		same(t, "acked", sub.Acked, 0)
		same(t, "seen", strings.Join(sink.payloads(), " "), "1 1 1")
		_, _ = r.stop()
		sub, _ = l.b.Subscription(topic, "s")
		same(t, "acked after the stop", sub.Acked, 0)
		for _, m := range l.b.Messages(topic) {
			for _, d := range m.Deliveries {
				if d.Outcome == danubetest.Acked {
					t.Errorf("message %d was acked", m.Offset)
				}
			}
		}
	})
}

func TestSinkKeepsOrderOverRetries(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(_ context.Context, p processed) error {
			if p.payload == "3" && p.attempt < 3 {
				return Retryablef("attempt %d", p.attempt)
			}
			return nil
		}}
		r := l.sink(sink, func(c *Config) { c.RetryBackoff = 50 * time.Millisecond })
		l.publish(topic, numbers(1, 6)...)
		l.until("all processed", func() bool { return len(sink.seen()) == 8 })
		r.stopped()
		same(t, "seen", strings.Join(sink.payloads(), " "), "1 2 3 3 3 4 5 6")
		if l.b != nil {
			l.b.CheckNoUnacked(t, topic, "s")
		}
	})
}

func TestSinkPartitionsDoNotWaitForEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 2)
		stuck, release := make(chan string, 1), make(chan struct{})
		sink := &testSink{process: func(_ context.Context, p processed) error {
			if p.payload == "first" {
				stuck <- fmt.Sprint(p.rec.Partition())
				<-release
			}
			return nil
		}}
		r := l.sink(sink)
		l.publish(topic, "first")
		stays := <-stuck
		l.publish(topic, numbers(1, 10)...)
		l.until("the other partition processed", func() bool { return len(sink.seen()) == 6 })
		for _, c := range sink.seen()[1:] {
			if fmt.Sprint(c.rec.Partition()) == stays {
				t.Errorf("%s was processed beside the record before it in partition %s", c.payload, stays)
			}
		}
		close(release)
		l.until("all processed", func() bool { return len(sink.seen()) == 11 })
		r.stopped()
	})
}

func TestSinkPartitionThatFailsDoesNotBlockTheOthers(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 3)
		var bad atomic.Int32
		bad.Store(-1)
		sink := &testSink{process: func(_ context.Context, p processed) error {
			if p.payload == "bad" {
				bad.Store(p.rec.Partition())
				return errors.New("not today")
			}
			return nil
		}}
		r := l.sink(sink)
		l.publish(topic, "bad")
		l.until("failing", func() bool { return bad.Load() >= 0 })
		l.publish(topic, numbers(1, 30)...)
		l.until("20 processed", func() bool {
			n := 0
			for _, c := range sink.seen() {
				if c.payload != "bad" {
					n++
				}
			}
			return n == 20
		})
		if time.Since(sink.seen()[0].at) > time.Second {
			t.Errorf("the other partitions took %v", time.Since(sink.seen()[0].at))
		}
		err, _ := r.stop()
		l.must(err)
	})
}

func TestSinkKeepsOrderWithinEachPartition(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 3)
		var failures atomic.Int32
		sink := &testSink{process: func(_ context.Context, p processed) error {
			if p.attempt == 1 && p.rec.Offset()%4 == 3 {
				failures.Add(1)
				return errors.New("once")
			}
			return nil
		}}
		r := l.sink(sink, func(c *Config) { c.RetryBackoff = 20 * time.Millisecond })
		for i := range 60 {
			l.publishKey(topic, fmt.Sprint("k", i%7), fmt.Sprint(i))
		}
		l.until("all processed", func() bool { return len(sink.seen()) == 60+int(failures.Load()) })
		r.stopped()
		last := map[string]int{}
		for _, c := range sink.seen() {
			var n int
			_, err := fmt.Sscan(c.payload, &n)
			l.must(err)
			if n < last[c.rec.Key()] {
				t.Errorf("key %s: %d came after %d", c.rec.Key(), n, last[c.rec.Key()])
			}
			last[c.rec.Key()] = n
		}
		if failures.Load() == 0 {
			t.Error("nothing was tried again: the test tested little")
		}
	})
}

func TestSinkTakesPayloadsOfAnySize(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{}
		r := l.sink(sink)
		large := strings.Repeat("0123456789abcdef", 3<<16) // 3 MiB
		want := []string{"", large, "small", ""}
		l.publish(topic, want...)
		l.until("all processed", func() bool { return len(sink.seen()) == 4 })
		r.stopped()
		if !slices.Equal(sink.payloads(), want) {
			t.Error("the payloads are not those that were published")
		}
	})
}

func TestSinkReceivesManyInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{}
		r := l.sink(sink)
		l.publish(topic, numbers(1, 500)...)
		l.until("all processed", func() bool { return len(sink.seen()) == 500 })
		r.stopped()
		if got := sink.payloads(); !slices.Equal(got, numbers(1, 500)) {
			t.Errorf("out of order: %v", got)
		}
		same(t, "received", r.metric("messages_received_total"), 500)
		same(t, "processed", r.metric("messages_processed_total"), 500)
		same(t, "in flight", r.metric("inflight_messages"), 0)
	})
}

// topics is a sink that chooses what it consumes.
type topicsSink struct {
	*testSink
	configs func(context.Context) ([]ConsumerConfig, error)
}

func (s topicsSink) ConsumerConfigs(ctx context.Context) ([]ConsumerConfig, error) {
	return s.configs(ctx)
}

func TestSinkConsumesSeveralTopics(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		a, b := l.topic("a", 0), l.topic("b", 2)
		sink := topicsSink{&testSink{}, func(context.Context) ([]ConsumerConfig, error) {
			return []ConsumerConfig{{Topic: a}, {Topic: b, Subscription: "own", ConsumerName: "me", Type: SubscriptionShared}}, nil
		}}
		r := l.sink(sink)
		l.publish(a, "a1", "a2")
		l.publish(b, "b1", "b2")
		l.until("all processed", func() bool { return len(sink.seen()) == 4 })
		r.stopped()
		var got []string
		for _, c := range sink.seen() {
			got = append(got, strings.TrimPrefix(c.rec.Topic(), "/default/")[:1]+" "+c.rec.Subscription()+" "+c.payload)
		}
		slices.Sort(got)
		same(t, "seen", strings.Join(got, ", "), "a s a1, a s a2, b own b1, b own b2")
		same(t, "received from a", r.metric("messages_received_total", "topic="+a), 2)
		same(t, "received from b", r.metric("messages_received_total", "topic="+b), 2)
	})
}

// A topic that keeps nothing numbers nothing either, so nothing can be acknowledged.
func TestSinkOfNonReliableTopicIsQuietAboutAcks(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.name("t")
		l.must(l.b.CreateTopic(topic, danubetest.TopicConfig{Dispatch: danubetest.NonReliable}))
		sink := &testSink{process: func(context.Context, processed) error {
			time.Sleep(time.Millisecond)
			return nil
		}}
		r := l.sink(sink)
		for i := range 10 { // the broker drops what nobody reads in time
			l.publish(topic, numbers(5*i+1, 5*i+5)...)
			synctest.Wait()
		}
		l.until("all processed", func() bool { return len(sink.seen()) == 50 })
		r.stopped()
		same(t, "complaints", l.log.count("WARN")+l.log.count("ERROR"), 0)
	})
}

// What one process has acknowledged out of order is not missing for the next one.
func TestSinkReportsNoLossForWhatItsPredecessorHadDone(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		anyOrder := func(c *Config) { c.Ordering, c.OnGap = OrderNone, OnGapStop }
		first := l.sink(fails("3", errors.New("busy")), anyOrder)
		l.publish(topic, numbers(1, 9)...)
		l.until("the others written", func() bool { return first.metric("messages_processed_total") == 8 })
		first.stopped()
		l.publish(topic, "10")
		sink := &testSink{}
		second := l.sink(sink, anyOrder)
		l.publish(topic, numbers(11, 12)...)
		l.until("the rest written", func() bool { return second.ended() || second.metric("messages_processed_total") >= 4 })
		second.stopped()
		same(t, "missing", second.metric("messages_missing_total"), 0)
	})
}

// What the broker has skipped is counted as missing, and as late when it comes: after a
// move of the topic.
func TestSinkCountsWhatComesLate(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		free := make(chan struct{})
		sink := &testSink{process: func(context.Context, processed) error { <-free; return nil }}
		r := l.sink(sink)
		const n = 400
		l.publish(topic, numbers(1, n)...)
		l.pause(time.Second)
		close(free)
		l.until("what comes at first written", func() bool { return slices.Contains(sink.payloads(), fmt.Sprint(n)) })
		missing := n - len(sink.seen())
		if missing == 0 {
			t.Fatal("nothing was skipped")
		}
		same(t, "missing", r.metric("messages_missing_total"), float64(missing))
		must(t, l.b.MoveTopic(topic, 2))
		l.until("all written", func() bool { return len(sink.seen()) == n })
		r.stopped()
		same(t, "late", r.metric("messages_late_total"), float64(missing))
	}, danubetest.WithBrokers(2), danubetest.WithTraps(danubetest.TrapTail))
}

// A broker to which several producers publish swaps neighbours now and then: no loss.
func TestSinkRepairsSwappedNeighbours(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{}
		r := l.sink(sink, func(c *Config) { c.OnGap = OnGapStop })
		l.publish(topic, "1")
		l.until("1 written", func() bool { return len(sink.seen()) == 1 })
		l.b.Fault(danubetest.SwapDeliveries(r.cfg.SubscriptionName))
		l.publish(topic, numbers(2, 5)...)
		l.until("all written", func() bool { return len(sink.seen()) == 5 })
		r.stopped()
		same(t, "in order", sink.payloads(), numbers(1, 5))
		same(t, "missing", r.metric("messages_missing_total"), 0)
	})
}
