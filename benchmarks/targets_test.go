package main

import (
	"slices"
	"testing"
)

func TestTargetsOfSpeed(t *testing.T) {
	rounds := func(rate, mallocs float64) []figures {
		return []figures{{Rate: rate, Mallocs: mallocs}, {Rate: rate * 2, Mallocs: mallocs}}
	}
	bareRounds := []figures{{Rate: 100, Mallocs: 80}, {Rate: 200, Mallocs: 80}}
	r := throughput{Cells: []cellResult{
		{cell: cell{source, 1, 100}, Loops: []loopResult{
			{"bare", bareRounds}, {"attributed", rounds(80, 80)}, {"danube", rounds(90, 82)}, {"runtime", rounds(80, 88)}, {"unstamped", rounds(85, 85)},
		}},
		{cell: cell{sink, 8, 100}, Loops: []loopResult{{"bare", bareRounds}, {"danube", rounds(110, 81)}, {"runtime", nil}}},
	}}
	want := []target{
		{"source, 1p, 100B: danube, speed against bare", "at least 0.95", "0.90 (0.90 to 0.90)"},
		{"source, 1p, 100B: runtime, speed against bare", "at least 0.95", "0.80 (0.80 to 0.80)"},
		{"source, 1p, 100B: runtime, speed against bare with its attributes", "at least 0.95", "1.00 (1.00 to 1.00)"},
		{"source, 1p, 100B: runtime without stamps, speed against bare", "at least 0.95", "0.85 (0.85 to 0.85)"},
		{"source, 1p, 100B: danube, allocations above bare", "at most 2", "+1.0"}, // one is the record
		{"source, 1p, 100B: runtime without stamps, allocations above danube", "at most 3", "+3.0"},
		{"sink, 8p, 100B: danube, speed against bare", "at least 0.95", "1.10 (1.10 to 1.10)"},
		{"sink, 8p, 100B: danube, allocations above bare", "at most 2", "+1.0"},
	}
	if got := r.targets(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestEveryModeHasAName(t *testing.T) {
	all, err := modesNamed("all")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if one, err := modesNamed(m.name); err != nil || len(one) != 1 || one[0].name != m.name {
			t.Errorf("%s: %v, %v", m.name, one, err)
		}
	}
}
