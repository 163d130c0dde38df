package main

import "testing"

func TestFlat(t *testing.T) {
	for _, tc := range []struct {
		name   string
		values []float64
		slack  float64
		want   bool
	}{
		{"the same all the time", []float64{10, 10, 10, 10, 10, 10, 10, 10, 10, 10}, 0, true},
		{"grows at first, then not", []float64{1, 10, 11, 10, 10, 10, 11, 10, 10, 10}, 0, true},
		{"one peak late", []float64{10, 10, 10, 10, 10, 10, 10, 90, 10, 10}, 0, true},
		{"grows all the time", []float64{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}, 0, false},
		{"grows within the slack", []float64{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}, 5, true},
		{"too few to say", []float64{10, 10, 10}, 0, false},
	} {
		if got := flat(tc.values, tc.slack); got != tc.want {
			t.Errorf("%s: flat is %v, want %v", tc.name, got, tc.want)
		}
	}
}
