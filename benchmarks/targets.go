package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// target is one thing that is aimed at, beside what was measured. Nothing compares
// the two: a figure of one run on one machine is no verdict.
type target struct {
	What string
	Want string
	Got  string
}

func printTargets(w io.Writer, list []target) {
	if len(list) == 0 {
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\naimed at\twant\tmeasured")
	for _, t := range list {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", t.What, t.Want, t.Got)
	}
	_ = tw.Flush()
}

// spread writes a median and between which values half of the rounds lie.
func (s summary) spread(format string) string {
	if s.N == 0 {
		return "not measured"
	}
	return fmt.Sprintf(format+" ("+format+" to "+format+")", s.Median, s.Low, s.High)
}
