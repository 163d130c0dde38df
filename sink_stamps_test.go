package connect

import (
	"errors"
	"strings"
	"testing"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// What the offsets do not show, the stamps do: a topic that was made anew has lost what
// nobody had read.
func TestSinkReportsLossesByStamps(t *testing.T) {
	for _, policy := range []GapPolicy{OnGapReport, OnGapStop} {
		t.Run(string(policy), func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				sink := &testSink{}
				r := l.sink(sink, func(c *Config) { c.OnGap = policy })
				for _, n := range []string{"1", "2"} {
					l.stamped(topic, "", n, "p/5/"+n, "")
				}
				l.until("both written", func() bool { return len(sink.seen()) == 2 })
				for _, n := range []string{"5", "6"} {
					l.stamped(topic, "", n, "p/5/"+n, "")
				}
				if policy == OnGapStop {
					err := r.wait()
					if !errors.Is(err, ErrStoppedByPolicy) || ExitCode(err) != 5 || !strings.Contains(err.Error(), "numbers 3 to 4 of p/5") {
						t.Errorf("got %v (%d), want which are missing", err, ExitCode(err))
					}
					same(t, "written", sink.payloads(), numbers(1, 2))
				} else {
					l.until("all written", func() bool { return len(sink.seen()) == 4 })
					l.stamped(topic, "", "4", "p/5/4", "")
					l.until("the late one written", func() bool { return len(sink.seen()) == 5 })
					r.stopped()
					same(t, "late", r.metric("stamps_late_total"), 1)
				}
				same(t, "missing", r.metric("stamps_missing_total"), 2)
				same(t, "missing by offsets", r.metric("messages_missing_total"), 0)
			})
		})
	}
}

// Of a shared subscription each consumer gets some of the numbers: none is missing.
func TestSharedSinkReportsNoLossesByStamps(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{}
		r := l.sink(sink, func(c *Config) { c.SubscriptionType, c.OnGap = SubscriptionShared, OnGapStop })
		for _, n := range []string{"1", "5"} {
			l.stamped(topic, "", n, "p/5/"+n, "")
		}
		l.must(l.b.WaitAcked(t.Context(), topic, r.cfg.SubscriptionName, 2))
		r.stopped()
		same(t, "missing", r.metric("stamps_missing_total"), 0)
	}, danubetest.WithMaxUnacked(10))
}
