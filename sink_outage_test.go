package connect

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSinkOutageOfFiveMinutes(t *testing.T) {
	for _, health := range []bool{true, false} {
		for _, batches := range []bool{false, true} {
			for _, partitions := range []int{0, 3} {
				o := outageTest{health: health, batches: batches, partitions: partitions, ackTimeout: 30 * time.Second, lasts: 5 * time.Minute, messages: 200}
				t.Run(o.String(), func(t *testing.T) { onProfiles(t, o.run) })
			}
		}
	}
}

// The same on a real broker, shorter: the sink counts with an ack timeout of 10 s.
func TestSinkOutageOnTheRealBroker(t *testing.T) {
	for _, health := range []bool{true, false} {
		o := outageTest{health: health, partitions: 2, ackTimeout: 10 * time.Second, lasts: 30 * time.Second, messages: 60}
		t.Run(o.String(), func(t *testing.T) {
			t.Parallel()
			onBoth(t, o.run)
		})
	}
}

// Five minutes in real time.
func TestSinkOutageOfFiveMinutesOnTheRealBroker(t *testing.T) {
	if os.Getenv("DANUBE_LONG_TESTS") == "" || os.Getenv("DANUBE_SERVICE_URL") == "" {
		t.Skip("DANUBE_LONG_TESTS and DANUBE_SERVICE_URL are not both set: not run, it takes six minutes")
	}
	for _, o := range []outageTest{{health: true}, {health: false}, {health: true, partitions: 3, batches: true}, {health: false, partitions: 3}} {
		o.ackTimeout, o.lasts, o.messages = 30*time.Second, 5*time.Minute, 200
		t.Run(o.String(), func(t *testing.T) {
			t.Parallel()
			onReal(t, o.run)
		})
	}
}

// A handful of records, and then nothing more until the system is back.
func TestSinkOutageOnAQuietTopic(t *testing.T) {
	for _, health := range []bool{true, false} {
		for _, n := range []int{2, 5} {
			t.Run(fmt.Sprintf("health check %v, %d records", health, n), func(t *testing.T) {
				onFake(t, func(t *testing.T, l *lab) {
					topic := l.topic("t", 0)
					sys := newSystem(t)
					r := l.sink(sys.connector(health, false), l.deadTopic)
					sys.down.Store(true)
					l.publish(topic, numbers(1, n)...)
					l.pause(5 * time.Minute)
					sys.down.Store(false)
					l.must(l.b.WaitAcked(t.Context(), topic, "s", n))
					r.stopped()
					sys.once()
					same(t, "dead-lettered", len(deadPayloads(l)), 0)
				})
			})
		}
	}
}

// What one topic's records cannot be written to does not stop the other topics.
func TestSinkOutageOfOneRoute(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		a, b := l.topic("a", 2), l.topic("b", 0)
		sys := newSystem(t)
		down := true
		var mu sync.Mutex
		sys.bad = func(rec *SinkRecord) bool {
			mu.Lock()
			defer mu.Unlock()
			return down && rec.Topic() == a
		}
		sink := struct {
			SinkConnector
			ConsumerConfigurer
		}{sys, topicsSink{nil, func(context.Context) ([]ConsumerConfig, error) {
			return []ConsumerConfig{{Topic: a}, {Topic: b}}, nil
		}}}
		r := l.sink(sink, l.deadTopic)
		for i := range 100 {
			l.publish(a, fmt.Sprint(i))
			l.publish(b, fmt.Sprint(1000+i))
			l.pause(3 * time.Second)
			if i > 10 {
				sub, _ := l.b.Subscription(b, "s")
				if sub.Acked < i {
					t.Fatalf("after %d messages to it, the other topic has %d acks", i+1, sub.Acked)
				}
			}
		}
		why := r.notReady()
		if !strings.Contains(why, "external system of "+a) || strings.Contains(why, "external system of "+b) {
			t.Errorf("not ready because of %q", why)
		}
		mu.Lock()
		down = false
		mu.Unlock()
		l.must(l.b.WaitIdle(t.Context(), a, "s"))
		l.must(l.b.WaitIdle(t.Context(), b, "s"))
		l.until("ready", func() bool { return r.notReady() == "" })
		r.stopped()
		sys.once()
		same(t, "written", sys.count(), 200)
		same(t, "dead-lettered", len(deadPayloads(l)), 0)
	})
}

// A system that comes and goes must not use up the deliveries that a broker grants.
func TestSinkManyOutages(t *testing.T) {
	for _, health := range []bool{true, false} {
		t.Run(fmt.Sprintf("health check %v", health), func(t *testing.T) {
			onProfiles(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 2)
				sys := newSystem(t)
				r := l.sink(sys.connector(health, false), l.deadTopic)
				for i := range 120 {
					sys.down.Store(i%20 >= 4) // up for 1, down for 4 minutes
					l.publish(topic, fmt.Sprint(i))
					l.pause(15 * time.Second)
				}
				sys.down.Store(false)
				l.must(l.b.WaitIdle(t.Context(), topic, "s"))
				r.stopped()
				sys.once()
				same(t, "written", sys.count(), 120)
				same(t, "dead-lettered", len(deadPayloads(l)), 0)
				if n := l.deliveries(topic); n > 5 {
					t.Errorf("a message was delivered %d times", n)
				}
			})
		})
	}
}

// A stop in an outage, before or after the streams are closed, is not held up by it,
// and the next run has everything, in order.
func TestSinkStopInAnOutage(t *testing.T) {
	for _, health := range []bool{true, false} {
		for _, after := range []time.Duration{10 * time.Second, 30 * time.Second, 45 * time.Second, 3 * time.Minute} {
			t.Run(fmt.Sprintf("health check %v, after %v", health, after), func(t *testing.T) {
				onFake(t, func(t *testing.T, l *lab) {
					topic := l.topic("t", 2)
					sys := newSystem(t)
					r := l.sink(sys.connector(health, false), l.deadTopic)
					sys.down.Store(true)
					l.publish(topic, numbers(0, 39)...)
					l.pause(after)
					err, took := r.stop()
					if err != nil || took > time.Second {
						t.Errorf("got %v after %v, want a clean stop at once", err, took)
					}
					same(t, "in flight", r.metric("inflight_messages"), 0)
					same(t, "acked", l.ackedOf(topic), 0)
					synctest.Wait()
					if open, _ := l.streams(); open {
						t.Error("a stream is open after the stop")
					}
					sys.down.Store(false)
					r = l.sink(sys.connector(health, false), l.deadTopic)
					l.must(l.b.WaitAcked(t.Context(), topic, "s", 40))
					r.stopped()
					sys.once()
					same(t, "dead-lettered", len(deadPayloads(l)), 0)
				})
			})
		}
	}
}

func (l *lab) ackedOf(topic string) int {
	sub, _ := l.b.Subscription(topic, "s")
	return sub.Acked
}

// The broker goes away while the external system is down.
func TestSinkOutageWithABrokerThatRestarts(t *testing.T) {
	for _, health := range []bool{true, false} {
		t.Run(fmt.Sprintf("health check %v", health), func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 2)
				sys := newSystem(t)
				r := l.sink(sys.connector(health, false), l.deadTopic)
				l.publish(topic, numbers(0, 9)...)
				l.must(l.b.WaitAcked(t.Context(), topic, "s", 10))
				sys.down.Store(true)
				l.publish(topic, numbers(10, 39)...)
				for range 6 {
					l.pause(20 * time.Second)
					l.b.Stop()
					l.pause(10 * time.Second)
					l.must(l.b.Start())
				}
				sys.down.Store(false)
				l.must(l.b.WaitIdle(t.Context(), topic, "s"))
				r.stopped()
				sys.once()
				same(t, "written", sys.count(), 40)
				same(t, "dead-lettered", len(deadPayloads(l)), 0)
			})
		})
	}
}

// A call that began before the outage and comes back well says that the system is not
// down as a whole.
func TestSinkCallFromBeforeTheOutageThatSucceeds(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		release := make(chan struct{})
		sink := &testSink{process: func(_ context.Context, p processed) error {
			if p.rec.Key() == "slow" {
				<-release
				return nil
			}
			return errDown
		}}
		r := l.sink(sink, l.deadTopic, byKeys(4), func(c *Config) { c.MaxRetries = new(2) })
		l.publishKey(topic, "slow", "1")
		l.publishKey(topic, "a", "2")
		l.publishKey(topic, "b", "3")
		l.until("held", func() bool { return strings.Contains(r.notReady(), "external system") })
		n := len(sink.seen())
		l.pause(10 * time.Second)
		same(t, "calls beside the one from before", len(sink.seen())-n, 0)
		close(release)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 3))
		r.stopped()
		same(t, "dead-lettered", deadPayloads(l), []string{"2", "3"})
	})
}
