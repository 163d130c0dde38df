package connect

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// number publishes a message as a producer with stamps does that was opened at a second.
func (l *lab) number(topic string, opened int64, n int) {
	l.t.Helper()
	_, err := l.b.Publish(topic, fmt.Append(nil, n), danubetest.PubOpts{
		Producer: "p", RequestID: uint64(opened)<<32 | uint64(n), Attributes: map[string]string{danube.AttrStamp: fmt.Sprintf("p/%d/%d", opened, n)},
	})
	l.must(err)
}

// What the offsets do not show, the stamps do: a topic that was made anew has lost what
// nobody had read.
func TestSinkReportsLossesByStamps(t *testing.T) {
	for _, policy := range []GapPolicy{OnGapReport, OnGapStop} {
		t.Run(string(policy), func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				sink := &testSink{}
				r := l.sink(sink, func(c *Config) { c.OnGap = policy })
				for _, n := range []int{1, 2} {
					l.number(topic, 5, n)
				}
				l.stamped(topic, "", "3", "p/5/9", "") // handed on: the stamp is another message's
				l.until("all written", func() bool { return len(sink.seen()) == 3 })
				for _, n := range []int{5, 6} {
					l.number(topic, 5, n)
				}
				if policy == OnGapStop {
					err := r.wait()
					if !errors.Is(err, ErrStoppedByPolicy) || ExitCode(err) != 5 || !strings.Contains(err.Error(), "numbers 3 to 4 of p/5") {
						t.Errorf("got %v (%d), want which are missing", err, ExitCode(err))
					}
					same(t, "written", sink.payloads(), numbers(1, 3))
				} else {
					l.until("all written", func() bool { return len(sink.seen()) == 5 })
					l.number(topic, 5, 4)
					l.until("the late one written", func() bool { return len(sink.seen()) == 6 })
					r.stopped()
					same(t, "late", r.metric("stamps_late_total"), 1)
				}
				same(t, "missing", r.metric("stamps_missing_total"), 2)
				same(t, "missing by offsets", r.metric("messages_missing_total"), 0)
			})
		})
	}
}

// A producer that looks as if it had been opened after the sink, by its own clock, may have
// begun before: what it takes two clocks to say stops no sink.
func TestSinkGoesOnWhereOnlyTheClocksSayThatTheFirstAreLost(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{}
		r := l.sink(sink, func(c *Config) { c.OnGap = OnGapStop })
		l.number(topic, time.Now().Unix()+1, 3)
		l.until("written", func() bool { return len(sink.seen()) == 1 })
		r.stopped()
		same(t, "missing", r.metric("stamps_missing_total"), 2)
	})
}

// Of a shared subscription each consumer gets some of the numbers: none is missing.
func TestSharedSinkReportsNoLossesByStamps(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{}
		r := l.sink(sink, func(c *Config) { c.SubscriptionType, c.OnGap = SubscriptionShared, OnGapStop })
		for _, n := range []int{1, 5} {
			l.number(topic, 5, n)
		}
		l.must(l.b.WaitAcked(t.Context(), topic, r.cfg.SubscriptionName, 2))
		r.stopped()
		same(t, "missing", r.metric("stamps_missing_total"), 0)
	}, danubetest.WithMaxUnacked(10))
}
