package danube

import (
	"testing"
	"time"
)

// Whatever brokers say of themselves: what is told is something that one of them said, and
// stalls begin and end in turn.
func FuzzSilence(f *testing.F) {
	f.Add(true, []byte{0, 5, 0, 9, 0, 9, 0}, []byte{0, 5, 0, 9, 0, 9, 0}, uint64(0))
	f.Add(true, []byte{0, 0, 0, 7, 0, 7, 0, 0, 0, 0, 9, 0, 9, 0}, []byte{128, 0, 128, 0, 128, 0, 0}, uint64(3))
	f.Add(false, []byte{0, 5, 128, 9, 128, 9, 1, 0, 0, 0, 9, 0, 9, 2}, []byte{0, 5, 0, 9, 0, 9, 8}, ^uint64(0))
	f.Fuzz(func(t *testing.T, alone bool, one, two []byte, skipped uint64) {
		var s silence
		sessions := []*session{{}, {}, nil}
		now, stalled := time.Unix(1e9, 0), false
		var counts arrivals
		for range 3 { // the second and third time what was said is known
			for _, said := range [][]byte{one, two, two, two, two, two} {
				numbers := append(offsetsFrom(said), 0, 0, 0, 0, 0)
				m := &subscriptionMetrics{lag: numbers[0], taken: numbers[1], stored: numbers[2], out: numbers[3]}
				how := numbers[4]
				if how&1 != 0 {
					counts.all++
					counts.news++
					if resumed, _ := s.broken(); resumed != stalled {
						t.Errorf("resumed %v, stalled %v", resumed, stalled)
					}
					stalled = false
				}
				if how&64 != 0 {
					counts.all++
				}
				counts.handed = counts.all
				v := partitionView{session: sessions[how>>1%3], counts: counts, began: arrivals{news: counts.news - uint64(how>>7&1)}, tally: tally{started: how&4 != 0, hidden: min(numbers[1], numbers[2])}, busy: how&8 != 0, alone: alone, next: skipped, bases: []uint64{0, skipped / 2, noHole}, patience: 30 * time.Second}
				at := "a"
				if how&16 != 0 {
					at = "b"
				}
				if how&32 != 0 {
					m = nil
				}
				lag, begins, ends := s.look(now, v, at, m)
				switch {
				case begins && (ends || stalled || lag == 0), ends && (!stalled || lag != 0):
					t.Fatalf("begins %v, ends %v, stalled %v, lag %d", begins, ends, stalled, lag)
				case m == nil && lag > 0, m != nil && lag > max(m.lag, min(m.taken, m.stored)):
					t.Errorf("lag %d of %+v", lag, m)
				}
				stalled = stalled && !ends || begins
				now = now.Add(10 * time.Second)
			}
		}
	})
}
