package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestBrokerThatIsNotThereAtTheStart(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		l.b.Stop()
		sink, source := &testSink{}, &testSource{}
		for name, r := range map[string]*run{"sink": l.begin(sink), "source": l.source(source)} {
			l.until("trying", func() bool { return strings.Contains(fmt.Sprint(r.board.NotReady()), "connecting") })
			err, took := r.stop()
			if err != nil || took > time.Second {
				t.Errorf("%s: got %v after %v, want a clean stop at once", name, err, took)
			}
		}
		same(t, "the sink's life", sink.lifetime(), "initialize shutdown")
		same(t, "the source's life", source.lifetime(), "initialize shutdown")

		sink = &testSink{}
		r := l.begin(sink)
		l.pause(time.Hour)
		l.must(l.b.Start())
		r.ready()
		l.publish(l.name("t"), "1")
		l.must(l.b.WaitAcked(t.Context(), l.name("t"), "s", 1))
		r.stopped()
	})
}

func TestTopicThatIsNotThereAtTheStart(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		sink := &testSink{}
		r := l.begin(sink)
		l.pause(time.Minute)
		if reasons := fmt.Sprint(r.board.NotReady()); !strings.Contains(reasons, "does not exist") {
			t.Errorf("not ready: %s", reasons)
		}
		l.topic("t", 2)
		r.ready()
		l.publish(l.name("t"), "1", "2")
		l.must(l.b.WaitAcked(t.Context(), l.name("t"), "s", 2))
		r.stopped()
	})
}

// A broker that restarts forgets what was in flight, not what was acknowledged in
// order: nothing is lost, and the connector gets nothing twice that it finished.
func TestSinkOverARestartOfTheBroker(t *testing.T) {
	for _, parts := range []int{0, 3} {
		t.Run(fmt.Sprint(parts, " partitions"), func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", parts)
				sink := &testSink{process: func(context.Context, processed) error {
					time.Sleep(10 * time.Millisecond)
					return nil
				}}
				r := l.sink(sink)
				for i := range 5 {
					l.publish(topic, numbers(40*i+1, 40*i+40)...)
					l.until("in the middle", func() bool { return len(sink.seen()) >= 40*i+20 })
					l.b.Stop()
					l.pause(time.Duration(i) * 3 * time.Second)
					l.must(l.b.Start())
				}
				l.must(l.b.WaitIdle(t.Context(), topic, "s"))
				r.stopped()
				got := sink.payloads()
				slices.Sort(got)
				if n := len(got); len(slices.Compact(got)) != 200 || n != 200 {
					t.Errorf("%d records processed, %d different ones, want 200", n, len(slices.Compact(got)))
				}
				if parts == 0 {
					same(t, "order", sink.payloads(), numbers(1, 200))
				}
				l.b.CheckNoUnacked(t, topic, "s")
			})
		})
	}
}

func TestSourceOverARestartOfTheBroker(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		next := 0
		source := &committing{testSource: &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			time.Sleep(10 * time.Millisecond)
			next += 10
			if next == 500 {
				return offsets("p", next-9, next), io.EOF
			}
			return offsets("p", next-9, next), nil
		}}}
		r := l.source(source)
		for i := range 4 {
			_, err := l.b.WaitPublished(t.Context(), topic, 100*i+50)
			l.must(err)
			l.b.Stop()
			l.pause(time.Duration(i) * 2 * time.Second)
			l.must(l.b.Start())
		}
		l.must(r.wait())
		first := map[string]bool{}
		var order []string
		for _, m := range l.b.Messages(topic) {
			if p := string(m.Payload); !first[p] {
				first[p] = true
				order = append(order, p)
			}
		}
		var want []string
		for _, n := range numbers(1, 500) {
			want = append(want, "p"+n)
		}
		if !slices.Equal(order, want) {
			t.Errorf("by first occurrence: %v", order)
		}
		if n := len(l.b.Messages(topic)); n > 500+4 {
			t.Errorf("%d messages: more duplicates than sends that were cut off", n)
		}
		same(t, "committed", len(source.all()), 500)
		same(t, "last", source.last("p"), "p@500")
	})
}

func TestSourceAmbiguousPublishIsRepeated(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		f := danubetest.AmbiguousPublish(topic)
		f.Skip = 1
		l.b.Fault(f)
		receipts := make(chan Receipt, 3)
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			for i := range 3 {
				receipt, err := e.Emit(ctx, FromString("", fmt.Sprint(i)))
				if err != nil {
					return err
				}
				receipts <- receipt
			}
			return nil
		})
		r := l.source(FromStream(source))
		l.must(r.wait())
		l.b.CheckPayloads(t, topic, "0", "1", "1", "2")
		m := l.b.Messages(topic)
		same(t, "request ids of the two copies", m[1].RequestID, m[2].RequestID)
		for i := range 3 {
			receipt := <-receipts
			same(t, fmt.Sprint("attempts of ", i), receipt.Attempts, 1+i%2)
			same(t, fmt.Sprint("ambiguous ", i), receipt.Ambiguous, i == 1)
		}
		same(t, "retried", r.metric("messages_retried_total"), 1)
	})
}

// An ack whose answer is lost goes out again: the record is not processed twice.
func TestSinkAcksAreRepeated(t *testing.T) {
	for name, fault := range map[string]danubetest.Fault{
		"lost":                danubetest.AckLost("s"),
		"applied, not heard":  danubetest.AckAppliedButFailed("s"),
		"stream broken after": {Methods: []danubetest.Method{danubetest.MethodDelivery}, EndStream: danubetest.StreamUnavailable, AfterApply: true, Skip: 3},
	} {
		t.Run(name, func(t *testing.T) {
			onProfiles(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				l.b.Fault(fault)
				sink := &testSink{}
				r := l.sink(sink)
				l.publish(topic, numbers(1, 10)...)
				l.must(l.b.WaitIdle(t.Context(), topic, "s"))
				r.stopped()
				same(t, "seen", sink.payloads(), numbers(1, 10))
				l.b.CheckNoUnacked(t, topic, "s")
			})
		})
	}
}

// A message that the broker delivers again while it is in work is processed once.
func TestSinkAbsorbsCopies(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(ctx context.Context, p processed) error {
			if p.payload == "1" {
				time.Sleep(70 * time.Second) // over the broker's ack timeout, twice
			}
			return nil
		}}
		r := l.sink(sink)
		l.publish(topic, numbers(1, 5)...)
		l.until("all processed", func() bool { return len(sink.seen()) == 5 })
		l.publish(topic, "6")
		l.must(l.b.WaitIdle(t.Context(), topic, "s"))
		r.stopped()
		same(t, "seen", sink.payloads(), numbers(1, 6))
	})
}

func TestClientErrorsThatEndTheRun(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodCreateProducer}, Err: errDenied})
		err := l.source(&testSource{}).wait()
		if !errors.Is(err, danube.ErrPermission) {
			t.Errorf("got %v, want the broker's refusal", err)
		}
		same(t, "exit code", ExitCode(err), 2)
	})
}
