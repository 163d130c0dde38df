package danube

import (
	"slices"
	"time"
)

// reorder puts messages into order that a broker sends out of it (seen on 0.15.1).
//
// Right after a stream was opened again the broker sends first what it had prepared for
// the old stream, up to eight messages from the middle of what is unacknowledged, and
// then all of that, ascending. So what lies above the next offset is held until the ones
// below, or its copy, have come.
//
// Where several producers publish at once, it now and then sends a message before the one
// with the offset below. So a message that follows on a gap is held for a moment: without
// that, every such pair would be told as a loss that then was none.
//
// It belongs to the goroutine that reads.
type reorder struct {
	next   uint64 // the offset after the highest that was handed out
	any    bool   // whether one was
	active bool   // what is above next may have to wait
	most   int    // how many may be held
	held   []heldMessage
	// patience is how long the stream may still take to bring what is missing.
	patience time.Duration
}

type heldMessage struct {
	*Message
	here    bool // it came on this stream
	streams int  // on how many it came
}

const (
	// reorderTime is how long a stream may take to bring what is missing.
	reorderTime = 2 * time.Second
	// reorderMax is more than what a broker sends out of order: when so many are held,
	// what is missing is not going to come.
	reorderMax = 16
	// gapTime is how long a message waits for the next, or for those below it, where none is
	// expected to be out of order. What was skipped costs as much each time, and is skipped for consumers
	// that are slow anyway.
	gapTime = 20 * time.Millisecond
	// gapMax is how many are held then: fewer than a broker sends without acks, 10 by
	// default, so that what is skipped seldom costs the whole time.
	gapMax = 3
	// reorderStreams is on how many streams a message comes before it waits no longer:
	// where each ends early, none has the time to bring what is missing.
	reorderStreams = 3
)

// begin notes that a stream was opened; what an earlier one left is still held.
func (r *reorder) begin() {
	r.active, r.most, r.patience = r.any, reorderMax, reorderTime
	for i := range r.held {
		r.held[i].here = false
	}
}

// early reports that a message leaves a gap behind the one before, and lets it wait.
func (r *reorder) early(offset uint64) bool {
	if !r.any || offset <= r.next {
		return false
	}
	r.active, r.most = true, gapMax
	return true
}

// add takes a message that is new and returns what can be handed out now.
func (r *reorder) add(m *Message) []*Message {
	if r.most == gapMax {
		r.patience = gapTime // for each gap
	}
	if m.Offset > r.next {
		i, _ := slices.BinarySearchFunc(r.held, m.Offset, func(h heldMessage, o uint64) int {
			if h.Offset < o {
				return -1
			}
			return 1
		})
		r.held = slices.Insert(r.held, i, heldMessage{m, true, 1})
		if len(r.held) > r.most {
			return r.end()
		}
		return nil
	}
	n := 0
	r.passed(m.Offset)
	for n < len(r.held) && r.held[n].Offset <= r.next {
		r.passed(r.held[n].Offset)
		n++
	}
	out := append([]*Message{m}, r.take(n)...)
	r.active = len(r.held) > 0
	return out
}

// again notes the copy of a message. The second time that it comes on a stream, all
// that is unacknowledged below it has come before it: if it is held, it can be handed
// out, with all that are lower. It can be as well when it comes on one stream too many.
func (r *reorder) again(offset uint64) []*Message {
	i := slices.IndexFunc(r.held, func(m heldMessage) bool { return m.Offset == offset })
	switch {
	case i < 0:
		return nil
	case !r.held[i].here:
		r.held[i].here = true
		if r.held[i].streams++; r.held[i].streams < reorderStreams {
			return nil
		}
	}
	r.passed(offset)
	return r.take(i + 1)
}

// old takes what came on an earlier stream and not on this one: with a numbering that
// starts again, which it does between two streams, it is of the one before.
func (r *reorder) old() (out []*Message) {
	for _, h := range r.held {
		if !h.here {
			out = append(out, h.Message)
		}
	}
	r.held = slices.DeleteFunc(r.held, func(h heldMessage) bool { return !h.here })
	return out
}

// take removes the first n that are held.
func (r *reorder) take(n int) (out []*Message) {
	for _, h := range r.held[:n] {
		out = append(out, h.Message)
	}
	r.held = slices.Delete(r.held, 0, n)
	return out
}

// passed notes that an offset was handed out.
func (r *reorder) passed(offset uint64) {
	if !r.any || offset >= r.next {
		r.next, r.any = offset+1, true
	}
}

// end gives up waiting.
func (r *reorder) end() []*Message {
	out := r.take(len(r.held))
	r.active = false
	if len(out) > 0 {
		r.passed(out[len(out)-1].Offset)
	}
	return out
}
