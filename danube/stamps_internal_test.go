package danube

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// told hands out numbers of one producer and returns what the tracker tells, shortened.
func told(t *StampTracker, stamps ...string) (list []string) {
	for _, s := range stamps {
		line, opened, number, ok := parseStamp("/default/t", s)
		if !ok {
			continue
		}
		for _, a := range t.handedOut(line, opened, number, false, time.Unix(2000, 0)) {
			what := map[AnomalyKind]string{StampGap: "gap", StampGapFilled: "filled", StampRepeated: "repeated"}[a.Kind]
			list = append(list, fmt.Sprintf("%s %s/%s %d-%d", what, a.Producer, a.Epoch, a.From, a.To))
		}
	}
	return list
}

func TestStampTracker(t *testing.T) {
	for _, c := range []struct{ name, stamps, want string }{
		{"nothing missing", "p/900-a/5 p/900-a/6 p/900-a/7", ""},
		{"a gap", "p/900-a/5 p/900-a/9 p/900-a/10", "gap p/900-a 6-8"},
		{"filled", "p/900-a/5 p/900-a/8 p/900-a/6 p/900-a/7 p/900-a/9", "gap p/900-a 6-7, filled p/900-a 6-6, filled p/900-a 7-7"},
		{"repeated", "p/900-a/5 p/900-a/6 p/900-a/5 p/900-a/7", "repeated p/900-a 5-5"},
		{"filled, then repeated", "p/900-a/5 p/900-a/7 p/900-a/6 p/900-a/6", "gap p/900-a 6-6, filled p/900-a 6-6, repeated p/900-a 6-6"},
		{"from before what is known", "p/900-a/5 p/900-a/3 p/900-a/6", ""},
		{"a producer opened later", "p/1001-a/3 p/1001-a/4", "gap p/1001-a 1-2"},
		{"a producer opened in the same second", "p/1000-a/3 p/1000-a/4", ""},
		{"two producers", "p/900-a/1 q/900-a/7 p/900-a/2 q/900-a/9", "gap q/900-a 8-8"},
		{"two epochs", "p/900-a/1 p/1001-b/1 p/900-a/3", "gap p/900-a 2-2"},
		{"a slash in the name", "a/b/900-x/1 a/b/900-x/3", "gap a/b/900-x 2-2"},
		{"after 2^32 messages", "p/900-a/4294967295 p/901-a/0 p/901-a/1", ""},
		{"below what a producer opened later begins with", "p/1001-a/2 p/1001-a/0 p/1001-a/3", "gap p/1001-a 1-1"},
		{"no stamps", "5 p/5 /900/1 p/x/5 p/900-a/ p/900-a/-1 p/900-a/4294967296 p/900-a/18446744073709551615 p/900-a/05 p/+900-a/5 p/0900-a/9", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tracker StampTracker
			tracker.ready("/default/t", time.Unix(1000, 0))
			tracker.ready("/default/t", time.Unix(5000, 0)) // the first session counts
			if got := strings.Join(told(&tracker, strings.Fields(c.stamps)...), ", "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Of a producer whose clock is ahead nobody knows when it was opened.
func TestStampsOfAClockThatIsAhead(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		var tracker StampTracker
		tracker.ready("/default/t", time.Unix(1000, 0))
		line, opened, number, _ := parseStamp("/default/t", "p/1001-a/3")
		if got := len(tracker.handedOut(line, opened, number, ahead, time.Unix(2000, 0))) > 0; got == ahead {
			t.Errorf("ahead %v, and the loss of the first reported: %v", ahead, got)
		}
	}
}

// Whose stamps were forgotten are not taken for lost or repeated when they come again.
func TestStampsAreBounded(t *testing.T) {
	var tracker StampTracker
	tracker.ready("/default/t", time.Unix(1000, 0))
	for i := range 3 * maxStampLines {
		if got := told(&tracker, fmt.Sprintf("p%d/1500-a/1", i), "kept/900-a/1"); len(got) > 0 && !reflect.DeepEqual(got, []string{"repeated kept/900-a 1-1"}) {
			t.Fatalf("got %v", got)
		}
	}
	if n := len(tracker.lines); n != maxStampLines {
		t.Errorf("%d lines are kept, want %d", n, maxStampLines)
	}
	if got := told(&tracker, "p0/1500-a/7", "p0/1500-a/3"); got != nil {
		t.Errorf("of a producer that was forgotten: %v", got)
	}
	for n := range 2 * maxHoles {
		told(&tracker, fmt.Sprintf("kept/900-a/%d", 2*n+3))
		told(&tracker, fmt.Sprintf("other/900-a/%d", 2*n+3))
	}
	holes := 0
	for _, line := range tracker.lines {
		holes += len(line.holes)
	}
	if holes > maxHoles || holes < maxHoles/4 || holes != tracker.holes {
		t.Errorf("%d holes are kept, want %d at most; %d are counted", holes, maxHoles, tracker.holes)
	}
	if got := told(&tracker, "kept/900-a/4"); got != nil {
		t.Errorf("of a number that was forgotten: %v", got)
	}
}

func TestStampsWantAllNumbers(t *testing.T) {
	for kind := Exclusive; kind <= KeyShared; kind++ {
		_, err := ConsumerConfig{Topic: "/default/t", Subscription: "s", Name: "c", Type: kind, Stamps: new(StampTracker)}.withDefaults()
		if (err == nil) != (kind == Exclusive || kind == Failover) {
			t.Errorf("%v: %v", kind, err)
		}
	}
}
