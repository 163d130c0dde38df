package main

import "slices"

// summary describes what the rounds of one measurement gave.
type summary struct {
	Median float64 `json:"median"`
	Low    float64 `json:"q1"` // a quarter of the rounds is below
	High   float64 `json:"q3"` // a quarter of the rounds is above
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	N      int     `json:"n"`
}

// summarize takes the values of the rounds. No values give the zero summary.
func summarize(values []float64) summary {
	if len(values) == 0 {
		return summary{}
	}
	v := slices.Clone(values)
	slices.Sort(v)
	return summary{
		Median: quantile(v, 0.5),
		Low:    quantile(v, 0.25),
		High:   quantile(v, 0.75),
		Min:    v[0],
		Max:    v[len(v)-1],
		N:      len(v),
	}
}

// quantile returns the value below which the share q of the sorted values lies,
// between two of them where it falls so.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// ratios divides round by round. What a machine does beside the benchmark changes
// from second to second, and the loops of one round run within one: the quotient
// of two medians would mix what the quotient inside a round keeps apart.
func ratios(of, to []float64) []float64 {
	var r []float64
	for i := range min(len(of), len(to)) {
		if to[i] > 0 {
			r = append(r, of[i]/to[i])
		}
	}
	return r
}
