package main

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets that are 3 % wide, so that a quantile is
// exact to that much.
type histogram struct {
	counts [64 * steps]int64
	total  int64
}

const steps = 32 // of each power of two

func (h *histogram) add(d time.Duration) {
	h.counts[bucket(d)]++
	h.total++
}

// quantile returns the duration that the fraction q of all is not above.
func (h *histogram) quantile(q float64) time.Duration {
	rank := int64(q*float64(h.total) + .5)
	for i, n := range h.counts {
		if rank -= n; n > 0 && rank <= 0 {
			return middle(i)
		}
	}
	return 0
}

// bucket is the place of a duration: the position of its highest bit, and the
// five bits below it.
func bucket(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < steps {
		return int(n)
	}
	shift := bits.Len64(n) - bits.Len64(steps)
	return shift*steps + int(n>>shift)
}

func middle(i int) time.Duration {
	if i < 2*steps {
		return time.Duration(i)
	}
	shift := i/steps - 1
	low := uint64(i-shift*steps) << shift
	return time.Duration(low + 1<<shift/2)
}
