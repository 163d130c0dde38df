package danubetest

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestQueue(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var q queue[int]
	var model []int
	for i := range 20_000 {
		if n := len(model); n > 0 && rnd.IntN(100) < 40+20*(i/5000%2) {
			k := 1 + rnd.IntN(min(n, 3))
			q.drop(k)
			model = model[k:]
		} else {
			q.push(i)
			model = append(model, i)
		}
		if q.len() != len(model) || len(model) > 0 && (q.at(0) != model[0] || q.at(len(model)-1) != model[len(model)-1]) {
			t.Fatalf("step %d: differs from a slice", i)
		}
	}
	if !slices.Equal(q.all(), model) {
		t.Error("differs from a slice")
	}
}

func TestQueueKeepsItsArray(t *testing.T) {
	var q queue[*int]
	for range 10 {
		q.push(new(int))
	}
	n := testing.AllocsPerRun(10_000, func() {
		x := q.at(0)
		q.drop(1)
		q.push(x)
	})
	if n != 0 || cap(q.buf) > 4096 {
		t.Errorf("%v allocations, capacity %d", n, cap(q.buf))
	}
	q.drop(10)
	if slices.ContainsFunc(q.buf[:cap(q.buf)], func(p *int) bool { return p != nil }) {
		t.Error("holds on to what was dropped")
	}
}
