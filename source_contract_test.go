package connect

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// The sentences of docs/delivery.md about sources, on danubetest and on a real broker.

// quick are settings for scenarios in real time.
func quick(c *Config) {
	c.RetryBackoff, c.MaxBackoff = 10*time.Millisecond, 50*time.Millisecond
	c.PollInterval = 5 * time.Millisecond
}

// keyed returns records from to to of one source partition, on n keys by turns.
func keyed(from, to, n int) []*SourceRecord {
	var list []*SourceRecord
	for i := from; i <= to; i++ {
		list = append(list, FromString("", fmt.Sprint(i)).WithKey(fmt.Sprint("k", i%n)).WithOffset(OffsetInt("p", int64(i))))
	}
	return list
}

// polled makes a source of the lists, one for each poll, that is finished behind them.
func polled(lists ...[]*SourceRecord) *committing {
	return &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
		if n > len(lists) {
			return nil, io.EOF
		}
		return lists[n-1], nil
	}}}
}

// Whatever goes wrong on the way, every record gets to the topic; of each key they come
// in order for the first time, a repeated one is marked by its stamp, and all are
// committed once, in order.
func TestSourcePublishesWhatItAccepted(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		check := &testSink{}
		sink := l.sink(check, seesAll)
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(1, 2))
		requests, failures, ambiguous, twice := map[string]uint64{}, 0, 0, map[string]bool{}
		w.set(func(ctx context.Context, p publish, send func() error) error {
			mu.Lock()
			n := random.IntN(10)
			if first, ok := requests[p.payload]; ok && first != p.request {
				t.Errorf("%s: request id %d, then %d", p.payload, first, p.request)
			}
			requests[p.payload] = p.request
			fails, applied := n < 4, n < 2
			if fails {
				failures++
			}
			if applied {
				ambiguous++
			}
			if applied || n == 3 { // after this answer, too, nobody knows
				twice[p.payload] = true
			}
			mu.Unlock()
			switch {
			case applied:
				if err := send(); err != nil {
					return err
				}
				return status.Error(codes.Unavailable, "the connection broke")
			case n == 2:
				return status.Error(codes.ResourceExhausted, "too busy")
			case n == 3:
				return status.Error(codes.PermissionDenied, "Unable to publish the message: the wal writer is behind")
			}
			return send()
		})
		source := polled(keyed(1, 30, 4), keyed(31, 60, 4))
		r := l.source(source, quick)
		l.must(r.wait())
		l.until("all arrived", func() bool { return len(check.seen()) >= 60+ambiguous })
		sink.stopped()
		same(t, "committed", source.all(), offsetsOf("p", 1, 60))
		same(t, "retried", r.metric("messages_retried_total"), failures)
		same(t, "ambiguous", r.metric("messages_ambiguous_total"), len(twice))
		last, stamps := map[string]int{}, map[string]string{}
		for _, c := range check.seen() {
			n, stamp := 0, c.rec.Attributes()[danube.AttrStamp]
			_, err := fmt.Sscan(c.payload, &n)
			l.must(err)
			switch before := stamps[c.payload]; {
			case before == "":
				stamps[c.payload] = stamp
				if n < last[c.rec.Key()] {
					t.Errorf("key %s: %d came for the first time after %d", c.rec.Key(), n, last[c.rec.Key()])
				}
				last[c.rec.Key()] = n
			case before != stamp:
				t.Errorf("%s is there twice, with the stamps %s and %s", c.payload, before, stamp)
			}
		}
		same(t, "different records", len(stamps), 60)
		if failures == 0 || ambiguous == 0 {
			t.Errorf("%d failures, %d of them ambiguous: the test shows nothing", failures, ambiguous)
		}
	})
}

func offsetsOf(partition string, from, to int) (list []Offset) {
	for i := from; i <= to; i++ {
		list = append(list, OffsetInt(partition, int64(i)))
	}
	return list
}

// An answer that no retry changes stops the connector, and nothing from there on counts.
func TestSourceStopsWhereItCannotPublish(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		w.set(func(_ context.Context, p publish, send func() error) error {
			if p.payload == "5" {
				return errDenied
			}
			return send()
		})
		source := polled(keyed(1, 10, 1))
		err := l.source(source, quick).wait()
		same(t, "exit code", ExitCode(err), 1)
		if !strings.Contains(fmt.Sprint(err), "no binding grants") || !strings.Contains(fmt.Sprint(err), "p@5") {
			t.Errorf("%v does not name the record and the reason", err)
		}
		same(t, "committed", source.all(), offsetsOf("p", 1, 4))
	})
}

// While the broker does not answer, polling waits: what is in hand is bounded by records
// and by bytes.
func TestSourcePollingWaitsForTheBroker(t *testing.T) {
	for name, tc := range map[string]struct{ size, polls int }{
		"records": {1, 2},
		"bytes":   {1 << 20, 2},
	} {
		t.Run(name, func(t *testing.T) {
			onWire(t, func(t *testing.T, l *lab, w *wire) {
				w.hold(all)
				body := make([]byte, tc.size)
				source := &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
					var list []*SourceRecord
					for i := range 100 {
						list = append(list, NewRecord("", body).WithOffset(OffsetInt("p", int64(100*n+i))))
					}
					return list, nil
				}}}
				r := l.source(source, quick, func(c *Config) { c.DrainTimeout = 50 * time.Millisecond })
				l.until("waiting", func() bool { return r.metric("inflight_messages") > 10 })
				l.pause(300 * time.Millisecond)
				if n := len(source.polled()); n > tc.polls {
					t.Errorf("%d polls, want at most %d", n, tc.polls)
				}
				err, _ := r.stop()
				same(t, "exit code", ExitCode(err), 4)
				same(t, "committed", len(source.all()), 0)
			})
		})
	}
}

// One publish is under way for each partition, and all partitions are busy at once.
func TestSourceHasOnePublishUnderWayForEachPartition(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		a, b := l.topic("a", 4), l.topic("b", 0)
		var mu sync.Mutex
		now, most, together := map[string]int{}, 0, 0
		w.set(func(_ context.Context, p publish, send func() error) error {
			mu.Lock()
			now[p.topic]++
			most = max(most, now[p.topic])
			busy := 0
			for _, n := range now {
				busy += min(n, 1)
			}
			together = max(together, busy)
			mu.Unlock()
			l.pause(20 * time.Millisecond)
			err := send()
			mu.Lock()
			now[p.topic]--
			mu.Unlock()
			return err
		})
		var list []*SourceRecord
		for i := range 50 {
			list = append(list, FromString(a, fmt.Sprint(i)), FromString(b, fmt.Sprint(i)))
		}
		r := l.source(polled(list), quick)
		l.must(r.wait())
		same(t, "processed", r.metric("messages_processed_total"), 100)
		same(t, "most at once for one partition", most, 1)
		same(t, "partitions at once", together, 5)
	})
}
