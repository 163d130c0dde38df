package danube_test

import (
	"runtime"
	"slices"
	"sync"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// sessions records what OnSession says and checks what must hold of it.
type sessions struct {
	mu   sync.Mutex
	list []danube.SessionEvent
	busy map[string]bool // topics whose event is being told
	both bool            // whether two of one topic ever were at once
}

func (s *sessions) add(e danube.SessionEvent) {
	s.mu.Lock()
	if s.busy == nil {
		s.busy = map[string]bool{}
	}
	s.both = s.both || s.busy[e.Topic]
	s.busy[e.Topic] = true
	s.mu.Unlock()
	runtime.Gosched() // for others to come in between
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[e.Topic] = false
	s.list = append(s.list, e)
}

// of returns the states of one topic on the wire.
func (s *sessions) of(wire string) (states []danube.SessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.list {
		if e.Topic == wire {
			states = append(states, e.State)
		}
	}
	return states
}

// check verifies that per topic on the wire Ready follows only what is not Ready,
// nothing follows Failed, and an error is there exactly when it is not Ready.
func (s *sessions) check(l *lab) {
	l.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.both {
		l.Error("two events of one topic at once")
	}
	last := map[string]danube.SessionEvent{}
	for _, e := range s.list {
		before, any := last[e.Topic]
		if any && (before.State == danube.Failed || before.State == danube.Ready && e.State == danube.Ready) {
			l.Errorf("%s: %v after %v", e.Topic, e.State, before.State)
		}
		if (e.Err == nil) != (e.State == danube.Ready) {
			l.Errorf("%s: %v with error %v", e.Topic, e.State, e.Err)
		}
		last[e.Topic] = e
	}
}

// wantStates checks the states of a topic, several Connecting in a row taken as one,
// and those before the first session left out unless they are wanted: making a topic
// takes more than one attempt.
func (s *sessions) wantStates(l *lab, wire string, want ...danube.SessionState) {
	l.Helper()
	s.check(l)
	got := slices.Compact(s.of(wire))
	if len(got) > 1 && got[0] == danube.Connecting && want[0] == danube.Ready {
		got = got[1:]
	}
	if !slices.Equal(got, want) {
		l.Errorf("sessions of %s: got %v, want %v", wire, got, want)
	}
}
