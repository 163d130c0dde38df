package utils

import (
	"fmt"
	"sync"
	"time"
)

// HealthStatus is what a [HealthChecker] thinks.
type HealthStatus int

const (
	// Healthy: the last operation went well, or there was none yet.
	Healthy HealthStatus = iota
	// Degraded: the last operation failed, but fewer in a row than the threshold.
	Degraded
	// Unhealthy: as many in a row failed as the threshold says, or more.
	Unhealthy
)

// String returns "healthy", "degraded" or "unhealthy".
func (s HealthStatus) String() string {
	switch s {
	case Healthy:
		return "healthy"
	case Degraded:
		return "degraded"
	case Unhealthy:
		return "unhealthy"
	default:
		return fmt.Sprintf("HealthStatus(%d)", int(s))
	}
}

// HealthChecker counts failures in a row. One failure is no illness, one success
// is the cure. It is safe for concurrent use.
type HealthChecker struct {
	threshold int

	mu          sync.Mutex
	failures    int
	lastSuccess time.Time
	lastFailure time.Time
}

// NewHealthChecker returns a HealthChecker that is unhealthy after threshold
// failures in a row; less than 1 counts as 1.
func NewHealthChecker(threshold int) *HealthChecker {
	return &HealthChecker{threshold: max(threshold, 1)}
}

// RecordSuccess notes that an operation went well.
func (h *HealthChecker) RecordSuccess() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures, h.lastSuccess = 0, time.Now()
}

// RecordFailure notes that an operation failed.
func (h *HealthChecker) RecordFailure() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures++
	h.lastFailure = time.Now()
}

// Record notes an operation by its error, and returns the error.
func (h *HealthChecker) Record(err error) error {
	if err != nil {
		h.RecordFailure()
	} else {
		h.RecordSuccess()
	}
	return err
}

// Healthy reports whether the status is [Healthy] or [Degraded]: it is true until
// the threshold is reached.
func (h *HealthChecker) Healthy() bool { return h.Status() != Unhealthy }

// Status returns what the failures in a row amount to.
func (h *HealthChecker) Status() HealthStatus {
	switch n := h.ConsecutiveFailures(); {
	case n == 0:
		return Healthy
	case n < h.threshold:
		return Degraded
	default:
		return Unhealthy
	}
}

// ConsecutiveFailures returns the number of failures since the last success.
func (h *HealthChecker) ConsecutiveFailures() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failures
}

// SinceLastSuccess returns the time since the last success and whether there was
// one.
func (h *HealthChecker) SinceLastSuccess() (time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return since(h.lastSuccess)
}

// SinceLastFailure returns the time since the last failure and whether there was
// one.
func (h *HealthChecker) SinceLastFailure() (time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return since(h.lastFailure)
}

func since(t time.Time) (time.Duration, bool) {
	if t.IsZero() {
		return 0, false
	}
	return time.Since(t), true
}

// Err returns nil while the checker is healthy, and else an error that says what
// has happened, for a connector's HealthCheck method.
func (h *HealthChecker) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failures < h.threshold {
		return nil
	}
	if d, ok := since(h.lastSuccess); ok {
		return fmt.Errorf("%d failures in a row, the last success was %v ago", h.failures, d.Round(time.Millisecond))
	}
	return fmt.Errorf("%d failures in a row and no success yet", h.failures)
}
