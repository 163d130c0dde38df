package danube

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestOffsetsComeLowestFirst(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var h offsets
		var want []uint64
		for range rnd.IntN(60) {
			if len(want) > 0 && rnd.IntN(3) == 0 {
				if got := h.pop(); got != want[0] {
					t.Fatalf("got %d, want %d", got, want[0])
				}
				want = want[1:]
				continue
			}
			o := rnd.Uint64N(40)
			h.push(o)
			want = append(want, o)
			slices.Sort(want)
		}
		for _, w := range want {
			if got := h.pop(); got != w {
				t.Fatalf("got %d, want %d", got, w)
			}
		}
		if len(h) != 0 {
			t.Fatalf("%d are left", len(h))
		}
	}
}
