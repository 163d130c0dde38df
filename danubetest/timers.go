package danubetest

import (
	"container/heap"
	"time"
)

// alarm is one thing to do at a time. A subscription has one for all its entries.
type alarm struct {
	at   time.Time
	fire func()
	slot int // place in the heap, from 1; 0 when not set
}

// alarms is every alarm that is set, over a single timer. The timer may go off
// earlier than the first alarm, never later: setting and clearing alarms then costs
// the runtime nothing in most cases, and an idle broker wakes at most once more.
type alarms struct {
	heap  alarmHeap
	timer *time.Timer
	armed time.Time // when the timer goes off; zero when it does not
}

func newAlarms() *alarms {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &alarms{timer: t}
}

// set makes a go off at that time at the latest, or earlier when it was set so.
func (s *alarms) set(a *alarm, at time.Time) {
	switch {
	case a.slot == 0:
		a.at = at
		heap.Push(&s.heap, a)
	case at.Before(a.at):
		a.at = at
		heap.Fix(&s.heap, a.slot-1)
	default:
		return
	}
	s.arm()
}

func (s *alarms) clear(a *alarm) {
	if a.slot != 0 {
		heap.Remove(&s.heap, a.slot-1)
	}
}

func (s *alarms) arm() {
	if len(s.heap) == 0 {
		return
	}
	first := s.heap[0].at
	if s.armed.IsZero() || first.Before(s.armed) {
		s.armed = first
		s.timer.Reset(time.Until(first))
	}
}

// run fires what is due at now, in order of time, after the timer went off.
func (s *alarms) run(now time.Time) {
	s.armed = time.Time{}
	for len(s.heap) > 0 && !s.heap[0].at.After(now) {
		heap.Pop(&s.heap).(*alarm).fire()
	}
	s.arm()
}

type alarmHeap []*alarm

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot, h[j].slot = i+1, j+1
}

func (h *alarmHeap) Push(x any) {
	a := x.(*alarm)
	*h = append(*h, a)
	a.slot = len(*h)
}

func (h *alarmHeap) Pop() any {
	old := *h
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	a.slot = 0
	return a
}
