package utils

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestHealthChecker(t *testing.T) {
	for _, tt := range []struct {
		threshold int
		want      []HealthStatus // before and after each failure
	}{
		{3, []HealthStatus{Healthy, Degraded, Degraded, Unhealthy, Unhealthy}},
		{1, []HealthStatus{Healthy, Unhealthy, Unhealthy}},
		{0, []HealthStatus{Healthy, Unhealthy}},
		{-1, []HealthStatus{Healthy, Unhealthy}},
	} {
		h := NewHealthChecker(tt.threshold)
		for failures, want := range tt.want {
			if failures > 0 {
				h.RecordFailure()
			}
			if h.Status() != want || h.ConsecutiveFailures() != failures || h.Healthy() != (want != Unhealthy) || (h.Err() == nil) != h.Healthy() {
				t.Errorf("threshold %d, %d failures: %v, healthy %v, %v", tt.threshold, failures, h.Status(), h.Healthy(), h.Err())
			}
		}
		if h.RecordSuccess(); h.Status() != Healthy || h.ConsecutiveFailures() != 0 {
			t.Errorf("after a success: %v", h.Status())
		}
	}
}

func TestHealthCheckerTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealthChecker(2)
		time.Sleep(time.Hour)
		if d, ok := h.SinceLastSuccess(); d != 0 || ok {
			t.Errorf("a success out of nothing, %v ago", d)
		}
		if d, ok := h.SinceLastFailure(); d != 0 || ok {
			t.Errorf("a failure out of nothing, %v ago", d)
		}
		failed := errors.New("x")
		if first, second := h.Record(failed), h.Record(failed); first != failed || second != failed {
			t.Error("Record changed the error")
		}
		if got := h.Err().Error(); got != "2 failures in a row and no success yet" {
			t.Errorf("got %s", got)
		}
		if h.Record(nil) != nil {
			t.Error("Record made an error")
		}
		time.Sleep(2 * time.Second)
		h.RecordFailure()
		h.RecordFailure()
		time.Sleep(time.Second)
		if d, ok := h.SinceLastSuccess(); d != 3*time.Second || !ok {
			t.Errorf("got %v, %v", d, ok)
		}
		if d, ok := h.SinceLastFailure(); d != time.Second || !ok {
			t.Errorf("got %v, %v", d, ok)
		}
		if got := h.Err().Error(); got != "2 failures in a row, the last success was 3s ago" {
			t.Errorf("got %s", got)
		}
	})
}

func TestHealthStatusString(t *testing.T) {
	for s, want := range map[HealthStatus]string{
		Healthy: "healthy", Degraded: "degraded", Unhealthy: "unhealthy", 7: "HealthStatus(7)",
	} {
		if s.String() != want {
			t.Errorf("got %s", s)
		}
	}
}

func TestHealthCheckerConcurrently(t *testing.T) {
	h := NewHealthChecker(1000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				h.RecordFailure()
				_ = h.Status()
				_ = h.Err()
				h.SinceLastFailure()
			}
		})
	}
	wg.Wait()
	if h.ConsecutiveFailures() != 800 {
		t.Errorf("got %d", h.ConsecutiveFailures())
	}
}
