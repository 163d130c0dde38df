package danube

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A stamp is one text for one number of one producer: what is read is written the same
// way again, and nobody else's attribute passes for one.
func FuzzParseStamp(f *testing.F) {
	for _, s := range []string{
		"p/900-a/5", "a/b/900-x/1", "p/900/0", "p/900-a/4294967295", "p/900-a/4294967296", "p/-1/5", "p/+9/5", "p/900-a/05", "p/900-a/+5", "p//5", "/900/5", "///", "5",
		"p/9223372036854775807-a/1", "p/0900-a/1", "\xff/1-\x00/1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, stamp string) {
		line, opened, number, ok := parseStamp("/default/t", stamp)
		if !ok {
			if line != (stampLine{}) || opened != 0 || number != 0 {
				t.Errorf("%q is none, and %v, %d, %d", stamp, line, opened, number)
			}
			return
		}
		seconds, _, _ := strings.Cut(line.epoch, "-")
		if again := fmt.Sprintf("%s/%s/%d", line.producer, line.epoch, number); again != stamp || number >= 1<<32 || line.producer == "" || opened < 0 || strconv.FormatInt(opened, 10) != seconds {
			t.Errorf("%q became %q: %v, opened %d", stamp, again, line, opened)
		}
	})
}

// Whatever comes as stamps: what is told has an order and is about a producer that came,
// and the holes are counted.
func FuzzStampTracker(f *testing.F) {
	f.Add("p/900-a/5 p/900-a/8 p/900-a/6 p/900-a/7 p/900-a/6")
	f.Add("p/1001-a/4294967295 p/1001-a/0 p/1001-a/4294967294 q/1001-a/7")
	f.Add("p/900-a/0 p/900-a/0 nonsense p/9223372036854775807/3")
	f.Fuzz(func(t *testing.T, stamps string) {
		var tracker StampTracker
		tracker.ready("/default/t", time.Unix(1000, 0))
		seen := map[string]bool{}
		for _, s := range strings.Fields(stamps) {
			line, opened, number, ok := parseStamp("/default/t", s)
			if !ok {
				continue
			}
			for _, a := range tracker.handedOut(line, opened, number, false, time.Unix(2000, 0)) {
				if a.From > a.To || a.Producer != line.producer || a.Epoch != line.epoch || a.Kind == StampGap && (a.From <= number && number <= a.To || a.To >= 1<<32) {
					t.Errorf("%q: %v", s, a)
				}
				if a.Kind == StampRepeated && !seen[s] {
					t.Errorf("%q came once and is repeated", s)
				}
			}
			seen[s] = true
		}
		holes := 0
		for _, n := range tracker.lines {
			holes += len(n.holes)
			for i, h := range n.holes {
				if h.from > h.to || h.to >= n.next || i > 0 && n.holes[i-1].to >= h.from {
					t.Errorf("holes %v below %d", n.holes, n.next)
				}
			}
		}
		if holes != tracker.holes {
			t.Errorf("%d holes, %d are counted", holes, tracker.holes)
		}
	})
}
