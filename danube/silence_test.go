package danube

import (
	"testing"
	"time"
)

// What counts as a stall, look by look, ten seconds apart.
func TestSilence(t *testing.T) {
	type look struct {
		arrivals uint64
		old      uint64 // of them, those that are older than what came before
		copies   uint64 // of them, those
		hidden   uint64 // of the broker that has restarted
		busy     bool
		away     bool   // between sessions
		mute     bool   // no broker answered
		at       string // "" for the same as before
		session  int
		said     subscriptionMetrics
		skipped  uint64   // since the consumer began
		own      []uint64 // since its later sessions did
		lag      uint64   // of what begins
		ends     bool
	}
	said := func(lag, taken, stored uint64) subscriptionMetrics {
		return subscriptionMetrics{lag: lag, taken: taken, stored: stored}
	}
	tests := map[string]struct {
		shared bool
		looks  []look
	}{
		"nothing to deliver": {looks: []look{{}, {}, {}, {}, {}, {}}},
		"lag": {looks: []look{
			{said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(6, 9, 9)}, {said: said(7, 9, 9), lag: 7}, {said: said(8, 9, 9)}, {said: said(8, 9, 9)},
		}},
		"lag from the second look on": {looks: []look{
			{}, {said: said(1, 1, 1)}, {said: said(1, 1, 1)}, {said: said(1, 1, 1)}, {said: said(1, 1, 1), lag: 1},
		}},
		"published, and the lag says nothing": {looks: []look{
			{said: said(0, 7, 7)}, {said: said(0, 9, 9)}, {said: said(0, 12, 12)}, {said: said(0, 12, 12)}, {said: said(0, 12, 12), lag: 5},
		}},
		// A send that fails after it was counted brings nothing; one that is answered late
		// was counted before, and is here.
		"counted but not stored": {looks: []look{{said: said(0, 7, 7)}, {said: said(0, 9, 7)}, {said: said(0, 9, 7)}, {said: said(0, 9, 7)}, {said: said(0, 9, 7)}}},
		"answered late":          {looks: []look{{said: said(0, 9, 7)}, {said: said(0, 9, 9)}, {said: said(0, 9, 9)}, {said: said(0, 9, 9)}, {said: said(0, 9, 9)}}},
		"a message in between": {looks: []look{
			{said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {arrivals: 1, said: said(5, 9, 9)}, {arrivals: 1, said: said(5, 9, 9)}, {arrivals: 1, said: said(5, 9, 9)}, {arrivals: 1, said: said(5, 9, 9)},
			{arrivals: 1, said: said(5, 9, 9), lag: 5},
		}},
		"the application has some": {looks: []look{
			{busy: true, said: said(5, 9, 9)}, {busy: true, said: said(5, 9, 9)}, {busy: true, said: said(5, 12, 12)}, {busy: true, said: said(5, 12, 12)}, {busy: true, said: said(5, 12, 12)},
			{said: said(0, 12, 12)}, {said: said(0, 12, 12)}, {said: said(0, 12, 12)}, {said: said(0, 12, 12)}, {said: said(0, 12, 12)},
		}},
		"between sessions": {looks: []look{
			{away: true, said: said(5, 9, 9)}, {away: true, said: said(5, 9, 9)}, {away: true, said: said(5, 9, 9)}, {away: true, said: said(5, 9, 9)}, {away: true, said: said(5, 9, 9)},
			{said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9), lag: 5},
		}},
		"a session each": {looks: []look{
			{session: 1, said: said(5, 9, 9)}, {session: 1, said: said(5, 9, 9)}, {session: 1, said: said(5, 9, 9)}, {session: 2, said: said(5, 9, 9)}, {session: 2, said: said(5, 9, 9)},
			{session: 2, said: said(5, 9, 9)}, {session: 2, said: said(5, 9, 9), lag: 5}, {session: 3, said: said(5, 9, 9)}, {session: 4, said: said(5, 9, 9)},
		}},
		"published while away, and not delivered": {looks: []look{
			{said: said(0, 7, 7)}, {away: true, said: said(0, 9, 9)}, {session: 1, said: said(0, 9, 9)}, {session: 1, said: said(0, 9, 9)}, {session: 1, said: said(0, 9, 9)}, {session: 1, said: said(0, 9, 9), lag: 2},
		}},
		"delivered while the brokers do not answer": {looks: []look{
			{said: said(0, 7, 7)}, {mute: true, arrivals: 2}, {arrivals: 2, said: said(0, 9, 9)}, {arrivals: 2, said: said(0, 9, 9)}, {arrivals: 2, said: said(0, 9, 9)}, {arrivals: 2, said: said(0, 9, 9)},
		}},
		"not delivered while the brokers do not answer": {looks: []look{
			{said: said(0, 7, 7)}, {said: said(0, 9, 9)}, {mute: true}, {mute: true}, {said: said(0, 9, 9), lag: 2},
		}},
		"the broker has restarted": {looks: []look{
			{said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9), lag: 5}, {session: 1, said: said(0, 0, 0)}, {session: 1, said: said(0, 3, 3)},
			{session: 1, said: said(0, 3, 3)}, {session: 1, said: said(0, 3, 3)}, {session: 1, said: said(0, 3, 3)}, {session: 1, said: said(0, 3, 3)},
			{session: 1, arrivals: 1, said: said(0, 4, 4)}, {session: 1, arrivals: 1, said: said(2, 6, 6)}, {session: 1, arrivals: 1, said: said(2, 6, 6)}, {session: 1, arrivals: 1, said: said(2, 6, 6)},
			{session: 1, arrivals: 1, said: said(2, 6, 6), lag: 2}, {session: 1, arrivals: 1, said: said(0, 6, 6)},
		}},
		"the topic has moved in a stall": {looks: []look{
			{said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9), lag: 5}, {at: "b", session: 1, said: said(0, 90, 90)}, {at: "b", session: 1, said: said(0, 90, 90)},
		}},
		"the others of a restarted broker get messages": {shared: true, looks: []look{
			{said: said(0, 1, 1)}, {said: said(9, 9, 9)}, {said: said(9, 9, 9)}, {said: said(9, 9, 9)}, {said: said(9, 9, 9), lag: 9}, {session: 1, said: said(0, 0, 0)}, {session: 1, said: said(0, 1, 1)},
			{session: 1, said: subscriptionMetrics{taken: 1, stored: 1, out: 1}, ends: true},
		}},
		"published after a restart, before the first look": {looks: []look{
			{said: said(0, 9, 9)}, {session: 1, said: said(0, 4, 4)}, {session: 1, said: said(0, 4, 4)}, {session: 1, said: said(0, 4, 4)}, {session: 1, said: said(0, 4, 4), lag: 4},
		}},
		"delivered after a restart, before the first look": {looks: []look{
			{said: said(0, 9, 9)}, {session: 1, arrivals: 4, said: said(0, 4, 4)}, {session: 1, arrivals: 4, said: said(0, 4, 4)}, {session: 1, arrivals: 4, said: said(0, 4, 4)}, {session: 1, arrivals: 4, said: said(0, 4, 4)},
			{session: 1, arrivals: 4, said: said(0, 4, 4)},
		}},
		// After a gap the lag stays; only what is beyond it counts.
		"skipped": {looks: []look{
			{said: said(50, 90, 90), skipped: 50}, {said: said(50, 90, 90), skipped: 50}, {said: said(50, 90, 90), skipped: 50}, {said: said(50, 90, 90), skipped: 50}, {said: said(50, 90, 90), skipped: 50},
			{said: said(52, 90, 90), skipped: 50}, {said: said(52, 90, 90), skipped: 50}, {said: said(52, 90, 90), skipped: 50}, {said: said(53, 90, 90), skipped: 50, lag: 3},
			{said: said(7, 90, 90), skipped: 50, ends: true}, {said: said(7, 95, 95), skipped: 50}, {said: said(7, 95, 95), skipped: 50}, {said: said(7, 95, 95), skipped: 50}, {said: said(7, 95, 95), skipped: 50, lag: 5},
		}},
		// A broker that restarts, or gets the topic back, counts from the first message that
		// it sends: what was skipped before is not in its lag.
		"skipped before the broker restarted": {looks: []look{
			{said: said(5000, 9000, 9000), skipped: 5000}, {said: said(5000, 9000, 9000), skipped: 5000}, {session: 1, arrivals: 9, said: said(1200, 2500, 2500), skipped: 5009, own: []uint64{0}},
			{session: 1, arrivals: 9, said: said(2449, 2500, 2500), skipped: 5009, own: []uint64{0}}, {session: 1, arrivals: 9, said: said(2449, 2500, 2500), skipped: 5009, own: []uint64{0}},
			{session: 1, arrivals: 9, said: said(2449, 2500, 2500), skipped: 5009, own: []uint64{0}}, {session: 1, arrivals: 9, said: said(2449, 2500, 2500), skipped: 5009, own: []uint64{0}, lag: 2449},
		}},
		"skipped before the broker restarted, and since": {looks: []look{
			{said: said(70, 90, 90), skipped: 60}, {said: said(70, 90, 90), skipped: 60}, {arrivals: 1, said: said(20, 90, 90), skipped: 60, own: []uint64{20}}, {arrivals: 1, said: said(20, 90, 90), skipped: 60, own: []uint64{20}}, {arrivals: 1, said: said(20, 90, 90), skipped: 60, own: []uint64{20}}, {arrivals: 1, said: said(20, 90, 90), skipped: 60, own: []uint64{20}},
			{arrivals: 1, said: said(23, 90, 90), skipped: 60, own: []uint64{20}}, {arrivals: 1, said: said(23, 90, 90), skipped: 60, own: []uint64{20}}, {arrivals: 1, said: said(23, 90, 90), skipped: 60, own: []uint64{20}}, {arrivals: 1, said: said(23, 90, 90), skipped: 60, own: []uint64{20}, lag: 3},
		}},
		// After a restart, an old message for each one that is published.
		"only old ones come": {looks: []look{
			{arrivals: 5, said: said(0, 90, 90)}, {session: 1, arrivals: 6, old: 1, hidden: 9, said: said(0, 2, 2)}, {session: 1, arrivals: 8, old: 3, hidden: 9, said: said(0, 4, 4)}, {session: 1, arrivals: 10, old: 5, hidden: 9, said: said(1, 6, 6)},
			{session: 1, arrivals: 12, old: 7, hidden: 9, busy: true, said: said(0, 8, 8)}, {session: 1, arrivals: 14, old: 9, hidden: 9, said: said(0, 10, 10), lag: 9}, {session: 1, arrivals: 16, old: 11, hidden: 9, said: said(0, 12, 12)},
			{session: 1, arrivals: 18, old: 12, hidden: 9, said: said(0, 14, 14)}, {session: 1, arrivals: 20, old: 14, hidden: 9, said: said(0, 16, 16)}, {session: 1, arrivals: 22, old: 16, hidden: 9, said: said(0, 18, 18)},
			{session: 1, arrivals: 24, old: 18, hidden: 9, said: said(0, 20, 20)}, {session: 1, arrivals: 26, old: 20, hidden: 9, said: said(0, 22, 22)}, {session: 1, arrivals: 28, old: 22, hidden: 9, said: said(0, 24, 24)},
		}},
		"only old ones come, to one who is always busy": {looks: []look{
			{arrivals: 5, said: said(0, 90, 90)}, {session: 1, arrivals: 6, old: 1, hidden: 90, said: said(0, 2, 2)}, {session: 1, arrivals: 8, old: 3, hidden: 90, busy: true, said: said(3, 4, 4)}, {session: 1, arrivals: 10, old: 5, hidden: 90, busy: true, said: said(4, 6, 6)},
			{session: 1, arrivals: 12, old: 7, hidden: 90, busy: true, said: said(5, 8, 8)}, {session: 1, arrivals: 14, old: 9, hidden: 90, busy: true, said: said(3, 10, 10), lag: 90},
		}},
		"old ones come, then nothing": {looks: []look{
			{arrivals: 5, said: said(0, 90, 90)}, {session: 1, arrivals: 6, old: 1, hidden: 2, said: said(0, 2, 2)}, {session: 1, arrivals: 8, old: 3, hidden: 2, said: said(0, 4, 4)}, {session: 1, arrivals: 8, old: 3, hidden: 2, said: said(0, 4, 4)},
			{session: 1, arrivals: 8, old: 3, hidden: 2, said: said(0, 4, 4)}, {session: 1, arrivals: 8, old: 3, hidden: 2, said: said(0, 4, 4), lag: 2},
		}},
		// What was left unacknowledged, or skipped, comes after a move, and then what is new.
		"old ones come first": {looks: []look{
			{arrivals: 5, said: said(50, 90, 90)}, {at: "b", session: 1, arrivals: 10, old: 5, said: said(50, 7, 7)}, {at: "b", session: 1, arrivals: 20, old: 15, said: said(45, 12, 12)}, {at: "b", session: 1, arrivals: 30, old: 25, said: said(40, 17, 17)},
			{at: "b", session: 1, arrivals: 40, old: 35, said: said(35, 22, 22)}, {at: "b", session: 1, arrivals: 50, old: 45, said: said(30, 27, 27)}, {at: "b", session: 1, arrivals: 60, old: 52, said: said(25, 32, 32)},
		}},
		"old ones that take long": {looks: []look{
			{arrivals: 5, said: said(0, 90, 90)}, {session: 1, arrivals: 6, old: 1, hidden: 6, busy: true, said: said(0, 7, 7)}, {session: 1, arrivals: 7, old: 2, hidden: 6, busy: true, said: said(0, 8, 8)}, {session: 1, arrivals: 8, old: 3, hidden: 6, busy: true, said: said(0, 9, 9)},
			{session: 1, arrivals: 9, old: 4, hidden: 6, busy: true, said: said(0, 10, 10)}, {session: 1, arrivals: 10, old: 5, hidden: 6, busy: true, said: said(0, 11, 11)}, {session: 1, arrivals: 11, old: 6, hidden: 6, busy: true, said: said(0, 12, 12)},
		}},
		// By a clock that was put back, or times of its producer's own, everything is old.
		"all that is published comes, and looks old": {looks: []look{
			{arrivals: 5, said: said(0, 90, 90)}, {session: 1, arrivals: 6, old: 1, said: said(0, 91, 91)}, {session: 1, arrivals: 7, old: 2, said: said(0, 92, 92)}, {session: 1, arrivals: 8, old: 3, said: said(0, 93, 93)},
			{session: 1, arrivals: 9, old: 4, said: said(0, 94, 94)}, {session: 1, arrivals: 10, old: 5, said: said(0, 95, 95)}, {session: 1, arrivals: 11, old: 6, said: said(0, 96, 96)}, {session: 1, arrivals: 11, old: 6, said: said(0, 96, 96)},
			{session: 1, arrivals: 11, old: 6, said: said(0, 96, 96)}, {session: 1, arrivals: 11, old: 6, said: said(0, 96, 96)}, {session: 1, arrivals: 11, old: 6, said: said(0, 96, 96)},
		}},
		"that ends a stall, too": {looks: []look{
			{said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9), lag: 5}, {at: "b", session: 1, arrivals: 3, old: 3, said: said(0, 4, 4)}, {at: "b", session: 1, arrivals: 4, old: 4, said: said(9, 5, 5), ends: true},
		}},
		"copies of all end a stall": {looks: []look{
			{said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9), lag: 5}, {at: "b", session: 1, arrivals: 3, old: 3, copies: 3, said: said(2, 4, 4)}, {at: "b", session: 1, arrivals: 5, old: 5, copies: 5, said: said(0, 4, 4)},
			{at: "b", session: 1, arrivals: 5, old: 5, copies: 5, said: said(0, 4, 4), ends: true},
		}},
		"old ones do not end a stall": {looks: []look{
			{said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9), lag: 5}, {session: 1, arrivals: 1, old: 1, hidden: 3, said: said(0, 1, 1)}, {session: 1, arrivals: 1, old: 1, hidden: 3, said: said(0, 1, 1)},
			{session: 1, arrivals: 4, old: 4, hidden: 3, said: said(0, 4, 4)}, {session: 1, arrivals: 5, old: 4, said: said(0, 5, 5)}, {session: 1, arrivals: 5, old: 4, said: said(0, 8, 8)}, {session: 1, arrivals: 5, old: 4, said: said(0, 8, 8)}, {session: 1, arrivals: 5, old: 4, said: said(0, 8, 8)},
			{session: 1, arrivals: 5, old: 4, said: said(0, 8, 8), lag: 3},
		}},
		"busy for a look behind old ones": {looks: []look{
			{arrivals: 5, said: said(0, 90, 90)}, {session: 1, arrivals: 6, old: 1, hidden: 9, said: said(0, 2, 2)}, {session: 1, arrivals: 8, old: 3, hidden: 9, said: said(0, 4, 4)}, {session: 1, arrivals: 10, old: 5, hidden: 9, said: said(0, 6, 6)},
			{session: 1, arrivals: 12, old: 7, hidden: 9, said: said(0, 8, 8)}, {session: 1, arrivals: 14, old: 9, hidden: 9, said: said(0, 10, 10), lag: 9},
			{session: 1, arrivals: 14, old: 9, hidden: 9, busy: true, said: said(0, 10, 10)}, {session: 1, arrivals: 14, old: 9, hidden: 9, said: said(0, 10, 10)},
		}},
		"a session more behind old ones": {looks: []look{
			{arrivals: 5, said: said(0, 90, 90)}, {session: 1, arrivals: 6, old: 1, hidden: 9, said: said(0, 2, 2)}, {session: 1, arrivals: 8, old: 3, hidden: 9, said: said(0, 4, 4)}, {session: 1, arrivals: 10, old: 5, hidden: 9, said: said(0, 6, 6)},
			{session: 1, arrivals: 12, old: 7, hidden: 9, said: said(0, 8, 8)}, {session: 1, arrivals: 14, old: 9, hidden: 9, said: said(0, 10, 10), lag: 9},
			{session: 2, arrivals: 15, old: 10, hidden: 9, said: said(0, 11, 11)}, {session: 2, arrivals: 15, old: 10, hidden: 9, said: said(0, 11, 11)},
		}},
		"others were skipped": {shared: true, looks: []look{{said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9)}}},
		"the topic has moved": {looks: []look{
			{said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {said: said(5, 9, 9)}, {at: "b", said: said(5, 90, 90)}, {at: "b", said: said(5, 90, 90)}, {at: "b", said: said(5, 90, 90)}, {at: "b", said: said(5, 90, 90), lag: 5},
		}},
		"others get messages": {shared: true, looks: []look{
			{said: subscriptionMetrics{lag: 5, out: 1}}, {said: subscriptionMetrics{lag: 5, out: 2}}, {said: subscriptionMetrics{lag: 5, out: 3}}, {said: subscriptionMetrics{lag: 5, out: 4}}, {said: subscriptionMetrics{lag: 5, out: 5}},
		}},
		"others got messages": {shared: true, looks: []look{{said: said(0, 1, 1)}, {said: said(0, 2, 2)}, {said: said(0, 2, 2)}, {said: said(0, 2, 2)}, {said: said(0, 2, 2)}}},
		"nobody gets messages": {shared: true, looks: []look{
			{said: said(5, 9, 9)}, {said: said(5, 10, 10)}, {said: said(5, 11, 11)}, {said: said(5, 12, 12)}, {said: said(6, 12, 12), lag: 6}, {said: said(6, 12, 12)}, {said: said(0, 12, 12), ends: true}, {said: said(0, 12, 12)},
		}},
	}
	sessions := make([]*session, 9)
	for i := range sessions {
		sessions[i] = &session{}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var s silence
			var opened *session
			var began arrivals
			now := time.Unix(1e9, 0)
			for i, l := range tt.looks {
				if l.arrivals-l.old != s.counts.news {
					s.broken() // as the receiver does
				}
				v := partitionView{session: sessions[l.session], counts: arrivals{l.arrivals, l.arrivals - l.old, l.arrivals - l.copies}, busy: l.busy, alone: !tt.shared, next: 1e6, patience: 30 * time.Second}
				if l.skipped > 0 {
					v.bases = []uint64{v.next - l.skipped}
				}
				for _, skipped := range l.own {
					if skipped == 0 {
						v.bases = append(v.bases, noHole)
					} else {
						v.bases = append(v.bases, v.next-skipped)
					}
				}
				if l.away {
					v.session = nil
				}
				if v.session != opened {
					opened, began = v.session, s.counts
				}
				v.began = began
				v.tally = tally{started: l.hidden > 0, hidden: l.hidden}
				m := &l.said
				if l.mute {
					m = nil
				}
				lag, begins, ends := s.look(now, v, "a"+l.at, m)
				if begins != (l.lag > 0) || begins && lag != l.lag || ends != l.ends {
					t.Errorf("look %d: lag %d, begins %v, ends %v; want a stall of %d, ends %v", i, lag, begins, ends, l.lag, l.ends)
				}
				now = now.Add(10 * time.Second)
			}
		})
	}
}

func TestSilenceBroken(t *testing.T) {
	s := silence{stalled: true, lag: 7}
	if resumed, lag := s.broken(); !resumed || lag != 7 {
		t.Errorf("got %v, %d", resumed, lag)
	}
	if resumed, _ := s.broken(); resumed {
		t.Error("resumed twice")
	}
}

// After a move a log comes again from its first hole on, for minutes, while little is
// published. The holes that the view knew are filled when the broker speaks.
func TestSilenceWhileALogComesAgain(t *testing.T) {
	var s silence
	now := time.Unix(1e9, 0)
	one, two := &session{}, &session{}
	const next = 100000
	holes := func(cursor uint64) []uint64 { return []uint64{cursor + 2} } // a hole in every few messages
	s.look(now, partitionView{session: one, counts: arrivals{10, 10, 0}, alone: true, patience: 30 * time.Second, next: next, bases: holes(1000)}, "a", &subscriptionMetrics{lag: next - 1000, taken: next, stored: next})
	head, cursor, came, taken := uint64(next), uint64(1000), uint64(10), uint64(0)
	for i := range 18 {
		now = now.Add(10 * time.Second)
		head, taken = head+10, taken+10
		cursor, came = cursor+5000, came+5000
		v := partitionView{session: two, counts: arrivals{came, 10, 0}, began: arrivals{10, 10, 0}, alone: true, busy: i%2 == 1, patience: 30 * time.Second, next: next, bases: holes(cursor)}
		m := &subscriptionMetrics{lag: head - (cursor + 20), taken: taken, stored: taken}
		lag, begins, _ := s.look(now, v, "b", m)
		if begins {
			t.Fatalf("look %d: a stall begins, lag %d, while %d messages a look come and the broker says %d", i, lag, 5000, m.lag)
		}
	}
}
