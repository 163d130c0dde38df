package danube_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// operator does what somebody would who reads the client's reports: a topic that the
// client reports to be stalled, or on which it gets no session, has its broker restarted.
// A move would do for some, but not for those whose dispatcher hangs: see move.
type operator struct {
	run   *chaosRun
	tried map[string]time.Time // by topic on the wire
	nodes map[int]time.Time    // when each was restarted last: its other topics need time, too
	gone  atomic.Bool
}

const (
	// sessionless is how long it waits for a session: a broker that was killed is
	// followed by another one after half a minute.
	sessionless = 90 * time.Second
	// helped is how long it gives a remedy.
	helped = time.Minute
)

// retire ends the operator's work.
func (o *operator) retire() { o.gone.Store(true) }

// look looks at all topics and does something for those that need it.
func (o *operator) look(ctx context.Context) {
	if o.gone.Load() {
		return
	}
	now := time.Now()
	troubled := o.run.ledger.troubled(now)
	for wire := range o.tried {
		if _, still := troubled[wire]; !still {
			delete(o.tried, wire)
		}
	}
	for wire, why := range troubled {
		if now.Sub(o.tried[wire]) < helped {
			continue
		}
		o.tried[wire] = now
		o.restart(ctx, wire, why)
	}
}

// restart kills the broker of a topic, which may not listen to anything gentler.
func (o *operator) restart(ctx context.Context, wire, why string) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	d, err := o.run.admin.DescribeTopic(ctx, wire)
	brokers, err2 := o.run.admin.Brokers(ctx)
	if err != nil || err2 != nil {
		o.run.event("the operator cannot find the broker of %s: %v %v", wire, err, err2)
		return
	}
	for i, n := range o.run.cluster.Nodes {
		at := slices.IndexFunc(brokers, func(b danube.BrokerInfo) bool {
			return strings.TrimPrefix(b.Address, "http://") == strings.TrimPrefix(n.URL, "http://")
		})
		if at >= 0 && slices.Contains(d.Brokers, brokers[at].ID) {
			if time.Since(o.nodes[i]) < helped {
				return
			}
			if o.nodes == nil {
				o.nodes = map[int]time.Time{}
			}
			o.nodes[i] = time.Now()
			o.run.event("the operator restarts node %d for %s: %s", i, wire, why)
			o.run.count("restarted by the operator")
			o.run.down(i, 0, true)
			return
		}
	}
	o.run.event("no broker has %s: %s", wire, why)
}

// troubled lists the topics that the client has reported, with the reason.
func (l *ledger) troubled(now time.Time) map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := map[string]string{}
	for _, s := range l.subs {
		switch {
		case !s.stalled.IsZero():
			list[s.wire] = s.name + " is stalled"
		case s.ready.IsZero() && now.Sub(s.lost) > sessionless:
			list[s.wire] = s.name + " has no session"
		}
	}
	for at, since := range l.unpublished {
		if now.Sub(since) > sessionless {
			list[at.wire] = at.producer + " cannot publish"
		}
	}
	return list
}

// consumerSession notes what a consumer says of its session.
func (l *ledger) consumerSession(s *ledgerSub, e danube.SessionEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case e.State == danube.Ready:
		s.ready = time.Now()
	case !s.ready.IsZero():
		s.ready, s.lost = time.Time{}, time.Now()
	}
}

// consumerEnded notes that a subscription has no consumer any more.
func (l *ledger) consumerEnded(s *ledgerSub) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.ready, s.lost, s.stalled = time.Time{}, time.Now(), time.Time{}
}

// producerSession notes since when a producer has had trouble; a publish that goes well
// ends it.
func (l *ledger) producerSession(producer string, e danube.SessionEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := stampedBy{wire: e.Topic, producer: producer}
	if _, known := l.unpublished[at]; !known && e.State == danube.Connecting {
		l.unpublished[at] = time.Now()
	}
}
