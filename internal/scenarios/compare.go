package scenarios

import (
	"fmt"
	"regexp"
	"strings"
)

// Row is a line of two transcripts side by side; where one has no such line, it is
// empty and its Has is false.
type Row struct {
	Embedded, Real       string
	HasEmbedded, HasReal bool
}

// Same reports that both sides have the line, and that it is not the last one of a
// scenario that could not go on: where both stop, nothing was compared.
func (r Row) Same() bool {
	return r.HasEmbedded && r.HasReal && r.Embedded == r.Real && !strings.HasPrefix(r.Real, stoppedMark)
}

// sides are the differing lines, each with the side it is from.
func (r Row) sides() (list []string) {
	if r.HasEmbedded {
		list = append(list, "danubetest: "+r.Embedded)
	}
	if r.HasReal {
		list = append(list, "real: "+r.Real)
	}
	return list
}

// Align puts two transcripts side by side: what both have in the same order is on one
// row, and what lies between is paired line by line.
func Align(embedded, real []string) (rows []Row) {
	// common[i][j] is how many lines embedded[i:] and real[j:] have in common.
	common := make([][]int, len(embedded)+1)
	for i := range common {
		common[i] = make([]int, len(real)+1)
	}
	for i := len(embedded) - 1; i >= 0; i-- {
		for j := len(real) - 1; j >= 0; j-- {
			if embedded[i] == real[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var a, b []string
	flush := func() {
		for k := range max(len(a), len(b)) {
			var r Row
			if k < len(a) {
				r.Embedded, r.HasEmbedded = a[k], true
			}
			if k < len(b) {
				r.Real, r.HasReal = b[k], true
			}
			rows = append(rows, r)
		}
		a, b = nil, nil
	}
	i, j := 0, 0
	for i < len(embedded) || j < len(real) {
		switch {
		case i < len(embedded) && j < len(real) && embedded[i] == real[j]:
			flush()
			rows = append(rows, Row{embedded[i], real[j], true, true})
			i++
			j++
		case j == len(real) || i < len(embedded) && common[i+1][j] >= common[i][j+1]:
			a = append(a, embedded[i])
			i++
		default:
			b = append(b, real[j])
			j++
		}
	}
	flush()
	return rows
}

// Explanation is a difference that is known, and why it is left.
type Explanation struct {
	// Scenario is the name of one.
	Scenario string
	// Line matches differing lines of it, each with "danubetest: " or "real: " before it.
	Line string
	// Reason says why danubetest is not as the real broker.
	Reason string
}

// Differences judges the transcripts of a scenario.
type Differences struct {
	Rows []Row
	// Reasons are those that explain the rows that differ.
	Reasons []string
	// Unexplained are the differing lines without one.
	Unexplained []string
	// Stale are explanations of the scenario that explain nothing.
	Stale []Explanation
}

// Same reports that the transcripts do not differ.
func (d Differences) Same() bool { return len(d.Reasons) == 0 && len(d.Unexplained) == 0 }

// OK reports that everything is explained, and that nothing else is.
func (d Differences) OK() bool { return len(d.Unexplained) == 0 && len(d.Stale) == 0 }

// Judge compares the transcripts of a scenario.
func Judge(scenario string, embedded, real []string, explained []Explanation) (d Differences) {
	d.Rows = Align(embedded, real)
	used := make([]bool, len(explained))
	for _, r := range d.Rows {
		if r.Same() {
			continue
		}
		for _, line := range r.sides() {
			known := false
			for i, e := range explained {
				if e.Scenario == scenario && regexp.MustCompile("^(?:"+e.Line+")$").MatchString(line) {
					known, used[i] = true, true
				}
			}
			if !known {
				d.Unexplained = append(d.Unexplained, line)
			}
		}
	}
	for i, e := range explained {
		switch {
		case e.Scenario != scenario:
		case used[i]:
			d.Reasons = append(d.Reasons, e.Reason)
		default:
			d.Stale = append(d.Stale, e)
		}
	}
	return d
}

// Table shows transcripts side by side; all says whether lines that both have are shown.
func Table(rows []Row, all bool) string {
	var b strings.Builder
	width := len("danubetest")
	for _, r := range rows {
		if all || !r.Same() {
			width = max(width, len([]rune(r.Embedded)))
		}
	}
	width = min(width, 90)
	fmt.Fprintf(&b, "    %-*s | %s\n", width, "danubetest", "real broker")
	for _, r := range rows {
		switch {
		case r.Same() && all:
			fmt.Fprintf(&b, "    %-*s | %s\n", width, r.Embedded, r.Real)
		case !r.Same():
			fmt.Fprintf(&b, "  ! %-*s | %s\n", width, r.Embedded, r.Real)
		}
	}
	return b.String()
}
