package danube

import "time"

// silence judges whether a partition to which nothing comes is stalled: whether its
// broker has something for it that it does not deliver. It is not safe for concurrent
// use.
type silence struct {
	counts  arrivals  // at the last look
	next    [2]uint64 // at the last look and at the one before
	earlier uint64    // two looks before the last at which something had come
	out     uint64    // of the broker at the last look
	at      string    // the broker whose word that is
	session *session  // at the last look
	taken   uint64    // of the topic when the silence began
	stored  uint64    // likewise
	since   time.Time // when there was first something to deliver; zero: nothing yet
	lag     uint64    // what the broker said last
	stalled bool
	// sure is whether a lag of 0 would tell that a stall is over. After a restart or a
	// move it is also what a broker says whose log is shorter than the subscription's
	// position and that therefore delivers nothing, unless somebody is seen to get some.
	sure bool
}

// arrivals are messages that came.
type arrivals struct {
	all    uint64 // copies as well
	news   uint64 // those that are newer than all before
	handed uint64 // those that are no copies
}

// partitionView is what the partition knows of itself at one look.
type partitionView struct {
	session  *session // nil between sessions
	counts   arrivals
	began    arrivals // when the session did
	tally    tally    // by the broker's word, if alone
	busy     bool     // the application has some of them, or handed one back just now
	alone    bool     // everything that the subscription is sent comes here
	bases    []uint64 // what the broker may count its lag from, if messages were skipped
	next     uint64   // the offset after the newest that came, likewise
	patience time.Duration
}

// look is one look. lag is what the broker has and does not deliver; a stall begins
// with begins and is over with ends: the broker that has the lag says that it is gone.
// That what is new ends it as well is for the caller to see. Without a broker's word m
// is nil.
func (s *silence) look(now time.Time, v partitionView, at string, m *subscriptionMetrics) (lag uint64, begins, ends bool) {
	came, handed, reopened := v.counts.all != s.counts.all, v.counts.handed != s.counts.handed, v.session != s.session
	s.counts = v.counts
	quiet := !came && !v.busy
	if came {
		s.earlier = s.next[1]
	}
	s.next = [2]uint64{v.next, s.next[0]}
	if reopened {
		s.session, s.since = v.session, time.Time{}
	}
	if m == nil || v.session == nil {
		if !quiet {
			s.since, s.at = time.Time{}, "" // what was published before is no evidence any more
		}
		return 0, false, false
	}
	restarted := m.taken < s.taken || m.stored < s.stored
	anew := restarted || at != s.at // it counts from another beginning
	// After a restart of the broker itself what comes may be old ones only.
	reaches := v.alone && !reopened && !v.tally.started
	s.sure = !anew && (s.sure || !v.alone && m.out > s.out || reaches && v.counts.all > v.began.all)
	old := came && v.alone && v.counts.news == v.began.news && !anew && !reopened && v.tally.hidden > m.lag
	if old {
		// The broker says that it has sent more than it has, and what came is older than
		// what came before: see progress.
		if v.busy && m.lag == 0 {
			return 0, false, false // it may say so because nothing was acknowledged yet
		}
		quiet = true
	}
	if !quiet || anew || !v.alone && m.out != s.out {
		again := quiet && restarted && at == s.at
		s.at, s.out, s.taken, s.stored, s.since = at, m.out, m.taken, m.stored, time.Time{}
		if !quiet {
			ends = s.stalled && handed && reaches && !anew
			s.stalled = s.stalled && !ends
			return 0, false, ends
		}
		if again {
			s.taken, s.stored = 0, 0 // the broker counts from its start, and nothing has come since
		}
	}
	published := min(m.taken-s.taken, m.stored-s.stored)
	switch {
	case v.alone:
		lag = max(m.lag-explained(m.lag, s.earlier, v.next, v.bases), published)
		if old {
			lag = max(lag, v.tally.hidden)
		}
	case published > 0:
		lag = m.lag // some of it may be what was skipped, but what is new is not
	}
	s.lag = lag
	switch {
	case lag == 0:
		s.since = time.Time{}
		ends = s.stalled && s.sure && v.tally.hidden <= m.lag
		s.stalled = s.stalled && !ends
	case s.since.IsZero():
		s.since = now
	case !s.stalled && now.Sub(s.since) >= v.patience:
		s.stalled, s.sure, begins = true, true, true
	}
	return lag, begins, ends
}

// broken notes that something new came: whether that ends a stall, and what the broker
// said last that it had.
func (s *silence) broken() (resumed bool, lag uint64) {
	resumed, s.stalled = s.stalled, false
	return resumed, s.lag
}

// handedOffTime is how long a message that was handed back may stay away: a broker of
// 0.15.1 brings it after a minute at most, unless the subscription has another policy.
const handedOffTime = 90 * time.Second

// key is how the brokers' metrics call the partition's subscription.
func (p *partition) key() subscriptionKey {
	return subscriptionKey{p.topic, p.c.cfg.Subscription}
}

// view is what the partition knows of itself.
func (p *partition) view() partitionView {
	v := partitionView{alone: p.c.cfg.Type == Exclusive, patience: p.c.client.cfg.StallAfter}
	if !v.alone {
		v.patience = max(v.patience, time.Minute)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	v.session, v.counts, v.began, v.bases, v.next = p.sess, p.counts, p.began, p.bases, p.next
	v.busy = p.handling || p.tracker.busy() || time.Since(p.handedOff) < handedOffTime
	return v
}

// look judges the partition's silence by what a broker said, and tells when a stall
// begins or ends. v is from before the broker was asked.
func (p *partition) look(v partitionView, at string, m *subscriptionMetrics) {
	p.telling.Lock()
	defer p.telling.Unlock()
	p.mu.Lock()
	if m != nil && p.progress != nil {
		v.tally = p.progress.spoke(at, m)
	}
	if p.counts.news != v.counts.news || p.c.ctx.Err() != nil {
		p.mu.Unlock()
		return // it has come meanwhile: the next look sees that
	}
	lag, begins, ends := p.silence.look(time.Now(), v, at, m)
	p.mu.Unlock()
	switch {
	case begins:
		p.tell(Anomaly{Kind: Stalled, Lag: lag})
	case ends:
		p.tell(Anomaly{Kind: Resumed})
	}
}
