package realbroker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
)

func TestBadOptions(t *testing.T) {
	for want, o := range map[string]realbroker.Options{
		"Dir is empty": {Binary: "x"},
		"Nodes is 2":   {Binary: "x", Dir: t.TempDir(), Nodes: 2},
		"no such file": {Binary: "/does/not/exist", Dir: t.TempDir()},
	} {
		if _, err := realbroker.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

// One node, and three: they start, stop, and start again.
func TestClusters(t *testing.T) {
	if _, ok := realbroker.Binary(); !ok {
		t.Skipf("%s is not set: no real broker to start", realbroker.Env)
	}
	for _, nodes := range []int{1, 3} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		c, err := realbroker.Start(ctx, realbroker.Options{Dir: t.TempDir(), Nodes: nodes})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if len(c.URLs()) != nodes {
			t.Errorf("got addresses %v, want %d", c.URLs(), nodes)
		}
		n := c.Nodes[0]
		if err := n.Start(); err == nil {
			t.Error("a node that runs was started")
		}
		n.Stop()
		if n.Running() {
			t.Error("a node that was stopped runs")
		}
		if err := n.Start(); err != nil {
			t.Error(err)
		}
	}
}
