package danube_test

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// balance is the end of the account of one subscription of one topic on the wire.
type balance struct {
	sub                              *ledgerSub
	published, acked, unknown, notIn int
	retried                          int // of the acknowledged, those of which there may be two
	received                         int // messages, each counted once
	missing                          int // of those that were acknowledged
	gap, restart, seam, stamps       int // missing, by what else tells of it than stamps
	stalled, sessionless             int // missing at the end, where a stall or a lost session is reported
}

// close draws up the account. What is missing and was not reported is a breach, and so
// is what came and nobody sent, or more often than it was sent.
func (l *ledger) close() (all []balance) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.subs {
		b := balance{sub: s}
		for _, line := range l.lines {
			if line.by.wire == s.wire {
				l.closeLine(&b, line)
			}
		}
		for life, n := range s.refused {
			if !s.restarts[life] {
				l.breach("%s of %s: %d acks were refused, and the numbering had not started again", s.name, s.wire, n)
			}
		}
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b balance) int {
		return strings.Compare(a.sub.wire+" "+a.sub.name, b.sub.wire+" "+b.sub.name)
	})
	return all
}

// closeLine adds one producer's messages. With l.mu held.
func (l *ledger) closeLine(b *balance, line *ledgerLine) {
	list := line.got[b.sub]
	var before *receipts // the newest that came
	run := 0             // missing since
	var unsaid []int     // those of them that nobody reported
	missed := func() {
		for _, n := range unsaid {
			l.breach("%s of %v: number %d is missing, of %d, and nobody said so", b.sub.name, line.by, n, line.last)
		}
		unsaid = nil
	}
	for n := range max(len(line.sent), len(list)) {
		var sent sentMessage
		if n < len(line.sent) {
			sent = line.sent[n]
		}
		var r *receipts
		if n < len(list) {
			r = &list[n]
		}
		b.count(sent)
		switch {
		case r != nil && r.times > 0:
			l.closeReceived(b.sub, line, n, sent, r)
			b.received++
			b.explain(before, run, r)
			missed()
			before, run = r, 0
		case sent.outcome == acked:
			b.missing++
			run++
			if r == nil || !r.reported || r.filled {
				unsaid = append(unsaid, n)
			}
		case sent.outcome == pending && r != nil && r.reported:
			l.breach("%s of %v: number %d was reported missing, and was never sent", b.sub.name, line.by, n)
		}
	}
	if !l.stopped(b.sub) {
		missed()
	}
	if b.sub.ready.IsZero() || l.unpublishable(b.sub.wire) {
		b.sessionless += run
	} else {
		b.stalled += run
	}
}

// stopped reports that the client says that nothing comes at present, or can be published.
// With l.mu held.
func (l *ledger) stopped(s *ledgerSub) bool {
	return s.ready.IsZero() || !s.stalled.IsZero() || l.unpublishable(s.wire)
}

// said reports that the client says so of all of these.
func (l *ledger) said(subs []*ledgerSub) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !slices.ContainsFunc(subs, func(s *ledgerSub) bool { return !l.stopped(s) })
}

func (b *balance) count(m sentMessage) {
	switch m.outcome {
	case acked:
		b.acked++
		if m.retried {
			b.retried++
		}
	case ambiguous:
		b.unknown++
	case notSent:
		b.notIn++
	default:
		return
	}
	b.published++
}

// closeReceived checks one message that came. With l.mu held.
func (l *ledger) closeReceived(s *ledgerSub, line *ledgerLine, n int, sent sentMessage, r *receipts) {
	switch {
	case sent.outcome == pending || sent.outcome == notSent:
		l.breach("%s of %v: number %d came, and was not sent", s.name, line.by, n)
	case sent.payload != r.payload:
		l.breach("%s of %v: number %d came as %d, and was sent as %d", s.name, line.by, n, r.payload, sent.payload)
	case int(r.copies) >= int(sent.attempts):
		l.breach("%s of %v: number %d came %d times at other offsets, and was sent %d times", s.name, line.by, n, r.copies, sent.attempts)
	case r.reported && !r.filled:
		l.breach("%s of %v: number %d was reported missing, came, and nobody said so", s.name, line.by, n)
	}
}

// explain says which report other than that of the stamps goes with a run of missing
// messages, by the messages on its two sides.
func (b *balance) explain(before *receipts, run int, after *receipts) {
	switch {
	case run == 0:
	case before == nil:
		b.stamps += run
	case before.first.numbering != after.first.numbering:
		b.restart += run
	case before.first.life != after.first.life:
		b.seam += run
	case b.sub.gapsBetween(before.first, after.first) >= run:
		b.gap += run
	default:
		b.stamps += run
	}
}

// gapsBetween counts the offsets between two messages that were reported missing.
func (s *ledgerSub) gapsBetween(a, b place) (n int) {
	for _, g := range s.gaps {
		if g.life == a.life && g.numbering == a.numbering && g.offset > a.offset && g.to < b.offset {
			n += int(g.to - g.offset + 1)
		}
	}
	return n
}

// report is the table.
func report(all []balance) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "topic\tpublished\tacked\tof them ambiguous\tunknown\treceived\tagain: published\tnext consumer\trenumbered\tmissing\tby GapFound\tRestarted\tbetween consumers\tstamps alone\tin a stall\twithout a session\tstalls\t")
	row := func(name string, b balance, stalls int) {
		r := b.sub.repeats
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, b.published, b.acked, b.retried, b.unknown, b.received,
			r.published, r.consumer, r.numbering, b.missing, b.gap, b.restart, b.seam, b.stamps, b.stalled, b.sessionless, stalls)
	}
	sum := balance{sub: &ledgerSub{}}
	stalls := 0
	for _, one := range all {
		row(strings.TrimPrefix(one.sub.wire, "/default/")+" "+one.sub.name, one, one.sub.stalls)
		sum.add(one)
		stalls += one.sub.stalls
	}
	row("together", sum, stalls)
	w.Flush()
	return b.String()
}

func (b *balance) add(o balance) {
	b.published, b.acked, b.retried, b.unknown, b.received = b.published+o.published, b.acked+o.acked, b.retried+o.retried, b.unknown+o.unknown, b.received+o.received
	b.missing, b.gap, b.restart, b.seam, b.stamps = b.missing+o.missing, b.gap+o.gap, b.restart+o.restart, b.seam+o.seam, b.stamps+o.stamps
	b.stalled, b.sessionless = b.stalled+o.stalled, b.sessionless+o.sessionless
	b.sub.repeats.published += o.sub.repeats.published
	b.sub.repeats.consumer += o.sub.repeats.consumer
	b.sub.repeats.numbering += o.sub.repeats.numbering
}

// silences looks for subscriptions to which nothing has come for a while although a
// message that was acknowledged has not come, and of which nobody has said so. While the
// client says that it cannot publish to a topic, nothing new shows that what was published
// before is gone.
func (l *ledger) silences(now time.Time, patience time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.subs {
		waiting := l.waiting(s)
		switch {
		case waiting == 0:
			s.behind, s.silenced = time.Time{}, false
		case s.behind.IsZero(), l.unpublishable(s.wire):
			s.behind, s.silenced = now, false
		case s.silenced || !s.stalled.IsZero() || s.ready.IsZero():
		case now.Sub(s.behind) > patience && now.Sub(s.arrived) > patience && now.Sub(s.ready) > patience:
			s.silenced = true
			l.breach("%s of %s: silent for %v with at least %d messages waiting, and nobody said so", s.name, s.wire, now.Sub(s.arrived).Round(time.Second), waiting)
		}
	}
}

// unpublishable reports that the client says so of a topic. With l.mu held.
func (l *ledger) unpublishable(wire string) bool {
	for at := range l.unpublished {
		if at.wire == wire {
			return true
		}
	}
	return false
}

// waiting counts what was acknowledged and is newer than all that came. With l.mu held.
func (l *ledger) waiting(s *ledgerSub) (n int) {
	for _, line := range l.lines {
		if line.by.wire == s.wire {
			n += max(0, line.last-s.newest[line])
		}
	}
	return n
}

// behind lists the subscriptions that wait for something.
func (l *ledger) behind() (list []*ledgerSub) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.subs {
		if l.waiting(s) > 0 {
			list = append(list, s)
		}
	}
	return list
}
