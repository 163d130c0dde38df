package danube

// What is remembered of the messages that were settled: chunks of consecutive offsets,
// the newest million of them. A broker sends again what it got within ten seconds before
// it lost its acks, and after a move everything behind the first message that it had
// skipped, which may be long ago.
const (
	pastChunk  = 256
	pastChunks = 4096 // a power of two; 4 MiB, when all are full
)

type pastVerdict int

const (
	pastUnknown pastVerdict = iota
	pastSame
	pastOther
)

// pastTable remembers which offsets are acknowledged, each with a fingerprint of the
// message that was there: without one, the first messages of a numbering that starts
// again would count as settled, and be lost. A chunk is found by its number's low bits.
// The higher of two chunks that want one place has it: what comes again pushes nothing
// out that is newer. The table grows with use.
type pastTable struct {
	chunks []*pastOffsets
}

type pastOffsets struct {
	number uint64 // offset / pastChunk
	prints [pastChunk]uint32
}

// print is never 0, which is an offset that is not settled.
func (id identity) print() uint32 {
	h := (id.origin + id.request) ^ id.origin>>29
	return uint32(h*0xbf58476d1ce4e5b9>>32) | 1
}

func (p *pastTable) lookup(offset uint64, id identity) pastVerdict {
	if len(p.chunks) == 0 {
		return pastUnknown
	}
	number := offset / pastChunk
	c := p.chunks[number&uint64(len(p.chunks)-1)]
	if c == nil || c.number != number {
		return pastUnknown
	}
	switch c.prints[offset%pastChunk] {
	case 0:
		return pastUnknown
	case id.print():
		return pastSame
	}
	return pastOther
}

func (p *pastTable) add(offset uint64, id identity) {
	if offset+1 == 0 {
		return // absurd; its chunk would keep its place for ever
	}
	if len(p.chunks) == 0 {
		p.chunks = make([]*pastOffsets, 1)
	}
	number := offset / pastChunk
	at := &p.chunks[number&uint64(len(p.chunks)-1)]
	for *at != nil && (*at).number != number && len(p.chunks) < pastChunks {
		p.grow()
		at = &p.chunks[number&uint64(len(p.chunks)-1)]
	}
	switch c := *at; {
	case c == nil:
		*at = &pastOffsets{number: number}
	case c.number > number:
		return
	case c.number < number:
		*c = pastOffsets{number: number}
	}
	(*at).prints[offset%pastChunk] = id.print()
}

func (p *pastTable) grow() {
	old := p.chunks
	p.chunks = make([]*pastOffsets, 2*len(old))
	for _, c := range old {
		if c != nil {
			p.chunks[c.number&uint64(len(p.chunks)-1)] = c
		}
	}
}

// clear forgets everything and keeps the memory while it is little: where messages are
// not numbered, each one makes the table forget the one before.
func (p *pastTable) clear() {
	if len(p.chunks) == 1 {
		*p.chunks[0] = pastOffsets{number: p.chunks[0].number}
		return
	}
	p.chunks = nil
}
