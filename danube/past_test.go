package danube

import (
	"math/rand/v2"
	"testing"
)

func TestPastTable(t *testing.T) {
	var p pastTable
	a, b := identity{1, 1}, identity{2, 2}
	if got := p.lookup(7, a); got != pastUnknown {
		t.Errorf("empty: got %v", got)
	}
	p.add(7, a)
	for _, tt := range []struct {
		name   string
		offset uint64
		id     identity
		want   pastVerdict
	}{
		{"the same", 7, a, pastSame},
		{"another at the offset", 7, b, pastOther},
		{"an offset in the same place of another chunk", 7 + pastChunk, a, pastUnknown},
		{"an empty place", 8, a, pastUnknown},
		{"offset 0 in an empty place", 0, identity{}, pastUnknown},
		{"the largest offset", ^uint64(0), a, pastUnknown},
	} {
		if got := p.lookup(tt.offset, tt.id); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	p.add(7, b)
	if p.lookup(7, b) != pastSame || p.lookup(7, a) != pastOther {
		t.Error("the newer of two at one offset does not count")
	}
	p.add(^uint64(0), a) // absurd, and must do no harm
	if p.lookup(7, b) != pastSame || len(p.chunks) != 1 {
		t.Error("an absurd offset cost something")
	}
	p.clear()
	if p.lookup(7, b) != pastUnknown || p.lookup(^uint64(0), a) != pastUnknown {
		t.Error("something is remembered after clear")
	}
}

// The newest are remembered and the memory stays bounded, however many there
// were; and what comes again from long ago pushes nothing out.
func TestPastTableKeepsTheNewest(t *testing.T) {
	var p pastTable
	const kept = pastChunk * pastChunks
	const n = 3*kept + 17
	for o := range uint64(n) {
		p.add(o, identity{o, o})
	}
	if len(p.chunks) != pastChunks {
		t.Errorf("%d chunks, want %d", len(p.chunks), pastChunks)
	}
	for o := range uint64(n - kept) {
		p.add(o, identity{o, o}) // settled once more
	}
	if len(p.late) != pastLate {
		t.Errorf("%d chunks for what comes again, want %d", len(p.late), pastLate)
	}
	for o := uint64(n - kept + pastChunk); o < n; o++ {
		if p.lookup(o, identity{o, o}) != pastSame {
			t.Fatalf("offset %d of %d is forgotten", o, n)
		}
	}
	if p.lookup(5, identity{5, 5}) != pastUnknown {
		t.Error("an offset that has no place any more is remembered")
	}
}

// A numbering that starts again far below, unnoticed: what is settled of it is remembered.
func TestPastTableBelowAllOthers(t *testing.T) {
	var p pastTable
	const kept = pastChunk * pastChunks
	for o := range uint64(2 * kept) {
		p.add(o, identity{1, o})
	}
	for o := range uint64(pastChunk * pastLate) {
		if p.lookup(o, identity{2, o}) != pastUnknown {
			t.Fatalf("offset %d of the new numbering is known", o)
		}
		p.add(o, identity{2, o})
	}
	for o := range uint64(pastChunk * pastLate) {
		if p.lookup(o, identity{2, o}) != pastSame {
			t.Fatalf("offset %d of the new numbering is forgotten", o)
		}
	}
}

// A partition that saw few messages has a small table, wherever its offsets are.
func TestPastTableGrowsWithUse(t *testing.T) {
	var p pastTable
	for o := range uint64(pastChunk) {
		p.add(1<<40+o, identity{o, o})
	}
	if len(p.chunks) != 1 {
		t.Errorf("%d chunks for %d offsets in a row", len(p.chunks), pastChunk)
	}
	first := p.chunks[0]
	p.clear()
	p.add(1<<40, identity{})
	if p.chunks[0] != first {
		t.Error("clear gave the memory of one chunk away")
	}
	p.add(1<<40+pastChunk, identity{})
	if len(p.chunks) != 2 || p.lookup(1<<40, identity{}) != pastSame {
		t.Errorf("growth to %d chunks lost an offset", len(p.chunks))
	}
}

// Messages that differ in anything have another fingerprint, above all those that follow
// each other or are of two lives of one broker.
func TestPrintsDiffer(t *testing.T) {
	seen := map[uint32]identity{}
	equal := 0
	add := func(id identity) {
		if _, ok := seen[id.print()]; ok {
			equal++
		}
		seen[id.print()] = id
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	const ms, request = 1_790_000_000_000, 1_790_000_000 << 32
	for i := range uint64(50_000) {
		add(identityOf("p", ms+i, request+i))
		add(identityOf("p", ms, request+1<<20+i))
		add(identityOf("p", ms+1<<30+i, 7))
		add(identityOf("q", ms+i, request+i))
		add(identity{rnd.Uint64(), rnd.Uint64()})
	}
	if equal > 60 { // of 250,000 with 31 bits, 15 by chance
		t.Errorf("%d of %d are like another", equal, 250_000)
	}
}
