package danubetest

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestAlarms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := newAlarms()
		var fired []int
		list := make([]*alarm, 6)
		for i := range list {
			list[i] = &alarm{fire: func() { fired = append(fired, i) }}
		}
		at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
		for i, n := range []int{5, 3, 4, 1, 3} {
			s.set(list[i], at(n))
		}
		s.set(list[0], at(2)) // earlier
		s.set(list[1], at(9)) // later: stays
		s.clear(list[3])
		s.clear(list[3])
		s.clear(list[5]) // was never set
		var wakes []time.Duration
		for len(s.heap) > 0 {
			<-s.timer.C
			wakes = append(wakes, time.Since(start))
			s.run(time.Now())
		}
		if !slices.Equal(fired, []int{0, 1, 4, 2}) && !slices.Equal(fired, []int{0, 4, 1, 2}) {
			t.Errorf("fired: %v", fired)
		}
		// The wake at 1 s is for the one that was cleared.
		if want := []time.Duration{1e9, 2e9, 3e9, 4e9}; !slices.Equal(wakes, want) {
			t.Errorf("woke at %v, want %v", wakes, want)
		}
		if s.timer.Stop() {
			t.Error("the timer still runs")
		}
	})
}
