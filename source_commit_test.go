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

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestSourceCommitsWhatTheBrokerHas(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		h := l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSendMessage}, Skip: 2, Count: -1, Hang: true})
		source := &committing{testSource: once(offsets("p", 1, 5)...)}
		r := l.source(source)
		l.must(h.Wait(t.Context(), 1))
		l.pause(10 * time.Second)
		same(t, "committed while the third is held", source.all(), "[p@1 p@2]")
		h.Remove()
		l.until("committed", func() bool { return source.last("p") == "p@5" })
		same(t, "committed", source.all(), "[p@1 p@2 p@3 p@4 p@5]")
		same(t, "published", len(l.b.Messages(topic)), 5)
		r.stopped()
		same(t, "committed at the end", source.all(), "[p@1 p@2 p@3 p@4 p@5]")
	})
}

// Partitions of a topic are published beside each other; commits wait for the
// slowest all the same.
func TestSourceCommitsNothingBehindAGap(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 2)
		h := l.b.Fault(publishes(danubetest.Fault{Topic: topic + "-part-0", Hang: true}))
		var records []*SourceRecord
		for i, r := range append(offsets("a", 1, 4), offsets("b", 1, 4)...) {
			key := "k0" // of partition 0 or 1
			if i%4 != 1 {
				key = "k1"
			}
			records = append(records, r.WithKey(key))
		}
		source := &committing{testSource: once(records...)}
		r := l.source(source)
		l.must(h.Wait(t.Context(), 1))
		l.until("the other partition published", func() bool { return r.metric("inflight_messages") <= 6 })
		l.pause(10 * time.Second)
		held := strings.Contains(fmt.Sprint(l.b.Messages(topic)), "k1")
		if held { // the key of one record of each source partition is held
			same(t, "committed", source.all(), "[a@1 b@1]")
		} else {
			same(t, "committed", source.all(), "[]")
		}
		h.Remove()
		l.until("committed", func() bool { return source.last("a") == "a@4" && source.last("b") == "b@4" })
		for _, p := range []string{"a", "b"} {
			var got []Offset
			for _, o := range source.all() {
				if o.Partition == p {
					got = append(got, o)
				}
			}
			same(t, "committed of "+p, got, fmt.Sprintf("[%[1]s@1 %[1]s@2 %[1]s@3 %[1]s@4]", p))
		}
		r.stopped()
	})
}

func TestSourceProgressAdvancesCommitsInItsTurn(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Hang: true}))
		source := &committing{testSource: once(
			Progress(OffsetInt("p", 1)),
			FromString("", "row").WithOffset(OffsetInt("p", 2)),
			Progress(OffsetInt("p", 3)),
			Progress(OffsetInt("q", 1)),
		)}
		r := l.source(source)
		l.must(h.Wait(t.Context(), 1))
		l.pause(time.Second)
		same(t, "committed while the row is held", source.all(), "[p@1 q@1]")
		h.Remove()
		l.until("committed", func() bool { return source.last("p") == "p@3" })
		r.stopped()
		l.b.CheckPayloads(t, topic, "row")
		same(t, "committed", source.all(), "[p@1 q@1 p@2 p@3]")
		same(t, "received", r.metric("messages_received_total"), 1)
	})
}

func TestSourceCommitsWhileItWaits(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		set  func(*Config)
	}{
		{"for the next poll", nil, func(c *Config) { c.PollInterval = time.Minute }},
		{"for the next try", RetryableAfter(errors.New("busy"), time.Minute), func(*Config) {}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				l.topic("t", 0)
				source := &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
					switch {
					case n == 1 && tc.err == nil:
						return offsets("p", 1, 3), nil
					case n == 1:
						return offsets("p", 1, 3), tc.err
					}
					return nil, tc.err
				}}}
				r := l.source(source, tc.set)
				start := time.Now()
				l.until("committed", func() bool { return source.last("p") == "p@3" })
				if took := time.Since(start); took > time.Second {
					t.Errorf("the commit came after %v", took)
				}
				r.stopped()
			})
		})
	}
}

func TestSourceRecordsWithoutOffsetsCommitNothing(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		source := &committing{testSource: once(texts("", "1", "2")...)}
		r := l.source(source)
		_, err := l.b.WaitPublished(t.Context(), topic, 2)
		l.must(err)
		l.pause(time.Second)
		r.stopped()
		same(t, "calls of Commit", source.commits.Load(), 0)
	})
}

func TestSourceCommitIsNeverConcurrent(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 3)
		busy, next := false, 0
		call := func() func() {
			if busy {
				t.Error("two calls at once")
			}
			busy = true // the race detector looks as well
			time.Sleep(100 * time.Microsecond)
			return func() { busy = false }
		}
		source := &committing{testSource: &testSource{
			initialize: func(context.Context, *Setup) error { call()(); return nil },
			shutdown:   func(context.Context) error { call()(); return nil },
			poll: func(context.Context, int) ([]*SourceRecord, error) {
				defer call()()
				next++
				if next == 100 {
					return offsets("p", next, next), io.EOF
				}
				return offsets("p", next, next), nil
			},
		}}
		source.commit = func(int, []Offset) error { call()(); return nil }
		r := l.source(source)
		l.must(r.wait())
		var want []Offset
		for i := range 100 {
			want = append(want, OffsetInt("p", int64(i+1)))
		}
		if !slices.Equal(source.all(), want) {
			t.Errorf("committed %v", source.all())
		}
	})
}
