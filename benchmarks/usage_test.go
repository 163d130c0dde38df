package main

import (
	"sync"
	"testing"
)

// Only what lies between the warm-up and the end is measured, whoever counts.
func TestMeter(t *testing.T) {
	m := newMeter(10, 90)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 30 {
				m.add()
			}
		})
	}
	<-m.done
	wg.Wait()
	if !m.over() || m.start.count != 10 || m.finish.count != 100 {
		t.Errorf("measured from %d to %d, want 10 to 100", m.start.count, m.finish.count)
	}
	if f := m.figures(); f.Rate <= 0 || f.CPU < 0 {
		t.Errorf("figures %+v", f)
	}
}

func TestMeterCountsSeveralAtOnce(t *testing.T) {
	m := newMeter(10, 90)
	for range 15 {
		m.addAll(7)
	}
	<-m.done
	if m.start.count != 14 || m.finish.count != 105 {
		t.Errorf("measured from %d to %d, want 14 to 105", m.start.count, m.finish.count)
	}
}

func TestMeterIsNotOverEarly(t *testing.T) {
	m := newMeter(1, 2)
	for range 2 {
		m.add()
	}
	select {
	case <-m.done:
		t.Error("done after two of three records")
	default:
	}
	if m.over() {
		t.Error("over after two of three records")
	}
}
