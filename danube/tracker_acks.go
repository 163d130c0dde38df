package danube

import "slices"

// settle notes that the application is done with a message, one way or the other;
// false means that the message is unknown, from an older epoch, or settled before.
func (t *tracker) settle(offset uint64, id identity, to ackState) bool {
	i, found := t.find(offset)
	if !found || t.entries[i].id != id || t.entries[i].state != inWork {
		// Where all messages are at one offset, the newest ack is as good as each.
		return t.flat && offset == 0
	}
	t.entries[i].state, t.entries[i].age = to, 0
	if to == settled {
		t.ready.push(offset)
	}
	return true
}

// held reports that the ack of an offset must wait: it may be that of the highest
// offset that the broker has sent, and a lower one is not answered.
func (t *tracker) held(offset uint64) bool {
	return offset >= t.highest && t.entries[0].offset < offset
}

// busy reports that the application has messages that it did not settle.
func (t *tracker) busy() bool {
	return slices.ContainsFunc(t.entries, func(e entry) bool { return e.state == inWork })
}

// next returns an ack that may go out now, the lowest. When that one is held, so are
// all others.
func (t *tracker) next() (offset uint64, id identity, ok bool) {
	if len(t.ready) == 0 || t.held(t.ready[0]) {
		return 0, identity{}, false
	}
	offset = t.ready.pop()
	i, _ := t.find(offset)
	t.entries[i].state = acking
	t.acking++
	return offset, t.entries[i].id, true
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
		t.ready.push(offset)
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
	return t.acking == 0 && (len(t.ready) == 0 || t.held(t.ready[0]))
}
