package danube_test

import (
	"context"
	"sync"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// holding keeps messages of one topic on the wire unacknowledged for a while.
type holding struct {
	mu       sync.Mutex
	on       map[string]bool
	messages map[string][]func()
}

// keep takes over the ack of a message; false means that it is not wanted.
func (h *holding) keep(wire string, ack func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.on[wire] {
		h.messages[wire] = append(h.messages[wire], ack)
	}
	return h.on[wire]
}

func (h *holding) begin(wire string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.on == nil {
		h.on, h.messages = map[string]bool{}, map[string][]func(){}
	}
	h.on[wire] = true
}

func (h *holding) some(wire string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.messages[wire]) > 0
}

func (h *holding) end(wire string) {
	h.mu.Lock()
	acks := h.messages[wire]
	delete(h.on, wire)
	delete(h.messages, wire)
	h.mu.Unlock()
	for _, ack := range acks {
		ack()
	}
}

// move unloads a topic, as an operator would, while all brokers are there and every
// subscription of the topic has a message in hand. A dispatcher of a broker of 0.15.1 that
// has nothing unacknowledged may wait for the next publish and hear of nothing else; a
// topic that is unloaded then refuses publishes, so its broker waits for ever, and once it
// is restarted no broker has the topic any more, for good.
func (c *chaosRun) move(wire string) {
	c.nodes.Lock()
	defer c.nodes.Unlock()
	for _, r := range c.readers {
		if r.subs[wire] == nil {
			continue
		}
		if !r.mu.TryLock() { // it may wait for the operator, and he for us
			c.event("%s is not moved: the consumer of %s is being replaced", wire, r.name)
			return
		}
		defer r.mu.Unlock()
		r.hold.begin(wire)
		defer r.hold.end(wire)
	}
	ctx, cancel := context.WithTimeout(c.always, 30*time.Second)
	defer cancel()
	for _, r := range c.readers {
		for i := 0; r.subs[wire] != nil && !r.hold.some(wire); i++ {
			if i == 50 || !c.wait(ctx, 100*time.Millisecond) {
				c.event("%s is not moved: %s gets nothing", wire, r.name)
				return
			}
		}
	}
	c.event("move %s", wire)
	c.count("moved")
	if err := c.admin.UnloadTopic(ctx, wire); err != nil {
		c.event("moving %s: %v", wire, err)
	}
	for c.wait(ctx, 2*time.Second) {
		if d, err := c.admin.DescribeTopic(ctx, wire); err == nil && d.Brokers[0] != "" {
			return
		}
	}
	c.event("nobody has taken %s yet", wire)
}

// settle acknowledges a message.
func (r *reader) settle(con *danube.Consumer, life uint32, m *danube.Message) {
	err := con.Ack(m)
	if err != nil && con.Err() != nil {
		return // it has failed meanwhile, or was taken over
	}
	r.run.ledger.ackedBy(r.subs[m.WireTopic], life, m, err)
}
