package connect

import "time"

// rateBatch is how long a batch may wait for a rate limit: what waits is in hand, and
// the broker counts.
const rateBatch = 2 * time.Second

// batchMax is the largest batch of a route: no more than its rate lets through soon.
func (r *sinkRoute) batchMax() int {
	n := r.opts.batchSize
	if limit := r.opts.rateLimit; limit > 0 {
		n = min(n, max(1, limit*int(rateBatch/time.Second)))
	}
	return n
}

// allowed waits until the rate limit lets n records through; false means that the
// run ends first.
func (r *sinkRoute) allowed(n int) bool {
	for r.limiter != nil && n > 0 {
		some := min(n, r.limiter.Burst())
		if r.limiter.WaitN(r.rt.stop, some) != nil {
			return false
		}
		n -= some
	}
	return true
}
