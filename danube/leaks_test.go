package danube_test

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// checkLeaks fails the test when it ends with more goroutines of this module than it
// began with. A bubble does the same by itself.
func checkLeaks(t *testing.T) {
	before := ownGoroutines()
	t.Cleanup(func() {
		var left []string
		for wait := time.Millisecond; wait < 5*time.Second; wait *= 2 {
			if left = ownGoroutines(); len(left) <= len(before) {
				return
			}
			<-time.After(wait)
		}
		t.Errorf("%d goroutines before, %d after:\n%s", len(before), len(left), strings.Join(left, "\n\n"))
	})
}

// ownGoroutines returns the stacks of the goroutines that run this module's code, or
// gRPC's.
func ownGoroutines() (list []string) {
	buf := make([]byte, 1<<20)
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "testing.tRunner") {
			continue
		}
		if strings.Contains(g, "danube-connect-go/") || strings.Contains(g, "google.golang.org/grpc") {
			list = append(list, g)
		}
	}
	return list
}
