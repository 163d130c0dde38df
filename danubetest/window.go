package danubetest

import (
	"slices"
	"time"
)

// window is what a subscription has taken from its topic's log and is not done with.
// Everything below low is settled; low-1 is the cursor. slots.at(i) belongs to
// place low+i and is nil when that place is settled; the first never is. Everything from next
// on was never handed out.
type window struct {
	low, next uint64
	slots     queue[*slot]
	open      int  // slots that are neither nil nor a gap
	begun     bool // something was handed out

	awaiting  slotList // await an ack, in order of their deadline
	waiting   []*slot  // wait to be sent again
	exhausted []*slot
	held      []*slot // in order of place
	spare     []*slot // for reuse
}

type slotState int

const (
	slotAwaiting slotState = iota
	slotWaiting
	slotExhausted
	slotHeld // KeyShared: waits for its key
	slotGap  // skipped, and never to be settled
)

// slot is one message that was handed out and is not settled.
type slot struct {
	msg      *stored
	state    slotState
	attempts int
	due      time.Time // awaiting: the ack timeout; waiting: when to send again
	consumer *consumer // who had it last
	record   int       // the last delivery, in msg.deliveries; -1 before the first
	reason   string    // why it failed last

	prev, next *slot // in window.awaiting
}

// last returns the record of the slot's last delivery.
func (sl *slot) last() *delivery { return &sl.msg.deliveries[sl.record] }

// take opens a slot for the next message.
func (w *window) take(m *stored) *slot {
	var sl *slot
	if n := len(w.spare); n > 0 {
		sl, w.spare = w.spare[n-1], w.spare[:n-1]
	} else {
		sl = new(slot)
	}
	sl.msg, sl.record = m, -1
	sl.state = slotWaiting // until it is sent
	w.waiting = append(w.waiting, sl)
	w.open++
	w.begun = true
	if m.place < w.next { // it comes later than one behind it
		w.slots.all()[m.place-w.low] = sl
		return sl
	}
	w.slots.push(sl)
	w.next++
	return sl
}

// get returns the open slot of a place, or nil.
func (w *window) get(place uint64) *slot {
	if place < w.low || place >= w.next {
		return nil
	}
	if sl := w.slots.at(int(place - w.low)); sl != gap {
		return sl
	}
	return nil
}

// settle closes a slot, and reports whether the cursor moved.
func (w *window) settle(sl *slot) bool {
	w.leave(sl)
	w.open--
	slots := w.slots.all()
	slots[sl.msg.place-w.low] = nil
	*sl = slot{} // must not keep the message
	w.spare = append(w.spare, sl)
	n := 0
	for n < len(slots) && slots[n] == nil {
		n++
	}
	w.slots.drop(n)
	w.low += uint64(n)
	return n > 0
}

// await marks a slot as sent to a consumer.
func (w *window) await(sl *slot, co *consumer, deadline time.Time) {
	w.leave(sl)
	sl.state = slotAwaiting
	sl.due = deadline
	sl.consumer = co
	co.inFlight++
	w.awaiting.push(sl)
}

// retry marks a slot to be sent again at a time.
func (w *window) retry(sl *slot, at time.Time) {
	w.leave(sl)
	sl.state = slotWaiting
	sl.due = at
	w.waiting = append(w.waiting, sl)
}

// exhaust marks a slot as failed for good.
func (w *window) exhaust(sl *slot) {
	w.leave(sl)
	sl.state = slotExhausted
	w.exhausted = append(w.exhausted, sl)
}

// hold marks a slot as waiting for its key.
func (w *window) hold(sl *slot) {
	w.leave(sl)
	sl.state = slotHeld
	w.held = append(w.held, sl)
}

// leap leaves a slot behind: it is never settled, and the cursor stays below it.
func (w *window) leap(sl *slot) {
	w.leave(sl)
	w.open--
	w.slots.all()[sl.msg.place-w.low] = gap
	*sl = slot{}
	w.spare = append(w.spare, sl)
}

// leave takes a slot out of the list of its state.
func (w *window) leave(sl *slot) {
	switch sl.state {
	case slotAwaiting:
		w.awaiting.remove(sl)
		sl.consumer.inFlight--
	case slotWaiting:
		w.waiting = without(w.waiting, sl)
	case slotExhausted:
		w.exhausted = without(w.exhausted, sl)
	case slotHeld:
		w.held = slices.DeleteFunc(w.held, func(h *slot) bool { return h == sl })
	}
}

// dueRetries returns the slots that are to be sent again by now, in order of place.
func (w *window) dueRetries(now time.Time) []*slot {
	if len(w.waiting) == 0 {
		return nil
	}
	var due []*slot
	for _, sl := range w.waiting {
		if !sl.due.After(now) {
			due = append(due, sl)
		}
	}
	slices.SortFunc(due, func(a, b *slot) int { return int(int64(a.msg.place - b.msg.place)) })
	return due
}

// nextDue returns when the first slot needs attention; zero when none does.
func (w *window) nextDue() time.Time {
	var first time.Time
	if sl := w.awaiting.front; sl != nil {
		first = sl.due
	}
	for _, sl := range w.waiting {
		if first.IsZero() || sl.due.Before(first) {
			first = sl.due
		}
	}
	return first
}

func without(list []*slot, sl *slot) []*slot {
	i := slices.Index(list, sl)
	last := len(list) - 1
	list[i] = list[last]
	list[last] = nil
	return list[:last]
}

// slotList is a list that slots leave from anywhere at no cost.
type slotList struct {
	front, back *slot
	len         int
}

func (l *slotList) push(sl *slot) {
	sl.prev, sl.next = l.back, nil
	if l.back != nil {
		l.back.next = sl
	} else {
		l.front = sl
	}
	l.back = sl
	l.len++
}

func (l *slotList) remove(sl *slot) {
	if sl.prev != nil {
		sl.prev.next = sl.next
	} else {
		l.front = sl.next
	}
	if sl.next != nil {
		sl.next.prev = sl.prev
	} else {
		l.back = sl.prev
	}
	sl.prev, sl.next = nil, nil
	l.len--
}
