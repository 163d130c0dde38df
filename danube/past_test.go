package danube

import "testing"

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
		{"an offset in the same slot", 7 + 64, a, pastUnknown},
		{"an empty slot", 8, a, pastUnknown},
		{"offset 0 in an empty slot", 0, identity{}, pastUnknown},
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
	if p.lookup(7, b) != pastSame {
		t.Error("an absurd offset cost a real one")
	}
}

// The newest offsets are remembered and the memory stays bounded, however many
// there were.
func TestPastTableKeepsTheNewest(t *testing.T) {
	var p pastTable
	const n = 3*pastMax + 17
	for o := range uint64(n) {
		p.add(o, identity{o, o})
	}
	if len(p.slots) != pastMax {
		t.Errorf("%d slots, want %d", len(p.slots), pastMax)
	}
	for o := uint64(n - pastMax); o < n; o++ {
		if p.lookup(o, identity{o, o}) != pastSame {
			t.Fatalf("offset %d of %d is forgotten", o, n)
		}
	}
	if p.lookup(n-pastMax-1, identity{n - pastMax - 1, n - pastMax - 1}) != pastUnknown {
		t.Error("an offset that has no slot any more is remembered")
	}
}

// A partition that saw few messages has a small table, wherever its offsets are.
func TestPastTableGrowsWithUse(t *testing.T) {
	var p pastTable
	for o := range uint64(64) {
		p.add(1<<40+o, identity{o, o})
	}
	if len(p.slots) != 64 {
		t.Errorf("%d slots for 64 offsets in a row", len(p.slots))
	}
	p.add(1<<40+64, identity{})
	if len(p.slots) != 128 || p.lookup(1<<40, identity{}) != pastSame {
		t.Errorf("growth to %d slots lost an offset", len(p.slots))
	}
}
