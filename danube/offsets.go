package danube

// offsets is a heap: the lowest comes first. Mostly they come in order, and then
// neither push nor pop moves much.
type offsets []uint64

func (h *offsets) push(o uint64) {
	*h = append(*h, o)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up] <= s[i] {
			return
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
}

func (h *offsets) pop() uint64 {
	s := *h
	lowest := s[0]
	n := len(s) - 1
	s[0] = s[n]
	s = s[:n]
	*h = s
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < n; child++ {
			if s[child] < s[least] {
				least = child
			}
		}
		if least == i {
			return lowest
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
}
