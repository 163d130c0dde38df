package main

import (
	"bytes"
	"strings"
	"testing"
)

// Without cargo the mode says loudly that nothing was measured, and is no failure.
func TestPeerWithoutCargo(t *testing.T) {
	t.Setenv("DANUBE_SERVICE_URL", "")
	t.Setenv("PATH", t.TempDir())
	var out, log bytes.Buffer
	if err := execute(t.Context(), []string{"-mode", "peer", "-rounds", "1", "-n", "40", "-sizes", "100B"}, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	for what, text := range map[string]string{"table": out.String(), "log": log.String()} {
		if !strings.Contains(text, "NOT MEASURED: there is no cargo in the path") {
			t.Errorf("the %s does not say that nothing was measured:\n%s", what, text)
		}
	}
}

// Our side of the comparison publishes to all its topics, and comes to an end.
func TestOurSideOfThePeer(t *testing.T) {
	b, err := embeddedBroker(needs{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	}()
	for _, topics := range peerTopics {
		rate, err := newBench(b, nil, 1).ownPeer(t.Context(), peerCell{Topics: topics, Size: 100}, 500)
		if err != nil || rate <= 0 {
			t.Errorf("%d topics: %v a second, %v", topics, rate, err)
		}
	}
	r := peerResult{Cells: []peerCell{{Topics: 8, Size: 100, Ours: []float64{30, 40}, Peer: []float64{10, 10}}}}
	var out bytes.Buffer
	r.print(&out)
	if !strings.Contains(out.String(), "3.50") || len(r.targets()) != 1 {
		t.Errorf("got %s, %v", out.String(), r.targets())
	}
}
