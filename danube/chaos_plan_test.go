package danube_test

import (
	"math/rand/v2"
	"net"
	"time"
)

// fault is one thing that goes wrong. All of it comes from the seed of the run.
type fault struct {
	after  time.Duration // since the one before it began
	kind   string
	target int           // which node, topic or reader, modulo how many there are
	lasts  time.Duration // of what ends by itself
}

// faultKinds are drawn with equal chances.
var faultKinds = []string{"move", "move", "kill", "restart", "cut", "freeze", "blackhole", "reopen", "takeover", "quiet"}

// nextFault draws the next one. One in four comes upon the heels of the one before.
func nextFault(rnd *rand.Rand) fault {
	f := fault{
		after:  4*time.Second + upTo(rnd, 14*time.Second),
		kind:   faultKinds[rnd.IntN(len(faultKinds))],
		target: rnd.IntN(1 << 16),
		lasts:  upTo(rnd, 30*time.Second),
	}
	if rnd.IntN(4) == 0 {
		f.after = upTo(rnd, 2*time.Second)
	}
	return f
}

// do makes a fault and ends it.
func (c *chaosRun) do(f fault) {
	node := f.target % len(c.cluster.Nodes)
	proxy := c.proxies[node]
	switch f.kind {
	case "move":
		c.move(c.ledger.subs[f.target%len(c.ledger.subs)].wire)
	case "kill":
		c.down(node, f.lasts, true)
	case "restart":
		c.down(node, f.lasts, false)
	case "cut":
		c.event("cut the connections of node %d", node)
		proxy.Cut()
	case "freeze":
		c.event("freeze the connections of node %d", node)
		proxy.Freeze()
	case "blackhole":
		c.event("node %d cannot be reached for %v", node, f.lasts)
		proxy.Blackhole(true)
		proxy.Freeze()
		c.wait(c.ctx, f.lasts)
		proxy.Blackhole(false)
		c.event("node %d can be reached again", node)
	case "quiet":
		c.event("quiet for %v", f.lasts)
		c.quiet.Shut()
		c.wait(c.ctx, f.lasts)
		c.quiet.Lift()
	case "reopen", "takeover":
		r := c.readers[f.target%len(c.readers)]
		r.mu.Lock()
		defer r.mu.Unlock()
		if f.kind == "takeover" {
			c.event("take over the consumer of %s", r.topic)
			r.takeover(c.always)
			return
		}
		c.event("the consumer of %s is away for %v", r.topic, f.lasts/2)
		r.replace(f.lasts / 2)
	}
}

// longestDown is well within the half minute that a broker's registration lasts: one of
// 0.15.1 that is away for longer comes back drained, until somebody activates it.
const longestDown = 20 * time.Second

// down stops a node for a while. One at a time: the others need a majority.
func (c *chaosRun) down(node int, d time.Duration, kill bool) {
	c.nodes.Lock()
	defer c.nodes.Unlock()
	defer c.recover()
	n := c.cluster.Nodes[node]
	d = min(d, longestDown)
	if kill {
		c.event("kill node %d for %v", node, d)
		n.Kill()
	} else {
		c.event("restart node %d after %v", node, d)
		n.Stop()
	}
	c.wait(c.ctx, d)
	c.start(node)
}

// start starts a node until it listens: its ports may be taken for a moment.
func (c *chaosRun) start(node int) {
	n := c.cluster.Nodes[node]
	for range 5 {
		if err := n.Start(); err != nil {
			c.breach("starting node %d: %v", node, err)
			return
		}
		for range 60 {
			if conn, err := net.Dial("tcp", n.Addr); err == nil {
				conn.Close()
				c.event("node %d is back", node)
				return
			}
			c.wait(c.always, time.Second)
		}
		c.event("node %d does not listen: %s", node, n.Log())
		n.Kill()
	}
	c.breach("node %d does not start", node)
}

// recover waits until the brokers are all there again, and a little for them to agree
// on a leader: what comes while there is none is lost to a broker of 0.15.1, which then
// has topics that no broker owns, and nothing brings those back.
func (c *chaosRun) recover() {
	if err := c.cluster.Ready(c.always); err != nil {
		c.breach("%v", err)
	}
	c.wait(c.always, 5*time.Second)
}

func upTo(rnd *rand.Rand, d time.Duration) time.Duration { return time.Duration(rnd.Int64N(int64(d))) }
