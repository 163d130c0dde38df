package connect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// poison makes records that a system never takes, though it says that it may later.
func poison(payloads ...string) func(*SinkRecord) bool {
	return func(rec *SinkRecord) bool { return slices.Contains(payloads, string(rec.Payload())) }
}

// A record whose error might pass, and never does, is to blame itself when others are
// written: it ends among the dead letters, and nothing looks like an outage for long.
func TestSinkPoisonRecordIsNoOutage(t *testing.T) {
	for _, health := range []bool{true, false} {
		for _, batches := range []bool{false, true} {
			for _, ordering := range []Ordering{OrderPartition, OrderKey, OrderNone} {
				for _, bad := range [][]string{{"5"}, {"0"}, {"29"}, {"4", "12"}} {
					t.Run(fmt.Sprintf("health %v, batches %v, %s, %v", health, batches, ordering, bad), func(t *testing.T) {
						onProfiles(t, func(t *testing.T, l *lab) {
							topic := l.topic("t", 0)
							sys := newSystem(t)
							sys.byKey = ordering != OrderPartition
							sys.bad = poison(bad...)
							if ordering == OrderNone {
								sys.anyOrder = true
							}
							r := l.sink(sys.connector(health, batches), l.deadTopic, func(c *Config) { c.Ordering, c.Concurrency, c.BatchSize = ordering, 3, 4 })
							start := time.Now()
							for i := range 30 {
								l.publishKey(topic, fmt.Sprint("k", i%4), fmt.Sprint(i))
							}
							l.must(l.b.WaitAcked(t.Context(), topic, "s", 30))
							if took := time.Since(start); took > 3*time.Minute {
								t.Errorf("it took %v", took)
							}
							r.stopped()
							sys.once()
							same(t, "written", sys.count(), 30-len(bad))
							same(t, "dead-lettered", deadPayloads(l), slices.Sorted(slices.Values(bad)))
							if len(bad) == 1 {
								same(t, "outages", l.log.count("is down: intake paused"), 0)
							}
							if n := l.deliveries(topic); n > 4 {
								t.Errorf("a message was delivered %d times", n)
							}
							same(t, "in flight", r.metric("inflight_messages"), 0)
						})
					})
				}
			}
		}
	}
}

func deadPayloads(l *lab) (list []string) {
	for _, m := range l.b.Messages(l.name("dead")) {
		list = append(list, string(m.Payload))
	}
	slices.Sort(list)
	return list
}

// With nothing behind it, nobody can tell; it must not wait until the broker gives up
// on the subscription.
func TestSinkPoisonRecordThatNothingFollows(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sys := newSystem(t)
		sys.bad = poison("1")
		r := l.sink(sys, l.deadTopic)
		start := time.Now()
		l.publish(topic, "1")
		l.pause(30 * time.Second)
		same(t, "in flight while it waits", r.metric("inflight_messages"), 1)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 1))
		if took := time.Since(start); took > 70*time.Second {
			t.Errorf("it took %v", took)
		}
		same(t, "dead-lettered", deadPayloads(l), []string{"1"})
		same(t, "in flight", r.metric("inflight_messages"), 0)
		if n := l.deliveries(topic); n > 3 {
			t.Errorf("it was delivered %d times", n)
		}
		l.publish(topic, "2")
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 2))
		r.stopped()
	})
}

// Two that cannot be written, one after the other, look like an outage to a connector
// without a health check. The search for one that can goes on behind them.
func TestSinkSeveralPoisonRecordsInARow(t *testing.T) {
	for _, batches := range []bool{false, true} {
		for _, ordering := range []Ordering{OrderPartition, OrderKey} {
			t.Run(fmt.Sprintf("batches %v, %s", batches, ordering), func(t *testing.T) {
				onFake(t, func(t *testing.T, l *lab) {
					topic := l.topic("t", 0)
					bad := []string{"3", "4", "5", "6"}
					sys := newSystem(t)
					sys.byKey = ordering == OrderKey
					sys.bad = poison(bad...)
					r := l.sink(sys.connector(false, batches), l.deadTopic, func(c *Config) { c.Ordering, c.BatchSize = ordering, 4 })
					start := time.Now()
					for i := range 30 {
						l.publishKey(topic, fmt.Sprint("k", i%4), fmt.Sprint(i))
					}
					l.must(l.b.WaitAcked(t.Context(), topic, "s", 30))
					if took := time.Since(start); took > 10*time.Minute {
						t.Errorf("it took %v", took)
					}
					l.until("ready", func() bool { return r.notReady() == "" })
					r.stopped()
					sys.once()
					same(t, "written", sys.count(), 26)
					same(t, "dead-lettered", deadPayloads(l), bad)
					same(t, "in flight", r.metric("inflight_messages"), 0)
				})
			})
		}
	}
}

// MAX_RETRIES bounds what a record costs; it must not make an outage burn them.
func TestSinkMaxRetriesBurnsNothingInAnOutage(t *testing.T) {
	for _, health := range []bool{true, false} {
		for _, policy := range []ErrorPolicy{OnErrorDeadLetter, OnErrorSkip} {
			t.Run(fmt.Sprintf("health %v, %s", health, policy), func(t *testing.T) {
				onFake(t, func(t *testing.T, l *lab) {
					topic := l.topic("t", 2)
					sys := newSystem(t)
					r := l.sink(sys.connector(health, false), l.deadTopic, func(c *Config) { c.MaxRetries, c.OnError = new(1), policy })
					sys.down.Store(true)
					l.publish(topic, numbers(0, 49)...)
					l.pause(5 * time.Minute)
					sys.down.Store(false)
					l.must(l.b.WaitIdle(t.Context(), topic, "s"))
					r.stopped()
					sys.once()
					same(t, "written", sys.count(), 50)
					same(t, "given up", r.metric("messages_dead_lettered_total")+r.metric("messages_skipped_total"), 0)
				})
			})
		}
	}
}

// Where the policy is to stop, nothing may overtake a record, so no other one can tell
// whether the system is down: only the health check can.
func TestSinkOutageWhereThePolicyIsStop(t *testing.T) {
	t.Run("health check", func(t *testing.T) {
		onFake(t, func(t *testing.T, l *lab) {
			topic := l.topic("t", 0)
			sys := newSystem(t)
			r := l.sink(sys.connector(true, false))
			sys.down.Store(true)
			l.publish(topic, numbers(0, 29)...)
			l.pause(3 * time.Minute)
			sys.down.Store(false)
			l.must(l.b.WaitAcked(t.Context(), topic, "s", 30))
			r.stopped()
			sys.once()
		})
	})
	t.Run("none", func(t *testing.T) {
		onFake(t, func(t *testing.T, l *lab) {
			topic := l.topic("t", 0)
			sys := newSystem(t)
			r := l.sink(sys)
			sys.down.Store(true)
			l.publish(topic, numbers(0, 9)...)
			err := r.wait()
			same(t, "exit code", ExitCode(err), 5)
			if !errors.Is(err, errDown) || !strings.Contains(err.Error(), "offset 0") && !strings.Contains(err.Error(), "@0") {
				t.Errorf("got %v", err)
			}
			same(t, "acked", l.acked(), 0)
		})
	})
}

// A suspect that another partition's success convicts, and one that another's failure
// clears.
func TestSinkSuspectsOfSeveralPartitions(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 2)
		sys := newSystem(t)
		sys.bad = poison("0")
		r := l.sink(sys, l.deadTopic)
		l.publish(topic, "0")
		l.pause(40 * time.Second) // it has spent its time and is suspected
		same(t, "dead letters before anything was written", len(deadPayloads(l)), 0)
		l.publish(topic, "1")
		l.must(l.b.WaitIdle(t.Context(), topic, "s"))
		same(t, "dead-lettered", deadPayloads(l), []string{"0"})
		sys.bad = nil
		sys.down.Store(true)
		l.publish(topic, "2", "3", "4", "5")
		l.pause(2 * time.Minute)
		if why := r.notReady(); !strings.Contains(why, "external system") {
			t.Errorf("not ready because of %q", why)
		}
		sys.down.Store(false)
		l.must(l.b.WaitIdle(t.Context(), topic, "s"))
		r.stopped()
		sys.once()
		same(t, "written", sys.count(), 5)
		same(t, "dead-lettered", deadPayloads(l), []string{"0"})
	}, danubetest.WithMaxUnacked(10))
}
