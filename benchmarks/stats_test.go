package main

import (
	"math"
	"slices"
	"testing"
)

func TestSummarize(t *testing.T) {
	for _, tc := range []struct {
		name   string
		values []float64
		want   summary
	}{
		{"nothing", nil, summary{}},
		{"one", []float64{3}, summary{3, 3, 3, 3, 3, 1}},
		{"odd, not sorted", []float64{5, 1, 3}, summary{3, 2, 4, 1, 5, 3}},
		{"even", []float64{4, 1, 2, 3}, summary{2.5, 1.75, 3.25, 1, 4, 4}},
		{"an outlier moves no quartile", []float64{1, 2, 3, 4, 1000}, summary{3, 2, 4, 1, 1000, 5}},
	} {
		before := slices.Clone(tc.values)
		if got := summarize(tc.values); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
		if !slices.Equal(before, tc.values) {
			t.Errorf("%s: the values were changed to %v", tc.name, tc.values)
		}
	}
}

func TestQuantile(t *testing.T) {
	v := []float64{0, 10, 20, 30, 40}
	for q, want := range map[float64]float64{0: 0, 0.25: 10, 0.5: 20, 0.99: 39.6, 1: 40} {
		if got := quantile(v, q); math.Abs(got-want) > 1e-9 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: %v, want 0", got)
	}
}

func TestRatios(t *testing.T) {
	if got, want := ratios([]float64{2, 9, 5}, []float64{4, 3, 5}), []float64{0.5, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("ratios %v, want %v", got, want)
	}
	if got := ratios([]float64{1, 2}, []float64{0}); len(got) != 0 {
		t.Errorf("ratios to nothing: %v, want none", got)
	}
}
