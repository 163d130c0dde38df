package danubetest

import (
	"fmt"
	"time"
)

// FailurePolicy says what a subscription does with messages that are not
// acknowledged. Fields left out have the broker's defaults.
type FailurePolicy struct {
	// MaxRedeliveries is how often a message may be delivered again after it failed;
	// when it fails once more it is exhausted. Default 5, so 6 deliveries. Negative
	// means none: the first failure exhausts the message.
	MaxRedeliveries int
	// AckTimeout is how long a consumer may hold a message; longer is a failure.
	// Looked at every 500 ms. Default 30 s.
	AckTimeout time.Duration
	// BaseDelay is the time before the first redelivery. Default 1 s.
	BaseDelay time.Duration
	// MaxDelay limits all delays, also those that a consumer asks for. Default 60 s.
	MaxDelay time.Duration
	// Backoff is Exponential when left out.
	Backoff Backoff
	// Poison is Block when left out.
	Poison Poison
	// DeadLetterTopic is where DeadLetter publishes to.
	DeadLetterTopic string
}

// Backoff says how redelivery delays grow.
type Backoff int

const (
	// Exponential doubles the delay with each attempt.
	Exponential Backoff = iota
	// Fixed always waits BaseDelay.
	Fixed
)

// Poison says what happens to a message that is exhausted.
type Poison int

const (
	// Block keeps the message and delivers no new one in that subscription until the
	// broker restarts. It is the real broker's default too.
	Block Poison = iota
	// Drop gives the message up and goes on.
	Drop
	// DeadLetter publishes the message to DeadLetterTopic and goes on. It goes without its
	// key and its schema, see [TrapDeadLetter], with attributes x-original-... that say where it is from, and
	// x-failure-reason. Where publishing fails the message stays, and is tried again with
	// the next deliveries.
	DeadLetter
)

func (p FailurePolicy) withDefaults() (FailurePolicy, error) {
	switch {
	case p.MaxRedeliveries == 0:
		p.MaxRedeliveries = 5
	case p.MaxRedeliveries < 0:
		p.MaxRedeliveries = 0
	}
	for _, d := range []struct {
		name string
		val  *time.Duration
		def  time.Duration
	}{
		{"ack timeout", &p.AckTimeout, 30 * time.Second},
		{"base delay", &p.BaseDelay, time.Second},
		{"max delay", &p.MaxDelay, time.Minute},
	} {
		switch {
		case *d.val == 0:
			*d.val = d.def
		case *d.val < 0:
			return p, fmt.Errorf("%s: %v: want 0 (default) or more", d.name, *d.val)
		}
	}
	if p.Backoff != Exponential && p.Backoff != Fixed {
		return p, fmt.Errorf("backoff: %d: want Exponential or Fixed", p.Backoff)
	}
	switch _, ok := splitTopic(p.DeadLetterTopic); {
	case p.Poison < Block || p.Poison > DeadLetter:
		return p, fmt.Errorf("poison: %d: want Block, Drop or DeadLetter", p.Poison)
	case p.Poison == DeadLetter && !ok:
		return p, fmt.Errorf("dead letter topic %q: want /namespace/name", p.DeadLetterTopic)
	}
	return p, nil
}

// delay returns how long to wait after so many attempts. A consumer can ask for
// more than the policy's time, not for less.
func (p FailurePolicy) delay(attempts int, asked time.Duration) time.Duration {
	d := p.BaseDelay
	if p.Backoff == Exponential {
		for i := 1; i < attempts && d < p.MaxDelay; i++ {
			d += min(d, p.MaxDelay-d)
		}
	}
	return min(max(d, asked), p.MaxDelay)
}
