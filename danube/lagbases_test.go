package danube

import (
	"slices"
	"testing"
)

// What a broker may count a lag from, after each step.
func TestLagBases(t *testing.T) {
	type step struct {
		open bool
		got  []uint64
		want []uint64 // bases
	}
	tests := map[string][]step{
		"nothing was skipped": {{true, []uint64{5, 6, 7}, nil}, {true, []uint64{8}, nil}},
		"skipped":             {{true, []uint64{5, 6, 10, 11}, []uint64{7}}, {false, []uint64{20}, []uint64{7}}},
		"filled from below":   {{true, []uint64{5, 10, 20, 6, 8}, []uint64{7}}, {false, []uint64{7, 9}, []uint64{11}}},
		"filled":              {{true, []uint64{5, 8, 6, 7}, nil}},
		// The dispatcher may be another one since, which has sent all.
		"a session since":          {{true, []uint64{5, 9, 10}, []uint64{6}}, {true, []uint64{11, 12}, []uint64{6, noHole}}, {false, []uint64{15}, []uint64{6, 13}}},
		"what a session skips":     {{true, []uint64{5, 9}, []uint64{6}}, {true, []uint64{20, 23}, []uint64{6, 21}}, {true, []uint64{24, 30}, []uint64{6, 21, 25}}},
		"sessions without a hole":  {{true, []uint64{5, 9}, []uint64{6}}, {true, []uint64{10}, []uint64{6, noHole}}, {true, []uint64{11}, []uint64{6, noHole}}, {true, []uint64{12, 20}, []uint64{6, 13}}},
		"sessions before the hole": {{true, []uint64{5}, nil}, {true, []uint64{6}, nil}, {true, []uint64{7, 9}, []uint64{8}}},
		"one began anew":           {{true, []uint64{5, 9, 15}, []uint64{6}}, {true, []uint64{11, 12, 13, 14, 16}, []uint64{6, noHole}}, {false, []uint64{20}, []uint64{6, 17}}},
		"began anew, and filled":   {{true, []uint64{5, 9, 15}, []uint64{6}}, {true, []uint64{6, 7, 8, 10, 12}, []uint64{11}}},
		"it begins with copies":    {{true, []uint64{0, 1, 3, 4, 6, 7, 8}, []uint64{2}}, {true, []uint64{4, 9}, []uint64{2, 5}}},
		"the last offset there is": {{true, []uint64{5, 9}, []uint64{6}}, {true, []uint64{1<<64 - 1}, []uint64{6, noHole}}},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			var g gaps
			for i, s := range steps {
				if s.open {
					g.bases.began()
				}
				for _, o := range s.got {
					g.bases.got(o)
					g.got(o)
				}
				if got := g.lagBases(); !slices.Equal(got, s.want) {
					t.Errorf("step %d: %d, want %d; holes %v", i, got, s.want, g.holes)
				}
			}
		})
	}
}

// Of a dispatcher that has been there all along, the lag has what comes behind the first
// hole.
func TestGapsBehind(t *testing.T) {
	var g gaps
	for i, step := range []struct{ offset, behind uint64 }{{5, 0}, {6, 0}, {10, 4}, {11, 5}, {20, 14}, {7, 13}, {9, 13}, {8, 9}, {21, 10}} {
		g.got(step.offset)
		got := uint64(0)
		if bases := g.lagBases(); bases != nil {
			got = g.next - bases[0]
		}
		if got != step.behind {
			t.Errorf("step %d: %d behind, want %d", i, got, step.behind)
		}
	}
}

func TestExplained(t *testing.T) {
	for name, tt := range map[string]struct {
		lag, earlier, next, want uint64
		bases                    []uint64
	}{
		"nothing was skipped":        {5, 0, 0, 0, nil},
		"just that":                  {40, 100, 100, 40, []uint64{60, 90}},
		"more than that":             {45, 100, 100, 40, []uint64{60, 90}},
		"not from the lowest":        {39, 100, 100, 10, []uint64{60, 90}},
		"it may be older":            {39, 99, 100, 39, []uint64{60, 90}},
		"it may be from before that": {39, 50, 100, 39, []uint64{60, 90}},
		"it is not so old":           {38, 99, 100, 10, []uint64{60, 90}},
		"from none of them":          {9, 100, 100, 9, []uint64{60, 90}},
		"from the newest message":    {9, 100, 100, 0, []uint64{60, 90, noHole}},
		"it has not said anything":   {0, 100, 100, 0, []uint64{60, 90}},
		"renumbered":                 {40, 9000, 100, 40, []uint64{60, 90}},
	} {
		if got := explained(tt.lag, tt.earlier, tt.next, tt.bases); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}
