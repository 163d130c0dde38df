package danube

import (
	"hash/maphash"
	"slices"
	"time"
)

// identity tells two messages at one offset apart: numbering starts again when a
// broker restarts.
type identity struct {
	origin  uint64 // of producer name and publish time
	request uint64
}

var identitySeed = maphash.MakeSeed()

func identityOf(producer string, publishedMs, request uint64) identity {
	return identity{maphash.String(identitySeed, producer) ^ publishedMs*identitySpread, request}
}

const identitySpread = 0x9e3779b97f4a7c15

// producer is one number for each producer.
func (id identity) producer(publishedMs uint64) uint64 { return id.origin ^ publishedMs*identitySpread }

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
	offset  uint64
	id      identity
	session uint32 // in which it came last
	state   ackState
	again   bool  // a copy came while the ack was out: that ack may not have counted
	age     uint8 // ticks since it was nacked
	back    bool  // the application had it, and has handed it back
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
	entries []entry // ascending by offset, the first never done; the tail of base
	base    []entry // the memory behind entries, to use it again
	open    int     // entries that are not done
	acking  int     // acks out
	ready   offsets // entries in state settled
	past    pastTable

	session  uint32
	highest  uint64 // highest offset received in this session
	numbered bool   // an offset other than 0 was seen
	flat     bool   // several messages were at offset 0 and none elsewhere
	closing  bool   // what is new is for the next consumer
	summit   summit // where messages come in order
}

// begin notes that a new session starts. The broker sends again what it has no ack
// of. Until it has, nobody knows how far it got: an ack above what came so far may
// be that of its highest.
func (t *tracker) begin() {
	t.session++
	t.highest = 0
	for i := range t.entries {
		t.entries[i].age = nackTicks - 1 // a nacked one comes at once now
	}
}

// tickEvery is the time between two ticks, nackTicks how many of them a nacked
// message may stay away. The broker brings it within a minute, unless its policy has
// dropped it, or its topic has begun anew.
const (
	tickEvery = 30 * time.Second
	nackTicks = 5
)

// tick gives up nacked messages that did not come again: the ack of the highest
// offset would wait for them for ever. One that comes after all is new.
func (t *tracker) tick() {
	n := len(t.entries)
	t.entries = slices.DeleteFunc(t.entries, func(e entry) bool { return e.state == nacked && e.age >= nackTicks })
	t.open -= n - len(t.entries)
	for i := range t.entries {
		t.entries[i].age++
	}
	t.trim()
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
	if found {
		if t.entries[i].id != id {
			return t.restart(offset, id, t.entries[i].session)
		}
		return t.copyOf(&t.entries[i])
	}
	switch t.past.lookup(offset, id) {
	case pastOther:
		return t.restart(offset, id, t.session-1)
	case pastSame:
		t.insert(i, offset, id, settled)
		t.ready.push(offset)
		return repeated
	}
	return t.fresh(i, offset, id)
}

// copyOf takes note of a message that is known.
func (t *tracker) copyOf(e *entry) arrival {
	e.session = t.session
	t.highest = max(t.highest, e.offset)
	switch e.state {
	case nacked:
		if !t.closing {
			e.state, e.back = inWork, true
			return fresh
		}
	case acking:
		e.again = true
	case done:
		e.state = settled
		t.open++
		t.ready.push(e.offset)
	}
	return repeated
}

func (t *tracker) fresh(i int, offset uint64, id identity) arrival {
	if t.closing {
		t.highest = max(t.highest, offset)
		return repeated
	}
	t.insert(i, offset, id, inWork)
	return fresh
}

func (t *tracker) insert(i int, offset uint64, id identity, state ackState) {
	if len(t.entries) == cap(t.entries) && len(t.entries) < cap(t.base)/2 {
		t.entries = append(t.base[:0], t.entries...)
	}
	grows := len(t.entries) == cap(t.entries)
	t.entries = slices.Insert(t.entries, i, entry{offset: offset, id: id, session: t.session, state: state})
	if grows {
		t.base = t.entries
	}
	t.open++
	t.highest = max(t.highest, offset)
	if offset > 0 {
		t.numbered, t.flat = true, false
	}
}

// restart begins a new epoch with its first message that can be told: another one
// was at its offset, in the session given. A broker restarts between two sessions,
// so what came after that belongs to the new epoch already. What is in work from the
// old one can no longer be acknowledged: its offsets belong to other messages now.
func (t *tracker) restart(offset uint64, id identity, old uint32) arrival {
	if offset == 0 && !t.numbered {
		t.flat = true // a topic that is not reliable numbers nothing
	}
	how := renumber
	if t.flat {
		how = fresh
	}
	if old == t.session {
		t.session++
		t.highest = 0
	}
	kept := t.base[:0]
	t.open, t.acking, t.ready = 0, 0, t.ready[:0]
	for _, e := range t.entries {
		if e.session != t.session || e.state == done {
			continue
		}
		kept = append(kept, e)
		t.open++
		switch e.state {
		case settled:
			t.ready.push(e.offset)
		case acking:
			t.acking++
		}
	}
	t.entries = kept
	t.past.clear()
	i, _ := t.find(offset)
	if t.fresh(i, offset, id) == repeated {
		return repeated
	}
	return how
}
