package danube

// What is remembered of the messages that were settled: chunks of consecutive offsets, a
// quarter of a million of them, the newest. A broker sends again what it got within ten
// seconds before it lost its acks, and after a move everything behind the first message
// that it had skipped. What is older than that is handed out again.
const (
	pastChunk  = 256
	pastChunks = 1024 // a power of two; 1 MiB, when all are full
	pastLate   = 512
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
// out that is newer. The lower goes to a smaller table, where the one that came last has
// the place: it may be of a numbering that has started again unnoticed. Both grow with
// use.
type pastTable struct {
	chunks pastChunksOf
	late   pastChunksOf
}

type pastChunksOf []*pastOffsets

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
	if v := p.chunks.lookup(offset, id); v != pastUnknown {
		return v
	}
	return p.late.lookup(offset, id)
}

func (t pastChunksOf) lookup(offset uint64, id identity) pastVerdict {
	if len(t) == 0 {
		return pastUnknown
	}
	number := offset / pastChunk
	c := t[number&uint64(len(t)-1)]
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
	number := offset / pastChunk
	at := p.chunks.place(number, pastChunks)
	if *at != nil && (*at).number > number {
		at = p.late.place(number, pastLate)
	}
	if *at == nil {
		*at = new(pastOffsets)
	}
	if c := *at; c.number != number {
		*c = pastOffsets{number: number}
	}
	(*at).prints[offset%pastChunk] = id.print()
}

// place returns where a chunk belongs, in a table that has grown until it is free, or to
// its most.
func (t *pastChunksOf) place(number uint64, most int) **pastOffsets {
	if len(*t) == 0 {
		*t = make(pastChunksOf, 1)
	}
	for {
		at := &(*t)[number&uint64(len(*t)-1)]
		if *at == nil || (*at).number == number || len(*t) >= most {
			return at
		}
		old := *t
		*t = make(pastChunksOf, 2*len(old))
		for _, c := range old {
			if c != nil {
				(*t)[c.number&uint64(len(*t)-1)] = c
			}
		}
	}
}

// clear forgets everything and keeps the memory while it is little: where messages are
// not numbered, each one makes the table forget the one before.
func (p *pastTable) clear() {
	p.late = nil
	if len(p.chunks) == 1 {
		*p.chunks[0] = pastOffsets{number: p.chunks[0].number}
		return
	}
	p.chunks = nil
}
