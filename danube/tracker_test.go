package danube

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// A script tells the tracker what happened, and what it must answer:
//
//	recv 5b fresh    offset 5 came, from epoch b; fresh, repeated or renumber
//	ack 5b, nack 5b  the application settled it; "no" after it: must be refused
//	out 5, out -     the next ack that may go out is 5's; none may
//	ok 5b, fail 5b   the answer of the ack of 5
//	session, close   a new session began; the consumer is closing
//	tick 5           so many ticks passed
//	flushed yes      whether no ack is out and none can go out
//	open 3           how many entries are not done
//
// The epoch is a when there is no letter.
func runScript(t *testing.T, script string) *tracker {
	t.Helper()
	tr := &tracker{}
	tr.begin()
	for step := range strings.SplitSeq(script, ";") {
		f := strings.Fields(step)
		if len(f) == 0 {
			continue
		}
		var got string
		arg := ""
		if len(f) > 1 {
			arg = f[1]
		}
		offset, id := message(t, arg)
		want := strings.Join(f[min(2, len(f)):], " ")
		switch f[0] {
		case "session":
			tr.begin()
		case "tick":
			for range int(offset) {
				tr.tick()
			}
		case "close":
			tr.closing = true
		case "recv":
			got = [...]string{"fresh", "repeated", "renumber"}[tr.received(offset, id)]
		case "ack", "nack":
			to := settled
			if f[0] == "nack" {
				to = nacked
			}
			if !tr.settle(offset, id, to) {
				got = "no"
			}
		case "out":
			got, want = "-", arg
			if o, oid, ok := tr.next(); ok {
				if got = fmt.Sprint(o); o == math.MaxUint64 {
					got = "max"
				}
				if _, id := message(t, arg); arg != "-" && id != oid {
					got += " of another epoch"
				}
				want = strings.TrimRight(arg, "abc")
			}
		case "ok", "fail":
			tr.answered(offset, id, f[0] == "ok")
		case "flushed":
			got, want = map[bool]string{true: "yes", false: "no"}[tr.flushed()], arg
		case "open":
			got, want = fmt.Sprint(tr.open), arg
		default:
			t.Fatalf("step %q is unknown", step)
		}
		if got != want {
			t.Fatalf("at %q: got %q, want %q", strings.TrimSpace(step), got, want)
		}
		checkTracker(t, tr)
	}
	return tr
}

// message reads an offset and its epoch.
func message(t *testing.T, s string) (uint64, identity) {
	epoch := uint64('a')
	if n := len(s) - 1; n > 0 && s[n] >= 'a' && s[n] <= 'c' {
		epoch, s = uint64(s[n]), s[:n]
	}
	if s == "" || s == "-" || strings.ContainsAny(s, "yn") {
		return 0, identity{}
	}
	offset := uint64(math.MaxUint64)
	if s != "max" {
		if _, err := fmt.Sscan(s, &offset); err != nil {
			t.Fatalf("%q is no message: %v", s, err)
		}
	}
	return offset, identity{epoch, offset}
}

// checkTracker verifies what must always hold inside.
func checkTracker(t *testing.T, tr *tracker) {
	t.Helper()
	open, acks, ready := 0, 0, 0
	for i, e := range tr.entries {
		if i > 0 && tr.entries[i-1].offset >= e.offset {
			t.Fatalf("entries are not in order: %+v", tr.entries)
		}
		switch e.state {
		case settled:
			ready++
		case acking:
			acks++
		}
		if e.state != done {
			open++
		}
	}
	if open != tr.open || acks != tr.acking || ready != len(tr.ready) {
		t.Fatalf("counts %d open, %d acking, %d ready; there are %d, %d, %d", tr.open, tr.acking, len(tr.ready), open, acks, ready)
	}
	if len(tr.entries) > 0 && tr.entries[0].state == done {
		t.Fatalf("the first entry is done and still there: %+v", tr.entries)
	}
	if n := len(tr.entries); n > 65+2*open {
		t.Fatalf("%d entries for %d that are open", n, open)
	}
}

func TestTracker(t *testing.T) {
	tests := map[string]string{
		"one message":                   "recv 0 fresh; out -; ack 0; out 0; out -; flushed no; ok 0; flushed yes; open 0",
		"in order, several out":         "recv 0 fresh; recv 1 fresh; recv 2 fresh; ack 0; ack 1; out 0; out 1; out -; ok 1; ok 0; open 1",
		"settled twice":                 "recv 0 fresh; ack 0; ack 0 no; nack 0 no",
		"never received":                "ack 0 no; recv 0 fresh; ack 1 no; nack 7 no",
		"lowest first":                  "recv 0 fresh; recv 1 fresh; recv 2 fresh; recv 3 fresh; ack 2; ack 0; ack 1; out 0; out 1; out 2",
		"the highest waits":             "recv 0 fresh; recv 1 fresh; ack 1; out -; flushed yes; ack 0; flushed no; out 0; out -; ok 0; out 1; ok 1; open 0",
		"the highest waits for answers": "recv 0 fresh; recv 1 fresh; ack 0; ack 1; out 0; out -; fail 0; out 0; out -; ok 0; out 1",
		"a higher one releases it":      "recv 0 fresh; recv 1 fresh; ack 1; out -; recv 2 fresh; out 1; out -; ok 1",
		"it does not wait for done":     "recv 0 fresh; ack 0; out 0; ok 0; recv 1 fresh; ack 1; out 1",
		"the highest waits for a nack":  "recv 0 fresh; recv 1 fresh; nack 0; ack 1; out -; recv 0 fresh; out -; ack 0; out 0; out -; ok 0; out 1; ok 1; open 0",
		"failed ack goes out again":     "recv 0 fresh; ack 0; out 0; fail 0; flushed no; out 0; fail 0; out 0; ok 0; open 0",

		"copy while in work":           "recv 0 fresh; recv 0 repeated; ack 0; out 0; out -; ok 0; open 0",
		"copy while settled":           "recv 0 fresh; recv 1 fresh; ack 1; recv 1 repeated; out -; open 2",
		"copy while the ack is out":    "recv 0 fresh; ack 0; out 0; recv 0 repeated; ok 0; open 1; out 0; ok 0; open 0",
		"two copies meanwhile":         "recv 0 fresh; ack 0; out 0; recv 0 repeated; recv 0 repeated; ok 0; out 0; ok 0; out -; open 0",
		"copy, then the ack fails":     "recv 0 fresh; ack 0; out 0; recv 0 repeated; fail 0; out 0; ok 0; open 0",
		"copy after the ack":           "recv 0 fresh; ack 0; out 0; ok 0; recv 0 repeated; open 1; out 0; ok 0; open 0",
		"copy after the ack, above":    "recv 0 fresh; recv 1 fresh; recv 2 fresh; ack 1; out 1; ok 1; recv 1 repeated; out 1; ok 1; open 2",
		"copy of a nacked one is work": "recv 0 fresh; nack 0; recv 0 fresh; recv 0 repeated; ack 0; out 0; ok 0; open 0",
		"nack, nothing goes out":       "recv 0 fresh; nack 0; out -; flushed yes; open 1",
		"a copy cannot be acked":       "recv 0 fresh; ack 0; out 0; ok 0; recv 0 repeated; ack 0 no",

		// What the broker's policy drops never comes.
		"a nacked one stays away":         "recv 0 fresh; recv 1 fresh; nack 0; ack 1; tick 5; out -; tick 1; out 1; ok 1; open 0",
		"it comes after all":              "recv 0 fresh; nack 0; tick 6; open 0; recv 0 fresh; tick 9; open 1; ack 0; out 0; ok 0; open 0",
		"it stays away after a reconnect": "recv 0 fresh; recv 1 fresh; nack 0; ack 1; session; recv 1 repeated; tick 1; out -; tick 1; out 1",
		"it comes after a reconnect":      "recv 0 fresh; recv 1 fresh; nack 0; session; recv 0 fresh; tick 9; ack 0; nack 1; tick 5; out 0; open 2",

		"first offset is any":      "recv 700 fresh; recv 701 fresh; ack 701; out -; ack 700; out 700; out -; ok 700; out 701",
		"a gap is nothing special": "recv 5 fresh; recv 900 fresh; ack 5; ack 900; out 5; ok 5; out 900; ok 900; open 0",
		"lower ones come later":    "recv 9 fresh; recv 7 fresh; recv 8 fresh; ack 9; out -; ack 8; out 8; ack 7; out 7; ok 7; out -; ok 8; out 9",
		"absurd offsets":           "recv max fresh; recv 0 fresh; ack max; out -; ack 0; out 0; ok 0; out max; ok max; open 0; recv max fresh",

		// After a reconnect the broker sends again what it has no ack of, and ignores
		// acks that come before.
		"reconnect in work":          "recv 0 fresh; recv 1 fresh; session; recv 0 repeated; recv 1 repeated; ack 0; out 0; ok 0; ack 1; out 1; ok 1; open 0",
		"reconnect, ack was lost":    "recv 0 fresh; ack 0; out 0; session; fail 0; out 0; recv 0 repeated; ok 0; out 0; ok 0; open 0",
		"reconnect, ack counted not": "recv 0 fresh; ack 0; out 0; session; ok 0; open 0; recv 0 repeated; out 0; ok 0; open 0",
		"stale ones first":           "recv 0 fresh; recv 1 fresh; recv 2 fresh; session; recv 2 repeated; recv 0 repeated; recv 1 repeated; recv 2 repeated; ack 2; out -; ack 0; ack 1; out 0; out 1; out -; ok 1; ok 0; out 2",
		// Before its copy has come nobody knows how far the broker has got: it may have
		// sent everything again already.
		"above what came back": "recv 0 fresh; recv 1 fresh; recv 2 fresh; recv 3 fresh; ack 2; ack 1; session; recv 0 repeated; out -; recv 1 repeated; out -; recv 2 repeated; out 1; out -; recv 3 repeated; out 2",
		"nothing came back":    "recv 0 fresh; recv 1 fresh; ack 0; ack 1; session; out 0; out -; ok 0; out 1; ok 1; open 0",

		// Numbering starts again.
		"epoch":                    "recv 5 fresh; recv 6 fresh; session; recv 5b renumber; open 1; ack 5b; out 5b; ok 5b; open 0",
		"epoch, seen by a past":    "recv 5 fresh; ack 5; out 5; ok 5; session; recv 5b renumber; ack 5b; out 5b; ok 5b; open 0",
		"epoch, seen by a done":    "recv 4 fresh; recv 5 fresh; recv 6 fresh; ack 5; out 5; ok 5; session; recv 5b renumber; open 1",
		"epoch with work":          "recv 5 fresh; recv 6 fresh; session; recv 5b renumber; ack 5 no; ack 6 no; nack 6 no; open 1",
		"epoch with an ack out":    "recv 5 fresh; ack 5; out 5; session; recv 5b renumber; ok 5; open 1; ack 5b; out 5b; ok 5; open 1; ok 5b; open 0",
		"epoch with a settled one": "recv 5 fresh; recv 6 fresh; ack 6; session; recv 5b renumber; out -; flushed yes; ack 5b; out 5b",
		"epoch and back":           "recv 5 fresh; session; recv 5b renumber; session; recv 5 renumber; ack 5; out 5; ok 5; open 0",
		// A consumer that began at 500 meets the new 0 to 499 before it can know.
		"epoch noticed late":                          "recv 500 fresh; session; recv 498b fresh; recv 499b fresh; ack 498b; out 498b; recv 500b renumber; open 3; ok 498b; recv 499b repeated; ack 499b; out 499b; ok 499b; ack 500b; out 500b; ok 500b; open 0; ack 500 no",
		"a new one is the highest, an old one higher": "recv 500 fresh; session; recv 0b fresh; recv 1b fresh; ack 1b; out -; ack 0b; out 0b; out -; ok 0b; out 1b; ack 500; ok 1b; out 500; ok 500; open 0",
		"epoch in one session":                        "recv 5 fresh; recv 6 fresh; recv 5b renumber; open 1; ack 6 no",

		// Topics that are not reliable number nothing: every message is at 0.
		"not numbered":                          "recv 0 fresh; recv 0b fresh; recv 0c fresh; ack 0; ack 0b; ack 0c; out 0c; ok 0c; open 0; ack 0",
		"not numbered, acked between":           "recv 0 fresh; ack 0; out 0; ok 0; recv 0b fresh; ack 0b; out 0b; ok 0b; recv 0c fresh; nack 0c; open 1; ack 0",
		"renumbered at 0":                       "recv 0 fresh; recv 1 fresh; session; recv 0b renumber; ack 0 no; ack 1 no; open 1",
		"renumbered at 0 after everything":      "recv 0 fresh; ack 0; out 0; ok 0; recv 1 fresh; ack 1; out 1; ok 1; session; recv 0b renumber; open 1",
		"renumbered at 0, only 0 was there":     "recv 0 fresh; session; recv 0b fresh; recv 1b fresh; ack 0 no; ack 0b; out 0b; ok 0b; ack 1b; out 1b; ok 1b; open 0",
		"not numbered, then it is: back to all": "recv 0 fresh; recv 0b fresh; recv 1b fresh; recv 0 renumber; ack 1b no",

		// A consumer that closes hands out nothing, and settles what it can.
		"closing, new ones are for others":    "recv 0 fresh; recv 1 fresh; ack 1; close; out -; recv 2 repeated; open 2; out 1; ok 1; ack 0; out 0; ok 0; open 0",
		"closing, copies are still answered":  "recv 0 fresh; ack 0; out 0; ok 0; close; recv 0 repeated; out 0; ok 0; flushed yes",
		"closing, a copy while an ack is out": "recv 0 fresh; ack 0; out 0; close; recv 0 repeated; ok 0; flushed no; out 0; ok 0; flushed yes",
		"closing, a nacked one stays nacked":  "recv 0 fresh; nack 0; close; recv 0 repeated; ack 0 no; open 1; flushed yes",
		"closing, an epoch":                   "recv 0 fresh; recv 1 fresh; ack 0; close; session; recv 0b repeated; flushed yes; open 0; recv 1b repeated; open 0",
	}
	for name, script := range tests {
		t.Run(name, func(t *testing.T) {
			tr := runScript(t, script)
			if tr.open == 0 && len(tr.entries) > 0 {
				t.Errorf("nothing is open and %d entries are left", len(tr.entries))
			}
		})
	}
}

// A message that was acknowledged out of order long ago is not handed out again,
// whatever the table of the past has forgotten meanwhile.
func TestTrackerRemembersAboveAGap(t *testing.T) {
	var tr tracker
	tr.begin()
	for o := uint64(0); o < 10; o++ {
		tr.received(o, identity{1, o})
	}
	tr.settle(5, identity{1, 5}, settled)
	o, id, _ := tr.next()
	tr.answered(o, id, true)
	tr.past.add(5+pastChunk*pastChunks, identity{1, 5 + pastChunk*pastChunks}) // far ahead, as with a shared subscription
	if how := tr.received(5, identity{1, 5}); how != repeated {
		t.Errorf("offset 5 came again: %v, want repeated", how)
	}
}

// Settled messages leave nothing behind but the table, however many there are and
// in whatever order they are settled.
func TestTrackerMemory(t *testing.T) {
	var tr tracker
	tr.begin()
	const window, n = 100, 200_000
	for o := uint64(0); o < n; o++ {
		tr.received(o, identity{1, o})
		if o < window {
			continue
		}
		if old := o - window; old != 0 { // the very first stays in work
			tr.settle(old, identity{1, old}, settled)
		}
		for {
			off, id, ok := tr.next()
			if !ok {
				break
			}
			tr.answered(off, id, true)
		}
	}
	if cap(tr.base) > 1024 || cap(tr.ready) > 1024 {
		t.Errorf("room for %d entries and %d acks with %d messages in work", cap(tr.base), cap(tr.ready), tr.open)
	}
	if len(tr.past.chunks) > pastChunks {
		t.Errorf("%d chunks in the table", len(tr.past.chunks))
	}
	checkTracker(t, &tr)
}

// A topic that moved comes again from the first message that its broker had skipped,
// however long ago that was: all of it is known.
func TestTrackerKnowsALongReplay(t *testing.T) {
	var tr tracker
	const n = 250_000
	work := func(o uint64, want arrival) {
		if how := tr.received(o, identity{1, o}); how != want {
			t.Fatalf("offset %d: %v, want %v", o, how, want)
		}
		tr.settle(o, identity{1, o}, settled)
		off, id, ok := tr.next()
		if !ok || off != o {
			t.Fatalf("no ack for offset %d", o)
		}
		tr.answered(off, id, true)
	}
	tr.begin()
	for o := range uint64(n) {
		work(o, fresh)
	}
	for range 2 {
		tr.begin()
		for o := range uint64(n) {
			work(o, repeated)
		}
	}
	work(n, fresh)
}
