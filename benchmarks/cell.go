package main

import (
	"fmt"
	"strconv"
	"strings"
)

// side says which way records go.
type side string

const (
	source side = "source"
	sink   side = "sink"
)

// cell is one thing to measure, with every loop.
type cell struct {
	Side       side `json:"side"`
	Partitions int  `json:"partitions"` // 1 stands for a topic that is not partitioned
	Size       int  `json:"size"`
}

func (c cell) String() string {
	return fmt.Sprintf("%s, %dp, %s", c.Side, c.Partitions, sizeName(c.Size))
}

// plan lists the cells of all combinations that pass the filter: words such as
// source, 8p and 1KiB, of which those of one kind are alternatives.
func plan(sizes, partitions []int, only []string) ([]cell, error) {
	var all []cell
	for _, s := range []side{source, sink} {
		for _, p := range partitions {
			for _, size := range sizes {
				all = append(all, cell{s, p, size})
			}
		}
	}
	kinds := []func(cell) string{
		func(c cell) string { return string(c.Side) },
		func(c cell) string { return fmt.Sprintf("%dp", c.Partitions) },
		func(c cell) string { return sizeName(c.Size) },
	}
	for _, kind := range kinds {
		known := map[string]bool{}
		for _, c := range all {
			known[strings.ToLower(kind(c))] = true
		}
		wanted := map[string]bool{}
		var rest []string
		for _, word := range only {
			if word = strings.ToLower(strings.TrimSpace(word)); known[word] {
				wanted[word] = true
			} else if word != "" {
				rest = append(rest, word)
			}
		}
		only = rest
		if len(wanted) == 0 {
			continue
		}
		var left []cell
		for _, c := range all {
			if wanted[strings.ToLower(kind(c))] {
				left = append(left, c)
			}
		}
		all = left
	}
	if len(only) > 0 {
		return nil, fmt.Errorf("-only: %q is none of the sides (source, sink), partitions (1p) and sizes (1KiB) of this run", only)
	}
	return all, nil
}

// sizeName writes a number of bytes as people do.
func sizeName(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", n>>10)
	}
	return fmt.Sprintf("%dB", n)
}

// parseSize reads what sizeName writes, and plain numbers.
func parseSize(s string) (int, error) {
	text, unit := strings.TrimSpace(s), 1
	for _, u := range []struct {
		suffix string
		bytes  int
	}{{"mib", 1 << 20}, {"kib", 1 << 10}, {"b", 1}} {
		if rest, ok := strings.CutSuffix(strings.ToLower(text), u.suffix); ok {
			text, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 4<<20/unit {
		return 0, fmt.Errorf("size %q: want bytes such as 100, 1KiB or 16KiB, below 4MiB", s)
	}
	return n * unit, nil
}
