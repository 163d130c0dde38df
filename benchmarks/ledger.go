package main

import (
	"sync"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// ledger is what came of a publisher's messages, each counted once.
type ledger struct {
	mu       sync.Mutex
	seen     map[[2]uint32]bool // by sender and number
	came     chan struct{}      // a token when one came
	reported int64              // messages that the client said will not come
}

func newLedger() *ledger {
	return &ledger{seen: make(map[[2]uint32]bool), came: make(chan struct{}, 1)}
}

func (l *ledger) got(payload []byte) {
	sender, seq, ok := readPayload(payload)
	if !ok {
		return
	}
	l.mu.Lock()
	l.seen[[2]uint32{sender, seq}] = true
	l.mu.Unlock()
	select {
	case l.came <- struct{}{}:
	default:
	}
}

// anomaly is the client's OnAnomaly.
func (l *ledger) anomaly(a danube.Anomaly) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch a.Kind {
	case danube.GapFound:
		l.reported += int64(a.To - a.From + 1)
	case danube.GapFilled:
		l.reported -= int64(a.To - a.From + 1)
	}
}

// count returns how many messages came, and how many were reported missing.
func (l *ledger) count() (came, reported int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.seen)), l.reported
}
