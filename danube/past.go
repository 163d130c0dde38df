package danube

// pastMax is how many of the newest settled messages are remembered: what a broker
// redelivers after it lost the last ten seconds of acks, at thirteen thousand a
// second. It must be a power of two.
const pastMax = 131072

type pastVerdict int

const (
	pastUnknown pastVerdict = iota
	pastSame
	pastOther
)

// pastTable remembers the identity of the newest acknowledged offsets. A slot is
// found by the offset's low bits, so that nothing has to be deleted; the table
// grows with use.
type pastTable struct {
	slots []pastSlot
}

type pastSlot struct {
	next uint64 // offset + 1; 0 is an empty slot, so the very last offset has none
	id   identity
}

func (p *pastTable) lookup(offset uint64, id identity) pastVerdict {
	if len(p.slots) == 0 || offset+1 == 0 {
		return pastUnknown
	}
	s := p.slots[offset&uint64(len(p.slots)-1)]
	switch {
	case s.next != offset+1:
		return pastUnknown
	case s.id != id:
		return pastOther
	}
	return pastSame
}

func (p *pastTable) add(offset uint64, id identity) {
	if offset+1 == 0 {
		return
	}
	if len(p.slots) == 0 {
		p.slots = make([]pastSlot, 64)
	}
	s := &p.slots[offset&uint64(len(p.slots)-1)]
	for s.next != 0 && s.next != offset+1 && len(p.slots) < pastMax {
		p.grow()
		s = &p.slots[offset&uint64(len(p.slots)-1)]
	}
	*s = pastSlot{offset + 1, id}
}

func (p *pastTable) grow() {
	old := p.slots
	p.slots = make([]pastSlot, 2*len(old))
	for _, s := range old {
		if s.next != 0 {
			p.slots[(s.next-1)&uint64(len(p.slots)-1)] = s
		}
	}
}

// clear forgets everything and keeps the memory while it is little.
func (p *pastTable) clear() {
	if len(p.slots) > 64 {
		p.slots = nil
		return
	}
	clear(p.slots)
}
