package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// nacking makes a sink give back what it cannot process.
func nacking(c *Config) { c.OnError, c.Ordering = OnErrorNack, OrderNone }

// attempts returns how often Process was called for a payload.
func (s *testSink) attempts(payload string) (n int) {
	for _, p := range s.payloads() {
		if p == payload {
			n++
		}
	}
	return n
}

// What is given back comes again, and holds up nothing meanwhile.
func TestSinkGivesARecordBack(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(_ context.Context, p processed) error {
			if p.payload == "2" && p.attempt < 3 {
				return InvalidDataf("not yet")
			}
			return nil
		}}
		r := l.sink(sink, nacking)
		l.publish(topic, numbers(1, 5)...)
		l.until("the others written", func() bool { return r.metric("messages_processed_total") == 4 })
		same(t, "attempts", sink.attempts("2"), 1)
		l.until("all written", func() bool { return r.metric("messages_processed_total") == 5 })
		same(t, "attempts", sink.attempts("2"), 3)
		l.publish(topic, numbers(6, 30)...) // the subscription lives
		l.until("the rest written", func() bool { return r.metric("messages_processed_total") == 30 })
		r.stopped()
		same(t, "given back", r.metric("messages_nacked_total"), 2)
		same(t, "received", r.metric("messages_received_total"), 32)
		same(t, "in flight", r.metric("inflight_messages"), 0)
		if l.b != nil {
			l.b.CheckNoUnacked(t, topic, "s")
		}
	})
}

func TestSinkRecordThatIsGivenBackTooOften(t *testing.T) {
	t.Run("dead letter", func(t *testing.T) {
		onBoth(t, func(t *testing.T, l *lab) {
			topic := l.topic("t", 0)
			sink := fails("2", InvalidDataf("no"))
			r := l.sink(sink, nacking, l.deadTopic) // on_exhausted follows the target
			l.publish(topic, numbers(1, 3)...)
			l.until("all dealt with", func() bool { return r.metric("messages_dead_lettered_total") == 1 })
			r.stopped()
			same(t, "attempts", sink.attempts("2"), 3)
			same(t, "given back", r.metric("messages_nacked_total"), 2)
			m := l.letters(l.name("dead"), 1)[0]
			same(t, "payload", string(m.Payload), "2")
			same(t, "attempts in the letter", m.Attributes["x-delivery-attempt"], "3")
			first, err := time.Parse(time.RFC3339Nano, m.Attributes["x-connect-first-failure"])
			l.must(err)
			last, err := time.Parse(time.RFC3339Nano, m.Attributes["x-connect-last-failure"])
			l.must(err)
			if d := last.Sub(first); d < 2*time.Second {
				t.Errorf("%v between the first and the last failure, want the time of two deliveries", d)
			}
			if l.b != nil {
				l.b.CheckNoUnacked(t, topic, "s")
			}
		})
	})
	t.Run("stop", func(t *testing.T) {
		onProfiles(t, func(t *testing.T, l *lab) {
			topic := l.topic("t", 0)
			sink := fails("2", InvalidDataf("no"))
			r := l.sink(sink, nacking)
			l.publish(topic, numbers(1, 3)...)
			err := r.wait()
			same(t, "exit code", ExitCode(err), 5)
			same(t, "attempts", sink.attempts("2"), 3)
			// It is there at the next start.
			again := &testSink{}
			r = l.sink(again, nacking)
			l.must(l.b.WaitIdle(t.Context(), topic, "s"))
			r.stopped()
			if !slices.Contains(again.payloads(), "2") {
				t.Errorf("the next one got %v", again.payloads())
			}
		})
	})
}

// What a connector asks for is waited for, but never so long that the acks that wait
// for the record get late.
func TestSinkDelayOfWhatIsGivenBack(t *testing.T) {
	for _, tc := range []struct {
		name   string
		err    error
		change func(*Config)
		want   time.Duration
	}{
		{"the broker's own", InvalidDataf("no"), func(*Config) {}, time.Second},
		{"configured", InvalidDataf("no"), func(c *Config) { c.NackDelay = 7 * time.Second }, 7 * time.Second},
		{"the connector's", RetryableAfter(errors.New("later"), time.Minute), func(*Config) {}, 15 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				sink := &testSink{process: func(_ context.Context, p processed) error {
					if p.attempt == 1 && p.payload == "bad" {
						return tc.err
					}
					return nil
				}}
				r := l.sink(checkedSink{sink}, nacking, tc.change)
				l.publish(topic, "bad", "good")
				l.until("all written", func() bool { return r.metric("messages_processed_total") == 2 })
				r.stopped()
				var at []time.Time
				for _, c := range sink.seen() {
					if c.payload == "bad" {
						at = append(at, c.at)
					}
				}
				if d := at[1].Sub(at[0]); d < tc.want-time.Second/2 || d > tc.want+time.Second {
					t.Errorf("it came again after %v, want %v", d, tc.want)
				}
			})
		})
	}
}

// checkedSink is a testSink whose system is always well.
type checkedSink struct{ *testSink }

func (checkedSink) HealthCheck(context.Context) error { return nil }

// A nack that does not get through is as good as none: the ack timeout brings the
// record again, and the runtime counts it all the same.
func TestSinkNackThatIsLost(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(_ context.Context, p processed) error {
			if p.payload == "1" && p.attempt == 1 {
				return InvalidDataf("no")
			}
			return nil
		}}
		r := l.sink(sink, nacking)
		l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodNack}, Err: status.Error(codes.Unavailable, "lost")})
		l.publish(topic, numbers(1, 3)...)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 3))
		if d := sink.seen()[3].at.Sub(sink.seen()[0].at); d < 29*time.Second || d > 33*time.Second {
			t.Errorf("it came again after %v, want the ack timeout", d)
		}
		r.stopped()
		l.b.CheckNoUnacked(t, topic, "s")
	})
}

// Two processes of a shared subscription pass a record between them; each counts what
// it has seen, and the broker's own limit is not reached.
func TestSinksThatShareGiveRecordsBack(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sinks := []*testSink{fails("bad", InvalidDataf("no")), fails("bad", InvalidDataf("no"))}
		var runs []*run
		for _, s := range sinks {
			runs = append(runs, l.sink(s, l.deadTopic, func(c *Config) {
				c.OnError, c.SubscriptionType = OnErrorNack, SubscriptionShared
			}))
		}
		l.publish(topic, "bad")
		l.publish(topic, numbers(1, 20)...)
		sum := func(name string) float64 { return runs[0].metric(name) + runs[1].metric(name) }
		// What one process gives back on a quiet topic may only come with the next publish.
		next := 20
		l.until("all dealt with", func() bool {
			next++
			l.publish(topic, fmt.Sprint(next))
			return sum("messages_dead_lettered_total") == 1 && sum("messages_processed_total") >= 20
		})
		l.until("all written", func() bool { return sum("messages_processed_total") == float64(next) })
		for _, r := range runs {
			r.stopped()
		}
		if n := sinks[0].attempts("bad") + sinks[1].attempts("bad"); n < 3 || n > 5 {
			t.Errorf("the record was delivered %d times, want 3 to 5", n)
		}
	})
}

func TestSinkGivesBackWhatFailedOfABatch(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		bad := map[string]int{}
		sink := batch(func(_ context.Context, b *Batch, _ int) error {
			for _, rec := range b.Records() {
				if p := string(rec.Payload()); (p == "3" || p == "5") && bad[p] < 1 {
					bad[p]++
					if err := b.Fail(rec, InvalidDataf("no")); err != nil {
						return err
					}
				}
			}
			return nil
		})
		r := l.sink(FromBatch(sink), nacking, func(c *Config) { c.Concurrency = 1 })
		l.publish(topic, numbers(1, 8)...)
		l.until("all written", func() bool { return r.metric("messages_processed_total") == 8 })
		r.stopped()
		same(t, "given back", r.metric("messages_nacked_total"), 2)
		same(t, "in flight", r.metric("inflight_messages"), 0)
	})
}

// Many records that fail once or twice: nothing is lost, and the subscription is never
// blocked.
func TestSinkGivesManyBack(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 2)
		sink := &testSink{process: func(_ context.Context, p processed) error {
			n := 0
			fmt.Sscan(p.payload, &n)
			if p.attempt <= n%3 {
				return InvalidDataf("not yet")
			}
			return nil
		}}
		r := l.sink(sink, nacking)
		l.publish(topic, numbers(1, 300)...)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 300))
		r.stopped()
		same(t, "given back", r.metric("messages_nacked_total"), 300)
		same(t, "processed", r.metric("messages_processed_total"), 300)
		l.b.CheckNoUnacked(t, topic, "s")
	})
}

func TestSinkNackWhereThereIsAnOrder(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		a := l.topic("a", 0)
		for name, change := range map[string]func(*Config){
			"partition": func(c *Config) { c.OnError = OnErrorNack },
			"key":       func(c *Config) { c.OnError, c.Ordering = OnErrorNack, OrderKey },
		} {
			_, err := NewSinkRuntime(&testSink{}, l.options(l.config(change))...)
			var problems ConfigErrors
			if !errors.As(err, &problems) || problems[0].Key != "on_error" || !strings.Contains(err.Error(), `ordering = "none"`) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		_, err := NewSourceRuntime(SourceFunc(nil), l.options(l.config(func(c *Config) { c.OnError = OnErrorNack }))...)
		if err == nil || !strings.Contains(err.Error(), "nobody to give a record back to") {
			t.Errorf("a source: got %v", err)
		}
		// A topic's own settings count.
		for _, tc := range []struct {
			name string
			cfg  ConsumerConfig
			want string // "" is none
		}{
			{"its own policy", ConsumerConfig{OnError: OnErrorNack}, `ordering = "none"`},
			{"its own order", ConsumerConfig{OnError: OnErrorNack, Ordering: OrderNone}, ""},
			{"its own type", ConsumerConfig{OnError: OnErrorNack, Type: SubscriptionShared, Subscription: "shared"}, ""},
			{"its own delay", ConsumerConfig{OnError: OnErrorNack, Ordering: OrderNone, NackDelay: 15 * time.Second}, "less than half"},
			{"a policy that is none", ConsumerConfig{OnError: OnErrorNack, Ordering: OrderNone, OnExhausted: OnErrorSkip}, "on_exhausted"},
		} {
			tc.cfg.Topic = a
			sink := topicsSink{&testSink{}, func(context.Context) ([]ConsumerConfig, error) { return []ConsumerConfig{tc.cfg}, nil }}
			r := l.startSink(sink)
			if tc.want == "" {
				r.ready().stopped()
				continue
			}
			err := r.wait()
			if ExitCode(err) != 2 || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got %v", tc.name, err)
			}
		}
	})
}

// What went to another process is not remembered for ever.
func TestNacksAreForgotten(t *testing.T) {
	var n nacks
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range nackMemory + 100 {
		n.add(RecordID{Offset: uint64(i)}, pastDelivery{times: 1, at: start.Add(time.Duration(i))})
	}
	same(t, "remembered", len(n.of), nackMemory)
	same(t, "the first", n.before(RecordID{}).times, 0)
	same(t, "the last", n.before(RecordID{Offset: nackMemory + 99}).times, 1)
	n.forget(RecordID{Offset: nackMemory + 99})
	same(t, "the last", n.before(RecordID{Offset: nackMemory + 99}).times, 0)
}
