package main

import (
	"strings"
	"testing"
)

func TestPlan(t *testing.T) {
	sizes, partitions := []int{100, 1 << 10, 16 << 10}, []int{1, 8}
	for _, tc := range []struct {
		only string
		want int
		has  string
	}{
		{"", 12, "sink, 8p, 16KiB"},
		{"source", 6, "source, 1p, 100B"},
		{"source,1p,1KiB", 1, "source, 1p, 1KiB"},
		{"SINK, 100b ,1kib", 4, "sink, 8p, 1KiB"},
	} {
		cells, err := plan(sizes, partitions, strings.Split(tc.only, ","))
		if err != nil {
			t.Fatalf("%q: %v", tc.only, err)
		}
		found := false
		for _, c := range cells {
			found = found || c.String() == tc.has
		}
		if len(cells) != tc.want || !found {
			t.Errorf("%q: %v, want %d cells with %q", tc.only, cells, tc.want, tc.has)
		}
	}
	if _, err := plan(sizes, partitions, []string{"source", "2p"}); err == nil || !strings.Contains(err.Error(), "2p") {
		t.Errorf("a word that fits nothing: error %v, want one that names it", err)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int{"100": 100, "100B": 100, "1KiB": 1 << 10, " 16 kib ": 16 << 10, "1MiB": 1 << 20} {
		got, err := parseSize(text)
		if err != nil || got != want {
			t.Errorf("%q is %d (%v), want %d", text, got, err, want)
		}
		if again, err := parseSize(sizeName(got)); err != nil || again != got {
			t.Errorf("%q is written as %q", text, sizeName(got))
		}
	}
	for _, text := range []string{"", "x", "-1", "0", "5MiB", "KiB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q is %d, want an error", text, got)
		}
	}
}
