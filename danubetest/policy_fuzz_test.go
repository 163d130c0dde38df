package danubetest_test

import (
	"math"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// Whatever a policy says: a later attempt does not come sooner, and none later than the
// policy's longest time, nor sooner than was asked for.
func FuzzPolicyDelay(f *testing.F) {
	f.Add(int64(time.Second), int64(time.Minute), uint8(3), int64(0), false)
	f.Add(int64(1)<<62, int64(math.MaxInt64), uint8(2), int64(0), false)
	f.Add(int64(3), int64(math.MaxInt64), uint8(200), int64(5), false)
	f.Add(int64(time.Minute), int64(0), uint8(1), int64(time.Hour), true)
	f.Fuzz(func(t *testing.T, base, most int64, attempts uint8, asked int64, fixed bool) {
		if base < 0 || most < 0 || asked < 0 {
			return // the wire has none
		}
		p := danubetest.FailurePolicy{BaseDelay: time.Duration(base), MaxDelay: time.Duration(most), Backoff: danubetest.Exponential}
		if fixed {
			p.Backoff = danubetest.Fixed
		}
		d := danubetest.PolicyDelay(p, int(attempts), time.Duration(asked))
		later := danubetest.PolicyDelay(p, int(attempts)+1, time.Duration(asked))
		if d > later || later > p.MaxDelay || d < min(p.BaseDelay, p.MaxDelay) || d < min(time.Duration(asked), p.MaxDelay) {
			t.Errorf("%+v: %v, then %v", p, d, later)
		}
	})
}
