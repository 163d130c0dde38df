package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// What is in work when a pause begins finishes and is acknowledged; nothing else is
// taken up, and what a batch has gathered so far goes with it.
func TestSinkPauseFinishesWhatIsInWork(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		hold := make(chan struct{})
		sink := &testSink{process: func(_ context.Context, p processed) error {
			if p.payload == "3" {
				<-hold
			}
			return nil
		}}
		rt := l.newSink(sink, l.config())
		r := l.start(rt.core, rt.Run).ready()
		l.publish(topic, numbers(1, 6)...)
		l.until("in the third", func() bool { return len(sink.seen()) == 3 })
		rt.Pause()
		close(hold)
		l.until("the third written", func() bool { return r.metric("messages_processed_total") == 3 })
		l.pause(2 * time.Second)
		same(t, "seen while paused", len(sink.seen()), 3)
		same(t, "in hand", r.metric("inflight_messages"), 3)
		same(t, "not ready", r.notReady(), "paused: paused by the operator")
		rt.Resume()
		l.until("all written", func() bool { return r.metric("messages_processed_total") == 6 })
		same(t, "not ready", r.notReady(), "")
		r.stopped()
		same(t, "order", strings.Join(sink.payloads(), " "), strings.Join(numbers(1, 6), " "))
	})
}

// A long pause closes the streams after half the ack timeout, so that the broker does
// not count; up to 200 messages that are published meanwhile come when it is over, each
// once and in order, and the subscription lives.
func TestSinkLongPause(t *testing.T) {
	for _, lasts := range []time.Duration{time.Minute, 24 * time.Hour} {
		for _, partitions := range []int{0, 3} {
			t.Run(fmt.Sprintf("%v, %d partitions", lasts, partitions), func(t *testing.T) {
				for profile, on := range map[string]func(*testing.T, func(*testing.T, *lab)){
					"sound": func(t *testing.T, f func(*testing.T, *lab)) { onFake(t, f) },
					"real":  func(t *testing.T, f func(*testing.T, *lab)) { onTraps(t, f) },
				} {
					t.Run(profile, func(t *testing.T) {
						on(t, func(t *testing.T, l *lab) {
							topic := l.topic("t", partitions)
							sink := newOrdered(t, false)
							rt := l.newSink(sink, l.config())
							r := l.start(rt.core, rt.Run).ready()
							l.publish(topic, numbers(1, 20)...)
							l.until("the first written", func() bool { return sink.count() == 20 })
							rt.Pause()
							start := time.Now()
							for i := 21; i <= 220; i++ {
								l.publish(topic, fmt.Sprint(i))
								l.pause(lasts / 200)
								if open, _ := l.streams(); open && time.Since(start) > 24*time.Second {
									t.Fatalf("a stream is open %v after the pause began", time.Since(start))
								}
							}
							same(t, "written while paused", sink.count(), 20)
							rt.Resume()
							l.until("all written", func() bool { return sink.count() == 220 })
							l.until("ready", func() bool { return r.notReady() == "" })
							l.publish(topic, "221")
							l.until("the next one written", func() bool { return sink.count() == 221 })
							sink.once()
							if n := l.deliveries(topic); n > 3 {
								t.Errorf("a message was delivered %d times", n)
							}
							r.stopped()
							l.b.CheckNoUnacked(t, topic, "s")
						})
					})
				}
			})
		}
	}
}

// Seen on a real broker with an ack timeout that only the sink believes in.
func TestSinkPauseOnTheRealBroker(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := newOrdered(t, false)
		rt := l.newSink(sink, l.config(func(c *Config) { c.AckTimeout = 10 * time.Second }))
		r := l.start(rt.core, rt.Run).ready()
		l.publish(topic, numbers(1, 20)...)
		l.until("the first written", func() bool { return sink.count() == 20 })
		rt.Pause()
		l.publish(topic, numbers(21, 60)...)
		l.until("streams closed", func() bool { return l.log.count("closing the streams") == 1 })
		l.pause(time.Second)
		l.publish(topic, numbers(61, 200)...)
		same(t, "written while paused", sink.count(), 20)
		rt.Resume()
		l.until("all written", func() bool { return sink.count() == 200 })
		sink.once()
		r.stopped()
		same(t, "in flight", r.metric("inflight_messages"), 0)
	})
}

func TestSinkStopInAPause(t *testing.T) {
	for _, after := range []time.Duration{time.Second, time.Minute} {
		t.Run(after.String(), func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				rt := l.newSink(&testSink{}, l.config())
				r := l.start(rt.core, rt.Run).ready()
				rt.Pause()
				l.publish(topic, numbers(1, 5)...)
				l.pause(after)
				if err, took := r.stop(); err != nil || took > time.Second {
					t.Errorf("got %v after %v", err, took)
				}
				same(t, "in flight", r.metric("inflight_messages"), 0)
				next := &testSink{}
				r = l.sink(next)
				l.must(l.b.WaitAcked(t.Context(), topic, "s", 5))
				r.stopped()
				same(t, "the next one got", strings.Join(next.payloads(), " "), "1 2 3 4 5")
			})
		})
	}
}

// Nothing changes when it is said twice, and a pause may come in quick turns.
func TestSinkPauseSaidTwice(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 2)
		sink := newOrdered(t, false)
		rt := l.newSink(sink, l.config())
		r := l.start(rt.core, rt.Run).ready()
		rt.Resume()
		l.publish(topic, "1")
		l.until("written", func() bool { return sink.count() == 1 })
		rt.Pause()
		rt.Pause()
		l.publish(topic, "2")
		l.pause(time.Second)
		same(t, "written while paused", sink.count(), 1)
		rt.Resume()
		rt.Resume()
		l.until("written", func() bool { return sink.count() == 2 })
		for i := range 200 {
			rt.Pause()
			l.publish(topic, fmt.Sprint(i+3))
			rt.Resume()
		}
		l.until("all written", func() bool { return sink.count() == 202 })
		sink.once()
		same(t, "streams closed", l.log.count("closing the streams"), 0)
		r.stopped()
		// Nothing is left of the runtime that could be paused, or break.
		rt.Pause()
		rt.Resume()
	})
}

// A pause goes on when an outage in it is over, and an outage when a pause in it is.
func TestSinkPauseAndOutage(t *testing.T) {
	for _, first := range []string{"pause", "outage"} {
		t.Run(first+" ends first", func(t *testing.T) {
			onProfiles(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				sys := newSystem(t)
				rt := l.newSink(sys.connector(true, false), l.config(l.deadTopic))
				r := l.start(rt.core, rt.Run).ready()
				sys.down.Store(true)
				l.publish(topic, numbers(1, 5)...)
				l.until("held", func() bool { return strings.Contains(r.notReady(), "external system") })
				rt.Pause()
				l.pause(5 * time.Minute)
				if first == "pause" {
					rt.Resume()
				} else {
					sys.down.Store(false)
				}
				l.pause(5 * time.Minute)
				same(t, "written", sys.count(), 0)
				if r.notReady() == "" {
					t.Error("ready while one of the two goes on")
				}
				rt.Resume()
				sys.down.Store(false)
				l.until("all written", func() bool { return sys.count() == 5 })
				l.until("ready", func() bool { return r.notReady() == "" })
				sys.once()
				r.stopped()
			})
		})
	}
}

// A record that waits for its retry when a pause begins has all its time afterwards.
func TestSinkPauseIsNotTheRecordsFault(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		resumed := time.Time{}
		sink := &testSink{process: func(_ context.Context, p processed) error {
			if p.payload == "1" && (resumed.IsZero() || time.Since(resumed) < 20*time.Second) {
				return errors.New("busy")
			}
			return nil
		}}
		rt := l.newSink(checkedSink{sink}, l.config(l.deadTopic))
		r := l.start(rt.core, rt.Run).ready()
		l.publish(topic, "1", "2")
		l.pause(20 * time.Second)
		rt.Pause()
		l.pause(10 * time.Minute)
		resumed = time.Now()
		rt.Resume()
		l.until("both written", func() bool { return r.metric("messages_processed_total") == 2 })
		r.stopped()
		same(t, "dead-lettered", r.metric("messages_dead_lettered_total"), 0)
		if i := slices.Index(sink.payloads(), "2"); i < 0 || slices.Contains(sink.payloads()[i:], "1") {
			t.Errorf("out of order: %v", sink.payloads())
		}
	})
}

func TestSinkPauseOverHTTP(t *testing.T) {
	onTCP(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{}
		rt := l.newSink(sink, l.config(onPort(free(t)), func(c *Config) { c.AdminEndpoints = true }))
		r := l.start(rt.core, rt.Run).ready()
		post := func(path string, want int) {
			t.Helper()
			resp, err := http.Post("http://"+rt.MetricsAddress().String()+path, "", nil)
			l.must(err)
			l.must(resp.Body.Close())
			same(t, path, resp.StatusCode, want)
		}
		post("/pause", http.StatusNoContent)
		l.publish(topic, "1")
		if code, body := get(t, rt.MetricsAddress(), "/readyz"); code != 503 || !strings.Contains(body, "paused by the operator") {
			t.Errorf("/readyz of a paused sink: %d %s", code, body)
		}
		post("/resume", http.StatusNoContent)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 1))
		same(t, "not ready", r.notReady(), "")
		r.stopped()

		rt = l.newSink(sink, l.config(onPort(free(t)))) // not where nobody asked for it
		r = l.start(rt.core, rt.Run).ready()
		post("/pause", http.StatusNotFound)
		same(t, "not ready", r.notReady(), "")
		r.stopped()
	})
}
