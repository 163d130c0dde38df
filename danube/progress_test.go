package danube

import (
	"fmt"
	"testing"
)

func TestNewest(t *testing.T) {
	var n progress
	for i, step := range []struct {
		producer    string
		ms, request uint64
		news        bool
	}{
		{"p", 100, 1, true},
		{"p", 100, 1, false}, // a copy
		{"p", 100, 2, true},  // in the same millisecond
		{"p", 99, 7, false},
		{"p", 101, 0, true},
		{"q", 50, 1, true}, // its clock is behind
		{"q", 50, 1, false},
		{"q", 51, 1, true},
		{"p", 101, 0, false},
		{"p", 0, 0, true}, // it does not say when it was published
		{"p", 0, 0, true},
		{"p", 102, 0, true},
	} {
		if got := n.came(identityOf(step.producer, step.ms, step.request), step.ms); got != step.news {
			t.Errorf("step %d: %+v: %v", i, step, got)
		}
	}
}

// Of too many producers, the one that has published nothing for the longest time is
// forgotten.
func TestNewestIsBounded(t *testing.T) {
	var n progress
	for i := range uint64(maxNewest + 5) {
		n.came(identityOf(fmt.Sprint(i), 10+i, 1), 10+i)
	}
	if len(n.newest) != maxNewest {
		t.Errorf("%d producers are remembered, want %d", len(n.newest), maxNewest)
	}
	if !n.came(identityOf("4", 14, 1), 14) || n.came(identityOf("6", 16, 1), 16) {
		t.Error("the wrong ones were forgotten")
	}
}

// What a client remembers of a subscription outlives its consumers, up to a bound.
func TestProgressOfAClient(t *testing.T) {
	var c Client
	k := subscriptionKey{"/default/t", "s"}
	c.progressOf(k).came(identityOf("p", 5, 1), 5)
	if c.progressOf(k).came(identityOf("p", 5, 1), 5) {
		t.Error("the next consumer does not know what the one before it got")
	}
	if !c.progressOf(subscriptionKey{"/default/t", "other"}).came(identityOf("p", 5, 1), 5) {
		t.Error("another subscription's")
	}
	for i := range maxProgress + 5 {
		c.progressOf(subscriptionKey{fmt.Sprintf("/default/%d", i), "s"})
	}
	if len(c.progress) != maxProgress {
		t.Errorf("%d subscriptions are remembered, want %d", len(c.progress), maxProgress)
	}
}
