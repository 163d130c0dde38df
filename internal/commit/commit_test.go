package commit

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// offset is a partition and a value; the zero offset is none.
type offset struct {
	p string
	v int
}

// tester adds flights and remembers them.
type tester struct {
	t *testing.T
	*Tracker[offset]
}

func newTester(t *testing.T, lag time.Duration) tester { return tester{t, New[offset](lag, 0)} }

func (t tester) add(p string, v int) *Flight[offset] {
	f := &Flight[offset]{Offset: offset{p, v}}
	t.Add(p, f)
	return f
}

func (t tester) settle(flights ...*Flight[offset]) {
	for _, f := range flights {
		t.Settle(f.Offset.p, f)
	}
}

func (t tester) take(want ...offset) time.Duration {
	t.t.Helper()
	got, next := t.Take()
	if !slices.Equal(got, want) {
		t.t.Errorf("taken %v, want %v", got, want)
	}
	return next
}

func TestInOrderAndNeverPastAGap(t *testing.T) {
	tr := newTester(t, 0)
	a1, a2, a3 := tr.add("a", 1), tr.add("a", 2), tr.add("a", 3)
	b1 := tr.add("b", 1)
	tr.settle(a3, b1)
	tr.take(offset{"b", 1})
	tr.settle(a1)
	tr.take(offset{"a", 1})
	tr.take()
	tr.settle(a2, a2) // a second time changes nothing
	tr.take(offset{"a", 2}, offset{"a", 3})
	if n := tr.Pending(); n != 0 {
		t.Errorf("%d pending", n)
	}
}

func TestNothingBehindAFailure(t *testing.T) {
	tr := newTester(t, 0)
	a1, a2, a3 := tr.add("a", 1), tr.add("a", 2), tr.add("a", 3)
	b1 := tr.add("b", 1)
	tr.Fail(a2)
	tr.settle(a1, a2, a3, b1)
	tr.take(offset{"a", 1}, offset{"b", 1})
	tr.take()
	if n := tr.Pending(); n != 0 {
		t.Errorf("%d pending", n)
	}
}

func TestDroppedIsNotTaken(t *testing.T) {
	tr := newTester(t, 0)
	a1, a2, a3 := tr.add("a", 1), tr.add("a", 2), tr.add("a", 3)
	tr.Drop("a", a2)
	tr.settle(a3)
	tr.take()
	tr.settle(a1)
	tr.take(offset{"a", 1}, offset{"a", 3})
}

// Where a source goes on after an offset, all records that have it must be there.
func TestASharedOffsetWaitsForAllItsRecords(t *testing.T) {
	tr := newTester(t, 0)
	a1, x, y, z := tr.add("a", 1), tr.add("a", 2), tr.add("a", 2), tr.add("a", 2)
	a3 := tr.add("a", 3)
	tr.settle(a1, x, y)
	tr.take(offset{"a", 1})
	tr.take()
	tr.settle(z)
	tr.take(offset{"a", 2}) // once
	tr.settle(a3)
	tr.take(offset{"a", 3})

	x, y = tr.add("a", 4), tr.add("a", 4)
	tr.settle(x)
	tr.take()
	tr.Fail(y)
	tr.take()
}

// A record without an offset lies before the next offset that is emitted, in
// whichever source partition.
func TestARecordWithoutAnOffsetHoldsWhatComesAfterIt(t *testing.T) {
	tr := newTester(t, 0)
	a1 := tr.add("a", 1)
	none := tr.add("", 0)
	a2, b1, e1 := tr.add("a", 2), tr.add("b", 1), tr.add("", 1)
	tr.settle(a1, a2, b1, e1)
	tr.take(offset{"a", 1})
	tr.settle(none)
	tr.take(offset{"a", 2}, offset{"b", 1}, offset{"", 1})
	tr.settle(tr.add("", 0))
	tr.take()
	tr.Fail(tr.add("", 0))
	tr.settle(tr.add("a", 3))
	tr.take()
}

func TestAWakeForWhatCanBeTaken(t *testing.T) {
	tr := newTester(t, 0)
	woken := func() bool {
		select {
		case <-tr.Ready():
			return true
		default:
			return false
		}
	}
	none, a1, a2 := tr.add("", 0), tr.add("a", 1), tr.add("a", 2)
	tr.settle(a2)
	if woken() {
		t.Error("woken for a gap")
	}
	tr.settle(a1)
	if !woken() {
		t.Error("not woken")
	}
	tr.take()
	tr.settle(none)
	if !woken() {
		t.Error("not woken when the record without an offset was settled")
	}
	tr.take(offset{"a", 1}, offset{"a", 2})
}

func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTester(t, 5*time.Second)
		a1, a2, a3, b1, none := tr.add("a", 1), tr.add("a", 2), tr.add("a", 3), tr.add("b", 1), tr.add("", 0)
		b2 := tr.add("b", 2)
		tr.settle(a2) // at 0 s, before what it follows
		time.Sleep(time.Second)
		tr.settle(a1, b2)
		time.Sleep(time.Second)
		tr.settle(b1)
		time.Sleep(time.Second)
		tr.settle(a3)
		time.Sleep(time.Second)
		tr.settle(none) // at 4 s
		for _, step := range []struct {
			at   time.Duration
			want []offset
			next time.Duration
		}{
			{4 * time.Second, nil, 2 * time.Second},
			{6*time.Second - 1, nil, 1},
			{6 * time.Second, []offset{{"a", 1}, {"a", 2}}, time.Second},
			{7 * time.Second, []offset{{"b", 1}}, time.Second},
			{8 * time.Second, []offset{{"a", 3}}, time.Second},
			{9 * time.Second, []offset{{"b", 2}}, 0},
			{10 * time.Second, nil, 0},
		} {
			time.Sleep(step.at - time.Since(start(t)))
			if next := tr.take(step.want...); next != step.next {
				t.Errorf("at %v: next in %v, want %v", step.at, next, step.next)
			}
		}
	})
}

// start is when every bubble starts.
func start(*testing.T) time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

func TestMemoryOfAnEndlessRun(t *testing.T) {
	tr := newTester(t, 0)
	first := tr.add("a", 1)
	for i := range 100_000 {
		tr.settle(tr.add("b", i+1), tr.add("", 0))
		tr.take(offset{"b", i + 1})
	}
	for _, q := range append(tr.order, &tr.bare) {
		if len(q.flights) > 1 || cap(q.flights) > 1024 {
			t.Errorf("a queue has %d flights, room for %d", len(q.flights), cap(q.flights))
		}
	}
	tr.settle(first)
	tr.take(offset{"a", 1})
}

func BenchmarkTracker(b *testing.B) {
	tr := New[offset](0, 0)
	b.ReportAllocs()
	for i := range b.N {
		f := &Flight[offset]{Offset: offset{"a", i + 1}}
		tr.Add("a", f)
		tr.Settle("a", f)
		if i%100 == 99 {
			tr.Take()
		}
	}
}

// Partitions may be files, of which there are ever more.
func TestPartitionsThatAreDoneAreForgotten(t *testing.T) {
	tr := newTester(t, 0)
	held := tr.add("held", 1)
	for i := range 10000 {
		f := tr.add(fmt.Sprint("p", i), 1)
		tr.Settle(f.Offset.p, f)
		if i%10 == 0 {
			tr.Take()
		}
	}
	tr.Take()
	if n, m := len(tr.queues), len(tr.order); n > 2*maxIdle || m != n {
		t.Errorf("%d and %d partitions are kept", n, m)
	}
	tr.Settle("held", held)
	if got, _ := tr.Take(); len(got) != 1 || got[0].p != "held" {
		t.Errorf("took %v, want the one that was held", got)
	}
}

func TestIdle(t *testing.T) {
	tr := newTester(t, 0)
	closed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	if !closed(tr.Idle()) {
		t.Error("a tracker with nothing is not idle")
	}
	a, b := tr.add("p", 1), tr.add("p", 2)
	idle := tr.Idle()
	tr.Settle("p", b)
	if closed(idle) {
		t.Error("idle with one pending")
	}
	tr.Fail(a)
	if !closed(idle) || !closed(tr.Idle()) {
		t.Error("not idle with nothing pending")
	}
}
