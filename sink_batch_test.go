package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// batchCall is one call of ProcessBatch.
type batchCall struct {
	payloads []string
	records  []*SinkRecord // copied
	slice    []*SinkRecord // as it was given
	topic    string
	part     int32
	at       time.Time
}

// testBatch is a batch sink that remembers what it was asked.
type testBatch struct {
	*testSink
	batch func(ctx context.Context, b *Batch, n int) error // n counts calls from 1

	mu      sync.Mutex
	batches []batchCall
}

func batch(f func(ctx context.Context, b *Batch, n int) error) *testBatch {
	return &testBatch{testSink: &testSink{}, batch: f}
}

func (s *testBatch) ProcessBatch(ctx context.Context, b *Batch) error {
	s.mu.Lock()
	c := batchCall{records: slices.Clone(b.Records()), slice: b.Records(), topic: b.Topic(), part: b.Partition(), at: time.Now()}
	for _, r := range b.Records() {
		c.payloads = append(c.payloads, string(r.Payload()))
	}
	s.batches = append(s.batches, c)
	n := len(s.batches)
	s.mu.Unlock()
	if s.batch == nil {
		return nil
	}
	return s.batch(ctx, b, n)
}

func (s *testBatch) all() []batchCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.batches)
}

// sizes returns the sizes of the batches, in order.
func (s *testBatch) sizes() []int {
	var list []int
	for _, b := range s.all() {
		list = append(list, len(b.payloads))
	}
	return list
}

// written returns the payloads of all batches, in order.
func (s *testBatch) written() []string {
	var list []string
	for _, b := range s.all() {
		list = append(list, b.payloads...)
	}
	return list
}

func (s *testBatch) text() string {
	var list []string
	for _, b := range s.all() {
		list = append(list, strings.Join(b.payloads, " "))
	}
	return strings.Join(list, ", ")
}

func batches(size int, linger time.Duration) func(*Config) {
	return func(c *Config) { c.BatchSize, c.BatchTimeout = size, linger }
}

func TestBatchIsClosedByCount(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := batch(nil)
		r := l.sink(FromBatch(sink), batches(4, time.Minute))
		l.publish(topic, numbers(1, 8)...)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 8))
		r.stopped()
		same(t, "batches", sink.sizes(), "[4 4]")
		same(t, "order", sink.written(), numbers(1, 8))
		same(t, "batch_size", r.metric("batch_size"), 2)
		same(t, "processed", r.metric("messages_processed_total"), 8)
	})
}

func TestBatchIsClosedByBytes(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := batch(nil)
		r := l.sink(FromBatch(sink), batches(100, time.Minute), func(c *Config) { c.BatchBytes = 1000 })
		kb := strings.Repeat("x", 400)
		l.publish(topic, kb, kb, kb, kb, strings.Repeat("y", 5000), kb)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 6))
		r.stopped()
		same(t, "batches", sink.sizes(), "[2 2 1 1]")
	})
}

// The broker sends no more than its window of 10 without acks: a batch of 1000 can
// never fill, and must not wait for its time.
func TestBatchDoesNotWaitForWhatCannotCome(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := batch(nil)
		r := l.sink(FromBatch(sink), batches(1000, time.Minute))
		start := time.Now()
		l.publish(topic, numbers(1, 100)...)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 100))
		if took := time.Since(start); took > 100*time.Millisecond {
			t.Errorf("100 records took %v, with %d batches", took, len(sink.all()))
		}
		if n := len(sink.all()); n > 20 {
			t.Errorf("%d batches for 100 records in windows of 10", n)
		}
		r.stopped()
		same(t, "order", sink.written(), numbers(1, 100))
	})
}

// A batch_size above the broker's window works, and once it is said what limits it; on
// a topic where no more comes nothing limits anything.
func TestBatchLargerThanTheWindow(t *testing.T) {
	const says = "batches are as large as the broker lets them be"
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := batch(func(context.Context, *Batch, int) error {
			<-time.After(5 * time.Millisecond)
			return nil
		})
		r := l.sink(FromBatch(sink), batches(1000, time.Second))
		for i := range 30 { // a topic with little on it
			l.publish(topic, numbers(3*i+1, 3*i+3)...)
			l.until("written", func() bool { return len(sink.written()) == 3*i+3 })
			l.pause(150 * time.Millisecond)
		}
		same(t, "said of a quiet topic", l.log.count(says), 0)
		for i := 91; i <= 1000; i += 70 {
			l.publish(topic, numbers(i, i+69)...)
			l.until("written", func() bool { return len(sink.written()) >= i-100 })
		}
		l.until("all written", func() bool { return len(sink.written()) == 1000 })
		same(t, "said of a busy one", l.log.count(says), 1)
		if l.log.count(says) == 1 && l.log.count("records=10 batch_size=1000") != 1 {
			t.Error("it does not name the window, which is 10")
		}
		r.stopped()
		same(t, "order", sink.written(), numbers(1, 1000))
	})
}

func TestBatchIsClosedByLinger(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := batch(nil)
		r := l.sink(FromBatch(sink), batches(1000, 5*time.Millisecond))
		start := time.Now()
		for i := range 20 { // never quiet, never full
			l.publish(topic, fmt.Sprint(i))
			time.Sleep(time.Millisecond)
		}
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 20))
		r.stopped()
		first := sink.all()[0]
		if wait := first.at.Sub(start); wait < 4*time.Millisecond || wait > 6*time.Millisecond {
			t.Errorf("the first batch, of %d, was closed after %v, want 5ms", len(first.payloads), wait)
		}
		same(t, "order", sink.written(), numbers(0, 19))
	})
}

func TestBatchIsClosedByQuiet(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := batch(nil)
		r := l.sink(FromBatch(sink), batches(1000, time.Minute))
		start := time.Now()
		l.publish(topic, "1", "2", "3")
		l.until("processed", func() bool { return len(sink.all()) == 1 })
		same(t, "batches", sink.sizes(), "[3]")
		if wait := sink.all()[0].at.Sub(start); wait != quietTime {
			t.Errorf("the batch was closed after %v, want %v", wait, quietTime)
		}
		r.stopped()
	})
}

func TestBatchIsClosedByStop(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := batch(nil)
		r := l.sink(FromBatch(sink), batches(1000, time.Minute))
		l.publish(topic, "1", "2", "3")
		synctest.Wait() // received, and waiting for more: no time has passed
		same(t, "batches before", len(sink.all()), 0)
		r.stopped()
		same(t, "batches", sink.sizes(), "[3]")
		same(t, "acked", l.acked(), 3)
	})
}

func TestBatchHoldsOnePartition(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		a, b := l.topic("a", 3), l.topic("b", 0)
		sink := batchOfTopics{batch(nil), func(context.Context) ([]ConsumerConfig, error) {
			return []ConsumerConfig{{Topic: a}, {Topic: b}}, nil
		}}
		rt := l.newSink(FromBatch(sink), l.config(batches(50, 20*time.Millisecond)))
		r := l.start(rt.core, rt.Run).ready()
		for i := range 60 {
			l.publishKey(a, fmt.Sprint(i%5), fmt.Sprint("a", i))
			l.publish(b, fmt.Sprint("b", i))
		}
		l.until("all processed", func() bool { return len(sink.written()) == 120 })
		r.stopped()
		for _, c := range sink.all() {
			for _, rec := range c.records {
				if rec.Topic() != c.topic || rec.Partition() != c.part {
					t.Errorf("a record of %s[%d] is in a batch of %s[%d]", rec.Topic(), rec.Partition(), c.topic, c.part)
				}
			}
		}
		same(t, "in flight", r.metric("inflight_messages"), 0)
	})
}

// batchOfTopics is a batch sink that chooses what it consumes.
type batchOfTopics struct {
	*testBatch
	configs func(context.Context) ([]ConsumerConfig, error)
}

func (s batchOfTopics) ConsumerConfigs(ctx context.Context) ([]ConsumerConfig, error) {
	return s.configs(ctx)
}

func TestBatchRecordsMayBeKept(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := batch(nil)
		r := l.sink(FromBatch(sink), batches(5, time.Second))
		l.publish(topic, numbers(1, 50)...)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 50))
		r.stopped()
		var got []string
		for _, c := range sink.all() {
			for i, rec := range c.records {
				got = append(got, string(rec.Payload()))
				if string(rec.Payload()) != c.payloads[i] {
					t.Errorf("a kept record changed from %s to %s", c.payloads[i], rec.Payload())
				}
			}
		}
		same(t, "kept", got, numbers(1, 50))
	})
}

func TestBatchFailKnowsItsRecords(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		var kept *Batch
		var rec *SinkRecord
		sink := batch(func(_ context.Context, b *Batch, n int) error {
			foreign := NewTestRecord(topic, []byte("foreign"))
			if err := b.Fail(foreign, errors.New("x")); !errors.Is(err, ErrNotInBatch) {
				t.Errorf("a foreign record: got %v, want ErrNotInBatch", err)
			}
			if err := b.Fail(nil, errors.New("x")); !errors.Is(err, ErrNotInBatch) {
				t.Errorf("no record: got %v, want ErrNotInBatch", err)
			}
			if n == 1 {
				kept, rec = b, b.Records()[0]
				if err := b.Fail(rec, nil); err != nil || b.Failed(rec) == nil {
					t.Errorf("without an error: got %v, %v", err, b.Failed(rec))
				}
			}
			return nil
		})
		r := l.sink(FromBatch(sink), batches(3, time.Second))
		l.publish(topic, numbers(1, 3)...)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 3))
		same(t, "batches", sink.text(), "1 2 3, 1")
		if err := kept.Fail(rec, errors.New("late")); !errors.Is(err, ErrBatchClosed) {
			t.Errorf("after the return: got %v, want ErrBatchClosed", err)
		}
		r.stopped()
	})
}

func TestBatchReceivesManyInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := batch(nil)
		r := l.sink(FromBatch(sink))
		for n := 100; n <= 500; n += 100 { // a real broker skips what lags 256 behind
			l.publish(topic, numbers(n-99, n)...)
			l.until("all processed", func() bool { return len(sink.written()) >= n })
		}
		r.stopped()
		if !slices.Equal(sink.written(), numbers(1, 500)) {
			t.Errorf("out of order: %v", sink.written())
		}
	})
}

// Whoever wraps the adapter gets the records one by one.
func TestBatchUnderADecorator(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := batch(func(_ context.Context, b *Batch, n int) error {
			if n == 1 {
				return b.Fail(b.Records()[0], errors.New("once"))
			}
			return nil
		})
		r := l.sink(decorator{FromBatch(sink)})
		l.publish(topic, "1", "2")
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 2))
		r.stopped()
		same(t, "batches", sink.text(), "1, 1, 2")
	})
}
