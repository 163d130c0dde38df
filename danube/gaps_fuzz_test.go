package danube

import (
	"encoding/binary"
	"slices"
	"testing"
)

// offsetsFrom makes offsets of any bytes: small ones, and those at the end of what there
// is, where sums overflow.
func offsetsFrom(b []byte) (list []uint64) {
	for len(b) >= 2 {
		kind, n := b[0], uint64(b[1])
		b = b[2:]
		switch {
		case kind < 128:
			list = append(list, n)
		case kind < 192:
			list = append(list, ^n)
		case kind < 224:
			list = append(list, 1<<63-128+n)
		default:
			var wide [8]byte
			b = b[copy(wide[:], b):]
			list = append(list, binary.LittleEndian.Uint64(wide[:]))
		}
	}
	return list
}

// Whatever offsets a broker gives: no offset is missing that came, each hole is told of
// once, and the memory of them is in order.
func FuzzGaps(f *testing.F) {
	f.Add([]byte{0, 5, 0, 9, 0, 7, 0, 6, 0, 8, 0, 5})
	f.Add([]byte{0, 5, 128, 0, 0, 6, 0, 9})
	f.Add([]byte{128, 0, 0, 5, 0, 7})
	f.Add([]byte{0, 0, 128, 1, 128, 0, 0, 0, 192, 128})
	f.Fuzz(func(t *testing.T, b []byte) {
		var g gaps
		came := map[uint64]bool{}
		reported := map[uint64]int{} // of those that come
		all := map[uint64]bool{}
		for _, o := range offsetsFrom(b) {
			all[o] = true
		}
		for _, o := range offsetsFrom(b) {
			filled := g.got(o)
			if filled && (came[o] || reported[o] == 0) {
				t.Errorf("%d filled a hole, and came %v, reported %d times", o, came[o], reported[o])
			}
			came[o] = true
			for _, h := range g.report() {
				for c := range came {
					if h.from > h.to || h.from <= c && c <= h.to {
						t.Errorf("%d to %d are missing, and %d came", h.from, h.to, c)
					}
				}
				for o := range all {
					if h.from <= o && o <= h.to {
						reported[o]++
					}
				}
			}
			for i, h := range g.holes {
				if h.from > h.to || h.from < g.floor || h.to >= g.next || i > 0 && g.holes[i-1].to >= h.from {
					t.Fatalf("holes %v from %d up to %d", g.holes, g.floor, g.next)
				}
			}
			bases := g.lagBases()
			if (len(bases) == 0) != (len(g.holes) == 0) || !slices.IsSorted(bases) || len(bases) > 0 && bases[0] != g.holes[0].from {
				t.Fatalf("a broker counts from one of %v; holes %v", bases, g.holes)
			}
			for _, base := range bases {
				if base != noHole && !slices.ContainsFunc(g.holes, func(h hole) bool { return h.from == base }) {
					t.Errorf("a broker counts from %d, which is not where one of %v begins", base, g.holes)
				}
			}
		}
		for o, n := range reported {
			if n > 1 {
				t.Errorf("%d was reported missing %d times", o, n)
			}
		}
	})
}
