package danube

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

func TestGaps(t *testing.T) {
	for _, c := range []struct {
		name string
		got  []uint64
		want []hole
	}{
		{"none", []uint64{5, 6, 7, 8}, nil},
		{"one", []uint64{5, 9, 10}, []hole{{from: 6, to: 8}}},
		{"two", []uint64{0, 2, 4}, []hole{{from: 1, to: 1}, {from: 3, to: 3}}},
		{"filled", []uint64{5, 9, 6, 7, 8, 10}, nil},
		{"filled in the middle", []uint64{0, 10, 5}, []hole{{from: 1, to: 4}, {from: 6, to: 9}}},
		{"filled at both ends", []uint64{0, 10, 1, 9}, []hole{{from: 2, to: 8}}},
		{"the last offset there is", []uint64{5, 1<<64 - 1, 6, 9, 1<<64 - 1}, []hole{{from: 7, to: 8}}},
		{"the last offset first", []uint64{1<<64 - 1, 5, 7}, []hole{{from: 6, to: 6}}},
		{"older than everything", []uint64{100, 3, 101}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var g gaps
			for _, o := range c.got {
				g.got(o)
			}
			if len(g.holes)+len(c.want) > 0 && !reflect.DeepEqual(g.holes, c.want) {
				t.Errorf("got %v, want %v", g.holes, c.want)
			}
		})
	}
}

// Below the first that came nobody knows what is missing; what comes from there has come
// out of order, and says so.
func TestGapsBelowTheFirst(t *testing.T) {
	var g gaps
	for _, step := range []struct {
		offset uint64
		below  bool
	}{{5, false}, {4, true}, {6, false}, {3, true}, {5, false}} {
		if got := g.below(step.offset); got != step.below {
			t.Errorf("offset %d: below %v", step.offset, got)
		}
		g.got(step.offset)
	}
	if len(g.holes) > 0 {
		t.Errorf("holes %v", g.holes)
	}
}

func TestGapsAreReportedOnce(t *testing.T) {
	var g gaps
	g.got(0)
	g.got(5)
	if n := len(g.report()); n != 1 {
		t.Fatalf("%d holes reported, want 1", n)
	}
	g.got(9)
	if got := g.report(); len(got) != 1 || got[0].from != 6 || got[0].to != 8 {
		t.Errorf("got %v, want the new hole alone", got)
	}
	if !g.got(3) {
		t.Error("filling a reported hole does not say so")
	}
	if g.got(3) {
		t.Error("what has come is filled again")
	}
	if n := len(g.report()); n != 0 {
		t.Errorf("the halves of a reported hole are reported again: %d", n)
	}
}

// Whatever comes in whatever order, the holes are what is missing.
func TestGapsAgainstASet(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var g gaps
		seen := map[uint64]bool{50: true}
		g.got(50)
		highest := uint64(50)
		for range 100 {
			o := 50 + uint64(rng.IntN(100))
			if !seen[o] {
				g.got(o)
			}
			seen[o] = true
			highest = max(highest, o)
		}
		missing := map[uint64]bool{}
		for _, h := range g.holes {
			for o := h.from; o <= h.to; o++ {
				missing[o] = true
			}
		}
		for o := uint64(50); o <= highest; o++ {
			if missing[o] == seen[o] {
				t.Fatalf("seed %d: offset %d: seen %v, missing %v", seed, o, seen[o], missing[o])
			}
		}
	}
}

func TestHolesAreBounded(t *testing.T) {
	var g gaps
	for i := range uint64(10 * maxHoles) {
		g.got(2 * i)
	}
	if n := len(g.holes); n > maxHoles || n < maxHoles*7/8 {
		t.Errorf("%d holes are kept, want about %d", n, maxHoles)
	}
	if newest := g.holes[len(g.holes)-1]; newest.to != g.next-2 || g.floor > newest.from {
		t.Errorf("the newest hole is %v, below %d all is forgotten", newest, g.floor)
	}
}
