package utils

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestBatcherBySize(t *testing.T) {
	b := NewBatcher[int](3, 0)
	if b.ShouldFlush() || !b.IsEmpty() || b.Flush() != nil {
		t.Error("an empty batch is due")
	}
	for i := 1; i <= 3; i++ {
		if complete := b.Add(i); complete != (i == 3) || b.ShouldFlush() != complete || b.Len() != i {
			t.Errorf("after %d: complete is %v, Len %d", i, complete, b.Len())
		}
	}
	if wait, ok := b.Due(); wait != 0 || !ok {
		t.Errorf("a full batch is due in %v, %v", wait, ok)
	}
	if !b.Add(4) || b.Len() != 4 {
		t.Error("an item beyond the limit was lost")
	}
	if got := b.Flush(); !slices.Equal(got, []int{1, 2, 3, 4}) || !b.IsEmpty() || b.ShouldFlush() {
		t.Errorf("got %v", got)
	}
}

func TestBatcherByBytes(t *testing.T) {
	b := NewBatcher[string](0, 0).WithMaxBytes(5, func(s string) int { return len(s) })
	if b.Add("1234") || b.Bytes() != 4 {
		t.Error("complete too early")
	}
	if _, ok := b.Due(); ok {
		t.Error("due by time without a limit")
	}
	if !b.Add("56789") || b.Bytes() != 9 {
		t.Error("not complete")
	}
	if b.Flush(); b.Bytes() != 0 || b.ShouldFlush() {
		t.Error("the bytes of the last batch count for the next")
	}
	if !NewBatcher[string](0, 0).WithMaxBytes(5, func(string) int { return 6 }).Add("") {
		t.Error("one large item is no batch")
	}
	if b := NewBatcher[string](0, 0); b.Add("x") || b.ShouldFlush() {
		t.Error("complete without limits")
	}
}

// The age counts from the first item: a quiet hour before it must not make the
// batch due at once.
func TestBatcherByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBatcher[int](10, time.Second)
		time.Sleep(time.Hour)
		if b.Add(1) || b.ShouldFlush() {
			t.Error("due with its first item")
		}
		time.Sleep(400 * time.Millisecond)
		b.Add(2)
		if wait, ok := b.Due(); wait != 600*time.Millisecond || !ok {
			t.Errorf("due in %v, %v", wait, ok)
		}
		time.Sleep(600*time.Millisecond - 1)
		if b.ShouldFlush() {
			t.Error("due too early")
		}
		time.Sleep(time.Nanosecond)
		if !b.ShouldFlush() || !b.Add(3) {
			t.Error("not due")
		}
		time.Sleep(time.Minute)
		if wait, ok := b.Due(); wait != 0 || !ok {
			t.Errorf("overdue, but due in %v, %v", wait, ok)
		}
		if got := b.Flush(); len(got) != 3 {
			t.Errorf("got %v", got)
		}
		time.Sleep(time.Hour)
		if _, ok := b.Due(); ok || b.ShouldFlush() {
			t.Error("an empty batch is due")
		}
		if b.Add(4) {
			t.Error("the age of the last batch counts for the next")
		}
	})
}

func TestBatcherGivesItemsAway(t *testing.T) {
	b := NewBatcher[int](3, 0)
	for i := range 3 {
		b.Add(i)
	}
	items := b.Items()
	items[0] = 99
	first := b.Flush()
	if first[0] != 0 {
		t.Error("Items is not a copy")
	}
	b.Add(7)
	_ = append(first, 8)
	if got := b.Items(); !slices.Equal(got, []int{7}) || !slices.Equal(first, []int{0, 1, 2}) {
		t.Errorf("batches share memory: %v, %v", first, got)
	}
	if c := cap(b.Flush()); c != 3 {
		t.Errorf("the capacity of the next batch is %d", c)
	}
}

func TestBatcherConcurrently(t *testing.T) {
	const workers, each = 8, 1000
	b := NewBatcher[int](7, time.Hour)
	var mu sync.Mutex
	seen := make(map[int]int)
	take := func() {
		items := b.Flush()
		mu.Lock()
		defer mu.Unlock()
		for _, i := range items {
			seen[i]++
		}
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				if b.Add(w*each + i) {
					take()
				}
				b.Due()
				b.Items()
			}
		})
	}
	wg.Wait()
	take()
	for i := range workers * each {
		if seen[i] != 1 {
			t.Fatalf("item %d came %d times", i, seen[i])
		}
	}
}
