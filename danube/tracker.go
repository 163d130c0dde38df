package danube

import (
	"hash/maphash"
	"slices"
)

// identity tells two messages at one offset apart: numbering starts again when a
// broker restarts.
type identity struct {
	origin  uint64 // of producer name and publish time
	request uint64
}

var identitySeed = maphash.MakeSeed()

func identityOf(producer string, publishedMs, request uint64) identity {
	return identity{maphash.String(identitySeed, producer) ^ publishedMs*0x9e3779b97f4a7c15, request}
}

// What the tracker says of a message that came in.
type arrival int

const (
	fresh    arrival = iota // hand it to the application
	repeated                // the application has it, or had it: hand it to nobody
	renumber                // fresh, and the topic's numbering has started again
)

type ackState uint8

const (
	inWork  ackState = iota // with the application
	settled                 // acknowledged by the application, ack not out
	acking                  // ack out, no answer yet
	nacked                  // handed back to the broker: it comes again
	done                    // ack answered; kept until the entries before it are, too
)

type entry struct {
	offset uint64
	id     identity
	state  ackState
	again  bool // a copy came while the ack was out: that ack may not have counted
}

// tracker knows what became of every message of one partition that this consumer
// received, and decides which ack may go out. It is not safe for concurrent use.
//
// Two facts of the broker make it necessary. An ack counts only while the broker
// waits for it: between a disconnect and the redelivery it is answered OK and
// ignored, so what comes again although it was acknowledged must be acknowledged
// again. And a dispatcher whose highest delivered offset was acknowledged while a
// lower one was not stops serving acks, nacks and timeouts until the next publish:
// so the ack of the highest offset received waits for all the lower ones.
type tracker struct {
	entries []entry  // ascending by offset; the tail of base
	base    []entry  // the memory behind entries, to use it again
	open    int      // entries that are not done
	ready   []uint64 // offsets in state settled, oldest first
	head    int      // of ready
	acking  int      // acks out
	highest uint64   // highest offset received
	any     bool     // whether anything was
	past    pastTable
}

func (t *tracker) find(offset uint64) (int, bool) {
	if n := len(t.entries); n == 0 || t.entries[n-1].offset < offset {
		return n, false
	}
	return slices.BinarySearchFunc(t.entries, offset, func(e entry, o uint64) int {
		switch {
		case e.offset < o:
			return -1
		case e.offset > o:
			return 1
		}
		return 0
	})
}

// received takes note of a message that came in.
func (t *tracker) received(offset uint64, id identity) arrival {
	i, found := t.find(offset)
	if found && t.entries[i].state != done {
		e := &t.entries[i]
		if e.id != id {
			return t.restart(offset, id)
		}
		switch e.state {
		case nacked:
			e.state = inWork
			return fresh
		case acking:
			e.again = true
		}
		return repeated
	}
	switch t.past.lookup(offset, id) {
	case pastOther:
		return t.restart(offset, id)
	case pastSame:
		t.insert(i, found, entry{offset: offset, id: id, state: settled})
		t.ready = append(t.ready, offset)
		return repeated
	}
	t.insert(i, found, entry{offset: offset, id: id})
	return fresh
}

func (t *tracker) insert(i int, found bool, e entry) {
	if found {
		t.entries[i] = e // it was done
	} else {
		if len(t.entries) == cap(t.entries) && len(t.entries) < cap(t.base)/2 {
			t.entries = append(t.base[:0], t.entries...)
		}
		grows := len(t.entries) == cap(t.entries)
		t.entries = slices.Insert(t.entries, i, e)
		if grows {
			t.base = t.entries
		}
	}
	t.open++
	t.saw(e.offset)
}

// saw takes note of a message that the broker delivered and that is not tracked.
func (t *tracker) saw(offset uint64) {
	if !t.any || offset > t.highest {
		t.highest, t.any = offset, true
	}
}

// restart begins a new epoch with its first message. What is in work from the old
// one can no longer be acknowledged: its offsets belong to other messages now.
func (t *tracker) restart(offset uint64, id identity) arrival {
	quiet := offset == 0 && t.highest == 0 // a topic that is not reliable numbers nothing
	*t = tracker{entries: t.base[:0], base: t.base, ready: t.ready[:0]}
	t.insert(0, false, entry{offset: offset, id: id})
	if quiet {
		return fresh
	}
	return renumber
}

// settle notes that the application is done with a message, one way or the other;
// false means that the message is unknown, from an older epoch, or settled before.
func (t *tracker) settle(offset uint64, id identity, to ackState) bool {
	i, found := t.find(offset)
	if !found || t.entries[i].id != id || t.entries[i].state != inWork {
		return false
	}
	t.entries[i].state = to
	if to == settled {
		t.ready = append(t.ready, offset)
	}
	return true
}

// next returns an ack that may go out now.
func (t *tracker) next() (offset uint64, id identity, ok bool) {
	for tries := len(t.ready) - t.head; tries > 0; tries-- {
		offset = t.ready[t.head]
		t.head++
		if t.head == len(t.ready) {
			t.ready, t.head = t.ready[:0], 0
		} else if t.head > 1024 && t.head > len(t.ready)/2 {
			t.ready, t.head = append(t.ready[:0], t.ready[t.head:]...), 0
		}
		i, found := t.find(offset)
		if !found || t.entries[i].state != settled {
			continue
		}
		if offset == t.highest && t.open > 1 {
			t.ready = append(t.ready, offset) // its turn comes when the lower ones are answered
			continue
		}
		t.entries[i].state = acking
		t.acking++
		return offset, t.entries[i].id, true
	}
	return 0, identity{}, false
}

// answered notes the end of an ack.
func (t *tracker) answered(offset uint64, id identity, ok bool) {
	i, found := t.find(offset)
	if !found || t.entries[i].id != id || t.entries[i].state != acking {
		return // of an older epoch
	}
	t.acking--
	e := &t.entries[i]
	if !ok || e.again {
		e.state, e.again = settled, false
		t.ready = append(t.ready, offset)
		return
	}
	e.state = done
	t.open--
	t.past.add(offset, id)
	t.trim()
}

// trim drops entries that are done: the oldest, and all when they are the most.
func (t *tracker) trim() {
	n := 0
	for n < len(t.entries) && t.entries[n].state == done {
		n++
	}
	t.entries = t.entries[n:]
	if len(t.entries) == 0 {
		t.entries = t.base[:0]
	} else if len(t.entries) > 64 && t.open < len(t.entries)/2 {
		t.entries = slices.DeleteFunc(t.entries, func(e entry) bool { return e.state == done })
	}
}

// flushed reports that no ack is out and none can go out.
func (t *tracker) flushed() bool {
	if t.acking > 0 {
		return false
	}
	for _, offset := range t.ready[t.head:] {
		if offset != t.highest || t.open <= 1 {
			return false
		}
	}
	return true
}
