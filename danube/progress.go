package danube

import "sync"

// progress is what a client knows of how far a subscription is, beyond the consumers
// that it has one after the other. After a restart a broker may bring old messages in
// the place of new ones, one for each that is published, which it then never delivers
// (seen on 0.15.1): that something comes does not say that what is published does. It is
// safe for concurrent use.
type progress struct {
	mu     sync.Mutex
	newest map[uint64]published // by producer

	at      string              // the broker that spoke of the subscription last
	said    subscriptionMetrics // what it said
	started bool                // it has started since it spoke first, and nothing new has come since
}

// published is when a producer published a message, and its request.
type published struct{ ms, request uint64 }

const (
	// maxNewest bounds the producers that are remembered of one subscription. What a
	// forgotten one has published counts as new when it comes again.
	maxNewest = 128
	// maxProgress bounds the subscriptions, each of one topic on the wire.
	maxProgress = 1 << 12
)

// came notes a message, and reports whether it is newer than all that came before of its
// producer: only its own clock is compared.
func (p *progress) came(id identity, ms uint64) bool {
	producer := id.producer(ms)
	p.mu.Lock()
	defer p.mu.Unlock()
	last, known := p.newest[producer]
	if ms > 0 && known && (ms < last.ms || ms == last.ms && id.request <= last.request) {
		return false
	}
	p.started = false // the old ones are over, if there were any
	if ms == 0 {
		return true // it does not say when it was published
	}
	if !known && len(p.newest) >= maxNewest {
		p.forget()
	}
	if p.newest == nil {
		p.newest = map[uint64]published{}
	}
	p.newest[producer] = published{ms, id.request}
	return true
}

// forget drops the producer that has published nothing for the longest time.
func (p *progress) forget() {
	var oldest uint64
	least := ^uint64(0)
	for id, last := range p.newest {
		if last.ms <= least {
			oldest, least = id, last.ms
		}
	}
	delete(p.newest, oldest)
}

// tally is what a broker's counts say of a subscription.
type tally struct {
	started bool   // they begin with its start, and nothing new has come since
	hidden  uint64 // then, how many messages it has stored and sent to nobody, less what it has sent twice
}

// spoke notes what a broker says.
func (p *progress) spoke(at string, m *subscriptionMetrics) tally {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case at != p.at:
		p.started = false
	case m.taken < p.said.taken || m.stored < p.said.stored || m.out < p.said.out:
		p.started = true
	}
	t := tally{started: p.started}
	if stored := min(m.taken, m.stored); p.started && stored > m.out {
		t.hidden = stored - m.out
	}
	p.at, p.said = at, *m
	return t
}

// progressOf is what the client knows of a subscription.
func (c *Client) progressOf(k subscriptionKey) *progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.progress[k]
	if p == nil {
		for old := range c.progress {
			if len(c.progress) < maxProgress {
				break
			}
			delete(c.progress, old) // its consumer, if it has one, keeps it
		}
		if c.progress == nil {
			c.progress = map[subscriptionKey]*progress{}
		}
		p = &progress{}
		c.progress[k] = p
	}
	return p
}
