//go:build !race

// The race detector allocates.

package danube_test

import (
	"runtime"
	"testing"
)

// What the client adds to a publish, and to a receive with its ack, over the bare
// calls on generated code: at most two allocations each.
const mayAdd = 2

// mallocs returns the allocations of one run of f, of all goroutines, over many.
func mallocs(n int, f func(n int)) float64 {
	f(n / 10)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f(n)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

func TestAllocations(t *testing.T) {
	const n = 5000
	check := func(what string, bare, ours float64) {
		t.Logf("%s: %.1f allocations, %.1f bare", what, ours, bare)
		if ours > bare+mayAdd {
			t.Errorf("%s: %.1f allocations, %.1f more than bare, want at most %d more", what, ours, ours-bare, mayAdd)
		}
	}
	url, dial, feed := hollow(t)
	client, conn := hollowClient(t, url, dial), bare(t, url, dial)
	check("publish", mallocs(n, barePublish(t, conn)), mallocs(n, publish(t, client)))

	bareURL, bareDial, bareFeed := hollow(t)
	floor := mallocs(n, bareReceive(t, bare(t, bareURL, bareDial), bareFeed))
	check("receive and ack", floor, mallocs(n, receive(t, client, feed, false)))
	url, dial, feed = hollow(t)
	check("handle and ack", floor, mallocs(n, receive(t, hollowClient(t, url, dial), feed, true)))

	// One message at a time, each with an ack worker of its own and a Flush.
	bareURL, bareDial, bareFeed = hollow(t)
	floor = mallocs(n, bareReceiveOne(t, bare(t, bareURL, bareDial), bareFeed))
	url, dial, feed = hollow(t)
	run := receive(t, hollowClient(t, url, dial), feed, true)
	check("one at a time", floor, mallocs(n, func(n int) {
		for range n {
			run(1)
		}
	}))
}
