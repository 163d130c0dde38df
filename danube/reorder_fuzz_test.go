package danube

import "testing"

// Whatever comes in whatever order: each message is handed out once, and few are held.
func FuzzReorder(f *testing.F) {
	f.Add([]byte{0, 0}, []byte{0, 3, 0, 4, 0, 1, 0, 2})
	f.Add([]byte{0, 5, 128, 0}, []byte{0, 2, 128, 1, 0, 3, 0, 6})
	f.Add([]byte{}, []byte{0, 9, 0, 7})
	f.Add([]byte{128, 1}, []byte{128, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, first, then []byte) {
		var r reorder
		for _, o := range offsetsFrom(first) {
			r.passed(o)
		}
		out := map[uint64]int{}
		note := func(list []*Message) {
			for i, m := range list {
				if out[m.Offset]++; i > 1 && list[i-1].Offset > m.Offset {
					t.Errorf("%d before %d", list[i-1].Offset, m.Offset)
				}
			}
		}
		r.begin()
		in := map[uint64]bool{}
		for _, o := range offsetsFrom(then) {
			switch {
			case in[o]:
				note(r.again(o))
			case r.active, r.early(o):
				note(r.add(&Message{Offset: o}))
			default:
				r.passed(o)
				out[o]++
			}
			in[o] = true
			if len(r.held) > reorderMax || len(r.held) > 0 && !r.active {
				t.Fatalf("%d are held, active %v", len(r.held), r.active)
			}
		}
		note(r.end())
		for o := range in {
			if out[o] != 1 {
				t.Errorf("%d was handed out %d times", o, out[o])
			}
		}
	})
}
