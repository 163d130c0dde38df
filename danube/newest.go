package danube

import (
	"hash/maphash"
	"sync"
)

// newest remembers the newest message of each producer that a subscription has brought.
// After a restart a broker may bring old messages in the place of new ones, one for each
// that is published, which it then never delivers (seen on 0.15.1): that something comes
// does not say that what is published does. It belongs to the client, so that the next
// consumer of the subscription knows what the one before it got. It is safe for
// concurrent use.
type newest struct {
	mu sync.Mutex
	by map[uint64]published // by producer
}

// published is when a producer published a message, and its request.
type published struct{ ms, request uint64 }

const (
	// maxNewestProducers bounds what is remembered of one subscription. What a forgotten
	// producer published counts as new when it comes again.
	maxNewestProducers = 256
	// maxNewest bounds the subscriptions, each of one topic on the wire.
	maxNewest = 1 << 14
)

// came notes a message, and reports whether it is newer than all that came before of its
// producer: only its own clock is compared.
func (n *newest) came(producer string, ms, request uint64) bool {
	if ms == 0 {
		return true // it does not say when it was published
	}
	id := maphash.String(identitySeed, producer)
	n.mu.Lock()
	defer n.mu.Unlock()
	last, known := n.by[id]
	if known && (ms < last.ms || ms == last.ms && request <= last.request) {
		return false
	}
	if !known && len(n.by) >= maxNewestProducers {
		n.forget()
	}
	if n.by == nil {
		n.by = map[uint64]published{}
	}
	n.by[id] = published{ms, request}
	return true
}

// forget drops the producer that has published nothing for the longest time.
func (n *newest) forget() {
	var oldest uint64
	least := ^uint64(0)
	for id, last := range n.by {
		if last.ms <= least {
			oldest, least = id, last.ms
		}
	}
	delete(n.by, oldest)
}

// newestOf is what the client remembers of a subscription.
func (c *Client) newestOf(k subscriptionKey) *newest {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.newest[k]
	if n == nil {
		for old := range c.newest {
			if len(c.newest) < maxNewest {
				break
			}
			delete(c.newest, old) // its consumer, if it has one, keeps it
		}
		if c.newest == nil {
			c.newest = map[subscriptionKey]*newest{}
		}
		n = &newest{}
		c.newest[k] = n
	}
	return n
}
