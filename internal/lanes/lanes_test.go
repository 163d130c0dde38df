package lanes

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

type item struct {
	key  string
	n    int
	size int
	at   time.Time
}

func one(item) int { return 1 }

// newLane returns a lane whose Process handles items one by one.
func newLane(t *testing.T, cfg Config[item], each func(item) Outcome) *Lane[item] {
	t.Helper()
	if cfg.Size == nil {
		cfg.Size = one
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 1 << 30
	}
	cfg.Since = func(it item) time.Time { return it.at }
	if cfg.BatchMax == 0 {
		cfg.BatchMax = 1
	}
	if cfg.Process == nil {
		cfg.Process = func(_ *Worker, items []item, out []Outcome) {
			for i, it := range items {
				out[i] = each(it)
			}
		}
	}
	l := New(cfg)
	t.Cleanup(func() {
		l.Stop()
		l.Wait()
	})
	return l
}

func TestARetryHoldsUpItsOwnKeyOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		tries := 0
		start := time.Now()
		l := newLane(t, Config[item]{Workers: 1}, func(it item) Outcome {
			got = append(got, fmt.Sprintf("%s%d@%v", it.key, it.n, time.Since(start)))
			if it.key == "a" && it.n == 0 && tries < 2 {
				tries++
				return Outcome{Again: true, After: time.Second}
			}
			return Outcome{}
		})
		for n := range 2 {
			for _, key := range []string{"a", "b"} {
				l.Push(key, item{key: key, n: n})
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []string{"a0@0s", "b0@0s", "b1@0s", "a0@1s", "a0@2s", "a1@2s"}
		if !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		if l.Len() != 0 || l.Keys() != 0 {
			t.Errorf("%d items and %d keys are left", l.Len(), l.Keys())
		}
	})
}

func TestWorkersShareKeysAndNeverOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		busy := map[string]bool{}
		most := 0
		l := newLane(t, Config[item]{Workers: 16}, func(it item) Outcome {
			mu.Lock()
			if busy[it.key] {
				t.Errorf("two workers have key %s", it.key)
			}
			busy[it.key] = true
			most = max(most, len(busy))
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			delete(busy, it.key)
			mu.Unlock()
			return Outcome{}
		})
		start := time.Now()
		for n := range 160 {
			l.Push(fmt.Sprint(n%40), item{key: fmt.Sprint(n % 40), n: n})
		}
		for l.Len() > 0 {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(start); took > 110*time.Millisecond || most != 16 {
			t.Errorf("160 items of 10 ms took %v with at most %d at once, want about 100 ms and 16", took, most)
		}
	})
}

func TestBatchesCloseByEachLimit(t *testing.T) {
	for _, c := range []struct {
		name   string
		cfg    Config[item]
		pushes []time.Duration // waits before each push
		want   []string        // sizes and times of batches
	}{
		{"count", Config[item]{BatchMax: 3}, make([]time.Duration, 7), []string{"3@0s", "3@0s", "1@2ms"}},
		{"bytes", Config[item]{BatchMax: 100, BatchBytes: 25}, make([]time.Duration, 6), []string{"2@0s", "2@0s", "2@2ms"}},
		{"quiet", Config[item]{BatchMax: 100}, []time.Duration{0, time.Millisecond, 5 * time.Millisecond}, []string{"2@3ms", "1@8ms"}},
		{"linger", Config[item]{BatchMax: 100}, slices.Repeat([]time.Duration{time.Millisecond}, 30), []string{"21@21.5ms", "9@32ms"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var got []string
				cfg := c.cfg
				cfg.Workers, cfg.Linger, cfg.Quiet = 1, 20500*time.Microsecond, 2*time.Millisecond
				cfg.Size = func(item) int { return 10 }
				cfg.Process = func(_ *Worker, items []item, _ []Outcome) {
					got = append(got, fmt.Sprintf("%d@%v", len(items), time.Since(start)))
				}
				l := newLane(t, cfg, nil)
				for n, wait := range c.pushes {
					time.Sleep(wait)
					l.Push("k", item{n: n, at: time.Now()})
					if wait > 0 {
						synctest.Wait()
					}
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if !slices.Equal(got, c.want) {
					t.Errorf("got %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestStopProcessesTheBatchInHandAndLeavesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		l := newLane(t, Config[item]{Workers: 2, BatchMax: 10, Linger: time.Hour, Quiet: time.Hour, Process: func(_ *Worker, items []item, out []Outcome) {
			for i, it := range items {
				got = append(got, it.n)
				out[i] = Outcome{Again: it.n == 1, After: time.Second}
			}
		}}, nil)
		l.Push("a", item{n: 0, at: time.Now()})
		l.Push("b", item{n: 1, at: time.Now()})
		synctest.Wait()
		if len(got) > 0 {
			t.Fatalf("the batch was closed too early: %v", got)
		}
		l.Stop()
		l.Wait()
		if l.Push("c", item{n: 2}) {
			t.Error("a stopped lane took an item")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if !slices.Equal(got, []int{0, 1}) || l.Len() != 1 {
			t.Errorf("processed %v, left %d, want [0 1] and the one that failed", got, l.Len())
		}
	})
}

func TestPushWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		l := newLane(t, Config[item]{Workers: 1, MaxBytes: 100, Size: func(it item) int { return it.size }}, func(item) Outcome {
			<-hold
			return Outcome{}
		})
		l.Push("a", item{size: 500}) // one always fits
		pushed := 0
		go func() {
			for range 3 {
				if l.Push("b", item{size: 60}) {
					pushed++
				}
			}
		}()
		synctest.Wait()
		if pushed != 0 {
			t.Fatalf("%d items fit beside one of 500 bytes", pushed)
		}
		hold <- struct{}{}
		synctest.Wait()
		if pushed != 1 {
			t.Fatalf("%d items of 60 bytes fit into 100", pushed)
		}
		l.Stop() // those who wait are told
		hold <- struct{}{}
		synctest.Wait()
		if pushed != 1 {
			t.Errorf("an item was taken after the stop")
		}
	})
}

func TestPauseAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		l := newLane(t, Config[item]{Workers: 2}, func(it item) Outcome {
			got = append(got, it.n)
			return Outcome{}
		})
		l.Pause()
		for n := range 3 {
			l.Push("k", item{n: n})
		}
		synctest.Wait()
		if len(got) > 0 {
			t.Fatalf("a paused lane processed %v", got)
		}
		l.Resume()
		synctest.Wait()
		if !slices.Equal(got, []int{0, 1, 2}) {
			t.Errorf("after Resume: %v", got)
		}
	})
}

// Random work: every item is done exactly once, in order per key, whatever fails.
func TestRandomWork(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			fate := rand.New(rand.NewPCG(seed, 2)) // of the workers, under mu
			var mu sync.Mutex
			next := map[string]int{}
			cfg := Config[item]{
				Workers: 1 + rng.IntN(5), BatchMax: 1 + rng.IntN(7), MaxBytes: 50,
				Linger: 10 * time.Millisecond, Quiet: 2 * time.Millisecond,
			}
			cfg.Process = func(_ *Worker, items []item, out []Outcome) {
				mu.Lock()
				defer mu.Unlock()
				failed := map[string]bool{}
				for i, it := range items {
					if failed[it.key] || fate.IntN(4) == 0 {
						failed[it.key] = true
						out[i] = Outcome{Again: true, After: time.Duration(fate.IntN(3)) * time.Millisecond}
						continue
					}
					if next[it.key] != it.n {
						t.Errorf("seed %d: key %s: item %d came when %d was next", seed, it.key, it.n, next[it.key])
					}
					next[it.key]++
				}
			}
			l := newLane(t, cfg, nil)
			pushed := map[string]int{}
			for range 300 {
				key := fmt.Sprint(rng.IntN(10))
				l.Push(key, item{key: key, n: pushed[key], at: time.Now()})
				pushed[key]++
				if rng.IntN(5) == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			time.Sleep(time.Hour)
			mu.Lock()
			defer mu.Unlock()
			for key, n := range pushed {
				if next[key] != n {
					t.Errorf("seed %d: key %s: %d of %d done", seed, key, next[key], n)
				}
			}
			if l.Len() != 0 || l.Keys() != 0 || l.bytes != 0 {
				t.Errorf("seed %d: %d items, %d keys, %d bytes are left", seed, l.Len(), l.Keys(), l.bytes)
			}
		})
	}
}

func TestLeftIsWhatAStopLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		l := newLane(t, Config[item]{Workers: 1}, func(it item) Outcome {
			switch {
			case it.key == "aside":
				return Outcome{Aside: true}
			case it.key == "retry":
				return Outcome{Again: true, After: time.Hour}
			}
			<-hang
			return Outcome{}
		})
		for n, key := range []string{"aside", "retry", "hangs", "hangs", "waits"} {
			l.Push(key, item{key: key, n: n})
		}
		synctest.Wait()
		l.Stop()
		var left []int
		for _, it := range l.Left() {
			left = append(left, it.n)
		}
		slices.Sort(left)
		if want := []int{1, 2, 3, 4}; !slices.Equal(left, want) {
			t.Errorf("left: %v, want %v", left, want)
		}
		close(hang)
		l.Wait()
		if n := len(l.Left()); n != 3 {
			t.Errorf("%d are left after the batch in work, want 3", n)
		}
	})
}
