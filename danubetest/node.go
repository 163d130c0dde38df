package danubetest

import (
	"strconv"
	"time"
)

// proxyHeader is the metadata in which a client names the broker it wants, when it
// talks to a proxy.
const proxyHeader = "x-danube-broker-url"

// node is one broker of the cluster, as the loop sees it.
type node struct {
	id    int // from 1
	net   *network
	url   string // what lookups call it
	alive bool
	death alarm // when its topics go to others

	overdue bool // that time came, and there were no others

	meters meters
}

// name is the broker's id in the admin service.
func (n *node) name() string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(n.id)
}

// route finds the broker that a request is for: the one it came to, or the one that it
// names to the proxy. One that names none goes to any.
func (c *core) route(from *network, in *Call) error {
	switch {
	case from.id > 0:
		in.node = c.nodes[from.id-1]
	case in.BrokerURL == "":
		in.node = c.nextAlive(&c.proxied)
	default:
		for _, n := range c.nodes {
			if n.url == in.BrokerURL {
				in.node = n
			}
		}
	}
	if in.node == nil || !in.node.alive {
		return errNodeDown(in.BrokerURL)
	}
	in.Broker = in.node.id
	return nil
}

// place returns the broker for the next topic: they take turns.
func (c *core) place() *node { return c.nextAlive(&c.placed) }

// placeNew returns the broker for a topic that a producer creates at n: in a cluster
// the leader decides, else it is n.
func (c *core) placeNew(n *node) *node {
	if c.cfg.clusterCreate {
		return c.place()
	}
	return n
}

// nextAlive takes turns among the brokers that are there. Without any it is the one
// whose turn it is.
func (c *core) nextAlive(turn *int) *node {
	for range c.nodes {
		*turn++
		if n := c.nodes[(*turn-1)%len(c.nodes)]; n.alive {
			return n
		}
	}
	*turn++
	return c.nodes[(*turn-1)%len(c.nodes)]
}

// move takes a topic from its broker to another, in the steps of [Timing].
func (c *core) move(t *topic, to *node) {
	log := c.cfg.logger.With("topic", t.name)
	next := func(wait time.Duration, step func()) {
		c.alarms.clear(&t.moving)
		if wait <= 0 {
			step()
			return
		}
		t.moving.fire = step
		c.alarms.set(&t.moving, c.now.Add(wait))
	}
	t.draining = true
	c.changed = true
	log.Debug("topic is draining", "broker", t.owner.name())
	next(c.cfg.timing.Draining, func() {
		for _, s := range t.subs {
			if !s.suspended() {
				s.stored = max(s.stored, s.acks) // a move stores cursors first, of those who listen
			}
		}
		if c.trap(TrapLocal) {
			t.stranded = t.next
		}
		c.unload(t)
		t.draining, t.owner = false, nil
		log.Debug("topic unloaded")
		if t.dispatch == NonReliable && c.trap(TrapOrphan) {
			return
		}
		next(c.cfg.timing.Gap, func() { c.assign(t, to) })
	})
}

// assign gives a topic without a broker to one, or to another if that one is gone.
func (c *core) assign(t *topic, to *node) {
	if !to.alive {
		to = c.place()
	}
	t.owner = to
	c.changed = true
	c.cfg.logger.Debug("topic assigned", "topic", t.name, "broker", to.name())
}

// down is the end of a broker: what it served is forgotten. Its topics stay its own
// for a while when it was killed, unless it is the only one.
func (c *core) down(n *node, killed bool) {
	n.alive = false
	c.changed = true
	for _, t := range c.topics {
		if t.owner == n {
			c.alarms.clear(&t.moving) // a move that had begun is off
			t.draining = false
			c.crash(t, killed)
			c.unload(t)
		}
	}
	n.meters = meters{}
	if killed && len(c.nodes) > 1 {
		n.death.fire = func() { c.failover(n) }
		c.alarms.set(&n.death, c.now.Add(c.cfg.timing.Failover))
	}
}

// up is a broker's return; what it still owns it serves again.
func (c *core) up(n *node) {
	n.alive = true
	n.overdue = false
	c.alarms.clear(&n.death)
	c.changed = true
	for _, other := range c.nodes {
		if other.overdue {
			c.failover(other)
		}
	}
}

// failover gives the topics of a dead broker to the others, if there are any.
func (c *core) failover(dead *node) {
	dead.overdue = c.another(dead) == nil
	for _, t := range c.sorted() {
		if t.owner == dead && !dead.overdue {
			if c.trap(TrapLocal) {
				t.stranded = t.next
			}
			if c.trap(TrapRenumber) || c.trap(TrapLocal) {
				t.files = nil // they are on the dead one's disk
				for _, s := range t.subs {
					c.put(s)
				}
			}
			c.assign(t, c.place())
		}
	}
}
