package danube

import (
	"testing"
	"time"
)

// What counts as a stall, look by look, ten seconds apart.
func TestSilence(t *testing.T) {
	type look struct {
		arrivals uint64
		busy     bool
		away     bool   // between sessions
		mute     bool   // no broker answered
		at       string // "" for the same as before
		session  int
		said     subscriptionMetrics
		skipped  uint64
		lag      uint64 // of what begins
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
			now := time.Unix(1e9, 0)
			for i, l := range tt.looks {
				if l.arrivals != s.arrivals {
					s.broken() // as the receiver does
				}
				v := partitionView{session: sessions[l.session], arrivals: l.arrivals, busy: l.busy, alone: !tt.shared, skipped: l.skipped, patience: 30 * time.Second}
				if l.away {
					v.session = nil
				}
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
