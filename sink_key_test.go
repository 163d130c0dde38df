package connect

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// byKeys makes a sink keep the order of keys with n workers.
func byKeys(n int) func(*Config) {
	return func(c *Config) { c.Ordering, c.Concurrency = OrderKey, n }
}

func quickRetries(c *Config) { c.RetryBackoff, c.MaxBackoff = 5*time.Millisecond, 20*time.Millisecond }

func TestSinkKeepsTheOrderOfEachKey(t *testing.T) {
	for _, workers := range []int{1, 4} {
		for _, partitions := range []int{0, 3} {
			t.Run(fmt.Sprintf("%d workers, %d partitions", workers, partitions), func(t *testing.T) {
				onBoth(t, func(t *testing.T, l *lab) {
					topic := l.topic("t", partitions)
					sink := newOrdered(t, true)
					sink.work = func(*SinkRecord) error {
						time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
						if rand.IntN(4) == 0 {
							return errors.New("not this time")
						}
						return nil
					}
					r := l.sink(sink, byKeys(workers), quickRetries)
					for i := range 150 {
						l.publishKey(topic, fmt.Sprint("k", rand.IntN(6)), fmt.Sprint(i))
					}
					l.until("all written", func() bool { return sink.count() == 150 })
					r.stopped()
					sink.once()
					if limit := workers * max(1, partitions); sink.most > limit {
						t.Errorf("%d calls at once, want at most %d", sink.most, limit)
					}
					if l.b != nil {
						l.b.CheckNoUnacked(t, topic, "s")
					}
				})
			})
		}
	}
}

func TestSinkRetryOfOneKeyDoesNotHoldUpAnother(t *testing.T) {
	for _, workers := range []int{1, 4} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			onProfiles(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				start := time.Now()
				at := map[string]time.Duration{}
				sink := newOrdered(t, true)
				sink.work = func(rec *SinkRecord) error {
					if rec.Key() == "a" && time.Since(start) < 20*time.Second {
						return errors.New("not yet")
					}
					sink.mu.Lock()
					defer sink.mu.Unlock()
					at[string(rec.Payload())] = time.Since(start)
					return nil
				}
				r := l.sink(sink, byKeys(workers))
				for i := range 20 {
					l.publishKey(topic, []string{"a", "b", "c", "b"}[i%4], fmt.Sprint(i))
				}
				l.must(l.b.WaitIdle(t.Context(), topic, "s"))
				r.stopped()
				sink.once()
				for payload, took := range at {
					// The window is 10, so that what is behind it may have to wait.
					if n, _ := strconv.Atoi(payload); n < 10 && n%4 != 0 && took > time.Second {
						t.Errorf("record %s of another key was written after %v", payload, took)
					}
				}
			})
		})
	}
}

func TestSinkSixteenWorkersAreTwelveTimesAsFastAsOne(t *testing.T) {
	took := map[int]time.Duration{}
	for _, workers := range []int{1, 16} {
		onFake(t, func(t *testing.T, l *lab) {
			topic := l.topic("t", 0)
			sink := newOrdered(t, true)
			sink.work = func(*SinkRecord) error {
				time.Sleep(10 * time.Millisecond)
				return nil
			}
			r := l.sink(sink, byKeys(workers))
			start := time.Now()
			for i := range 1600 {
				l.publishKey(topic, fmt.Sprint("k", i%100), fmt.Sprint(i))
			}
			l.must(l.b.WaitAcked(t.Context(), topic, "s", 1600))
			took[workers] = time.Since(start)
			r.stopped()
			same(t, "calls at once", sink.most, workers)
		}, danubetest.WithMaxUnacked(64))
	}
	if took[1] < 12*took[16] {
		t.Errorf("one worker took %v, sixteen %v: %.1f times, want at least 12", took[1], took[16], float64(took[1])/float64(took[16]))
	}
}

func TestSinkRecordsWithoutAKeyAreOneOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := newOrdered(t, true)
		sink.work = func(rec *SinkRecord) error {
			if rec.Key() == "" && rand.IntN(2) == 0 {
				return errors.New("not this time")
			}
			return nil
		}
		r := l.sink(sink, byKeys(4), quickRetries)
		for i := range 40 {
			l.publishKey(topic, []string{"", "k"}[i%2], fmt.Sprint(i))
		}
		l.until("all written", func() bool { return sink.count() == 40 })
		r.stopped()
		sink.once()
	})
}

func TestSinkWithoutOrder(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		var mu sync.Mutex
		var now, most int
		sink := &testSink{process: func(_ context.Context, p processed) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			now--
			mu.Unlock()
			if p.payload == "1" && p.attempt < 3 {
				return errors.New("not yet")
			}
			return nil
		}}
		r := l.sink(sink, func(c *Config) { c.Ordering, c.Concurrency = OrderNone, 3 })
		for _, p := range numbers(1, 30) {
			l.publishKey(topic, "all the same", p)
		}
		l.until("all others written", func() bool { return r.metric("messages_processed_total") == 29 })
		if took := time.Since(sink.seen()[0].at); took > 150*time.Millisecond {
			t.Errorf("29 records of 10 ms, three at once, took %v", took)
		}
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 30))
		r.stopped()
		same(t, "calls at once", most, 3)
	})
}

func TestSinkBatchesKeepTheOrderOfEachKey(t *testing.T) {
	for _, workers := range []int{1, 3} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			onBoth(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 2)
				sink := newOrdered(t, true)
				sink.work = func(*SinkRecord) error {
					if rand.IntN(5) == 0 {
						return errors.New("bad luck")
					}
					return nil
				}
				r := l.sink(FromBatch(orderedBatch{sink}), byKeys(workers), quickRetries, func(c *Config) { c.BatchSize = 4 })
				for i := range 120 {
					l.publishKey(topic, fmt.Sprint("k", rand.IntN(8)), fmt.Sprint(i))
				}
				l.until("all written", func() bool { return sink.count() == 120 })
				r.stopped()
				sink.once()
				if sink.most > 2*workers {
					t.Errorf("%d calls at once, want at most %d for each of two partitions", sink.most, workers)
				}
			})
		})
	}
}

// Keys cost a map entry and nothing else, and that only while they have records.
func TestSinkTenThousandKeys(t *testing.T) {
	const keys = 10_000
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		before := runtime.NumGoroutine()
		var mu sync.Mutex
		failed := map[string]bool{}
		rt := l.newSink(SinkFunc(func(_ context.Context, rec *SinkRecord) error {
			mu.Lock()
			defer mu.Unlock()
			if rec.Offset() < keys && !failed[rec.Key()] { // the first round
				failed[rec.Key()] = true
				return RetryableAfter(errors.New("not yet"), 5*time.Second)
			}
			return nil
		}), l.config(byKeys(16)))
		r := l.start(rt.core, rt.Run).ready()
		publish := func(from, n int) {
			for i := range n {
				l.publishKey(topic, fmt.Sprint("key-", from+i), "x")
			}
			synctest.Wait()
		}
		publish(0, keys)
		lane := rt.routes[0].lanesNow()[0]
		same(t, "keys that wait for their retry", lane.Keys(), keys)
		if n := runtime.NumGoroutine() - before; n > 100 {
			t.Errorf("%d goroutines more for %d keys", n, keys)
		}
		var heaps []uint64
		for round := range 4 {
			if round > 0 {
				publish(round*keys, 4000) // other keys each time
			}
			l.must(l.b.WaitIdle(t.Context(), topic, "s"))
			same(t, "keys without records", lane.Keys(), 0)
			clear(failed)
			heaps = append(heaps, heap())
		}
		if slices.Max(heaps[1:]) > heaps[0]+4<<20 {
			t.Errorf("memory grows with the keys: %d bytes", heaps)
		}
		r.stopped()
	}, danubetest.WithMaxUnacked(10_000), danubetest.WithForgetAcked(), danubetest.WithCallLog(0))
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
