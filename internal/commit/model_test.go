package commit

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// model is the slow and obvious form of a Tracker.
type model struct {
	emitted []*Flight[offset]
	state   map[*Flight[offset]]string // settled, dropped, failed, taken
}

// take returns what may be committed: of each source partition the longest prefix
// of settled flights that has nothing unsettled without an offset before it, and
// does not end within records of one offset.
func (m *model) take(partition string) (want []offset) {
	var mine []*Flight[offset]
	open := false // something before is not settled
	n := 0        // of mine may be taken
	for _, f := range m.emitted {
		unsettled := m.state[f] == "" || m.state[f] == "failed"
		if f.Offset == (offset{}) {
			open = open || unsettled
			continue
		}
		if f.Offset.p != partition || m.state[f] == "taken" {
			continue
		}
		open = open || unsettled
		mine = append(mine, f)
		if !open {
			n = len(mine)
		}
	}
	for n > 0 && n < len(mine) && mine[n-1].Offset == mine[n].Offset {
		n--
	}
	for _, f := range mine[:n] {
		if m.state[f] == "settled" && (len(want) == 0 || want[len(want)-1] != f.Offset) {
			want = append(want, f.Offset)
		}
		m.state[f] = "taken"
	}
	return want
}

func TestAgainstTheModel(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		tr := newTester(t, 0)
		m := model{state: make(map[*Flight[offset]]string)}
		partitions := []string{"", "a", "b"}
		value := 0
		var open []*Flight[offset]
		for step := range 400 {
			switch what := r.IntN(10); {
			case what < 4:
				if r.IntN(3) > 0 {
					value++
				}
				o := offset{partitions[r.IntN(len(partitions))], value}
				if r.IntN(20) == 0 {
					o = offset{}
				}
				f := tr.add(o.p, o.v)
				m.emitted = append(m.emitted, f)
				open = append(open, f)
			case what < 9 && len(open) > 0:
				i := r.IntN(min(len(open), 5))
				f := open[i]
				open = slices.Delete(open, i, i+1)
				switch r.IntN(60) {
				case 0:
					m.state[f] = "failed"
					tr.Fail(f)
				case 1, 2:
					m.state[f] = "dropped"
					tr.Drop(f.Offset.p, f)
				default:
					m.state[f] = "settled"
					tr.settle(f)
				}
			default:
				got, _ := tr.Take()
				for _, p := range partitions {
					want := m.take(p)
					var mine []offset
					for _, o := range got {
						if o.p == p {
							mine = append(mine, o)
						}
					}
					if !slices.Equal(mine, want) {
						t.Fatalf("seed %d, step %d, partition %q: taken %v, want %v", seed, step, p, mine, want)
					}
				}
			}
		}
	}
}

// Records are settled on the goroutines of many topic partitions.
func TestConcurrentUse(t *testing.T) {
	tr := New[offset](0, 0)
	const each = 2000
	last := make(map[string]int)
	var wg sync.WaitGroup
	for p := range 4 {
		name := fmt.Sprint("p", p)
		last[name] = 0
		flights := make(chan *Flight[offset], 64)
		wg.Go(func() {
			defer close(flights)
			for i := range each {
				f := &Flight[offset]{Offset: offset{name, i + 1}}
				tr.Add(name, f)
				flights <- f
			}
		})
		for range 3 {
			wg.Go(func() {
				for f := range flights {
					tr.Settle(name, f)
				}
			})
		}
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	take := func() {
		offsets, _ := tr.Take()
		for _, o := range offsets {
			if o.v != last[o.p]+1 {
				t.Errorf("%v follows %d", o, last[o.p])
			}
			last[o.p] = o.v
		}
	}
	for ended := false; !ended; {
		select {
		case <-tr.Ready():
		case <-done:
			ended = true
		}
		take()
	}
	for p, n := range last {
		if n != each {
			t.Errorf("%s ended at %d", p, n)
		}
	}
	if n := tr.Pending(); n != 0 {
		t.Errorf("%d pending", n)
	}
}
