package danubetest

import (
	"errors"
	"fmt"
)

// Stop makes the broker, or all brokers of a cluster, unreachable: connections are
// refused and those that are open dropped. Topics, messages, offsets and cursors stay,
// and so do the ports; the ids of producers and consumers are forgotten, and what was in
// flight is not any more. Methods for arranging and inspecting go on working. Stopping
// twice does nothing.
func (b *Broker) Stop() {
	b.life.Lock()
	defer b.life.Unlock()
	b.stop()
}

func (b *Broker) stop() {
	was := false
	for _, n := range b.nets {
		if n.stop() {
			was = true
			b.log.Debug("broker stopped", "url", n.url())
		}
	}
	if !was {
		return
	}
	b.do(func(c *core) {
		for _, n := range c.nodes {
			if n.alive {
				c.down(n, false)
			}
		}
	})
}

// Start makes what is stopped or killed reachable again, at the same URLs.
func (b *Broker) Start() error {
	b.life.Lock()
	defer b.life.Unlock()
	return b.start()
}

// Restart is [Broker.Stop] and [Broker.Start] in one, with nobody else's in between. What
// was stopped or killed before is there again too.
func (b *Broker) Restart() error {
	b.life.Lock()
	defer b.life.Unlock()
	b.stop()
	return b.start()
}

func (b *Broker) start() error {
	select {
	case <-b.gone:
		return errors.New("danubetest: the broker is closed")
	default:
	}
	var dead []*node
	b.do(func(c *core) {
		for _, n := range c.nodes {
			if !n.alive {
				dead = append(dead, n)
			}
		}
	})
	if len(dead) == 0 {
		return errors.New("danubetest: the broker is running")
	}
	for _, n := range dead {
		if err := b.startNode(n); err != nil {
			return err
		}
	}
	return nil
}

// startNode starts one broker.
func (b *Broker) startNode(n *node) error {
	b.do(func(c *core) { c.up(n) }) // before the first request
	if n.net.srv == nil {           // the proxy may be there already
		if err := n.net.start(); err != nil {
			b.do(func(c *core) { c.down(n, false) })
			return err
		}
	}
	b.log.Debug("broker started", "url", n.url)
	return nil
}

// Close stops the broker for good and returns when none of its goroutines is left.
// What it held can still be inspected. It may be called more than once; the error is
// always nil.
func (b *Broker) Close() error {
	b.closing.Do(func() {
		b.life.Lock()
		defer b.life.Unlock()
		for _, n := range b.nets {
			n.stop()
		}
		b.closeMetrics()
		close(b.quit)
		<-b.gone
		b.log.Debug("broker closed")
	})
	return nil
}

// Selector chooses streams; fields left out match everything.
type Selector struct {
	// Topic is a topic on the wire, or the base name of a partitioned one.
	Topic        string
	Subscription string
	Consumer     string // name
}

func (s Selector) matches(co *consumer) bool {
	t := co.sub.topic
	return (s.Topic == "" || s.Topic == t.name || s.Topic == t.base) &&
		(s.Subscription == "" || s.Subscription == co.sub.name) &&
		(s.Consumer == "" || s.Consumer == co.name)
}

// DropStreams ends the open streams that one of the selectors matches, or all without
// a selector, in the way given, and returns how many there were. For the broker it is
// as if the clients had gone away.
func (b *Broker) DropStreams(end StreamEnd, selectors ...Selector) (n int) {
	if end < StreamEOF || end > StreamReset {
		b.fatal(fmt.Errorf("danubetest: drop streams: end %d is unknown", end))
		return 0
	}
	if len(selectors) == 0 {
		selectors = []Selector{{}}
	}
	b.do(func(c *core) {
		for _, t := range c.sorted() {
			for _, s := range t.subs {
				for _, co := range s.consumers {
					for _, sel := range selectors {
						if co.stream != nil && sel.matches(co) {
							st := co.stream
							st.close(end.err())
							c.gone(st)
							n++
						}
					}
				}
			}
		}
	})
	return n
}

// Redeliver makes a message that awaits an ack time out now. It comes again after the delay
// of the subscription's failure policy, or not, if that says so. It is an error when it
// does not await one.
func (b *Broker) Redeliver(topic, subscription string, offset uint64) error {
	return b.failNow("redeliver", topic, subscription, offset, func(*slot) {})
}

// Exhaust makes a message that awaits an ack fail for good now, as if it had been delivered
// as often as the subscription's failure policy allows: by default the subscription is
// blocked then. It is an error when it does not await an ack.
func (b *Broker) Exhaust(topic, subscription string, offset uint64) error {
	return b.failNow("exhaust", topic, subscription, offset, func(sl *slot) {
		sl.attempts = max(sl.attempts, sl.consumer.sub.policy.MaxRedeliveries+1)
	})
}

func (b *Broker) failNow(what, topic, subscription string, offset uint64, prepare func(*slot)) (err error) {
	err = fmt.Errorf("danubetest: %s: offset %d of %q awaits no ack in subscription %q", what, offset, topic, subscription)
	b.do(func(c *core) {
		t := c.topics[topic]
		if t == nil || t.sub(subscription) == nil {
			return
		}
		s := t.sub(subscription)
		sl := s.get(offset)
		if sl == nil || sl.state != slotAwaiting {
			return
		}
		err = nil
		prepare(sl)
		s.timeouts++
		c.stats.TimedOut++
		c.fail(s, sl, TimedOut, "", 0)
		if !s.suspended() {
			c.pass(s)
		}
	})
	return err
}

// CloseClient answers the next HealthCheck of a producer or consumer of that name
// with CLOSE.
func (b *Broker) CloseClient(name string) {
	f := HealthClose(name)
	f.Optional = true
	b.Fault(f)
}

// Takeover does what a second process with the same consumer name does when it
// subscribes: the open stream ends cleanly, HealthCheck goes on answering OK, and
// messages wait for the next stream of that name. Topic may be the base name of a
// partitioned topic. It is an error when there is no such consumer.
func (b *Broker) Takeover(topic, subscription, consumer string) error {
	found := false
	b.do(func(c *core) {
		for _, t := range c.find(topic) {
			if s := t.sub(subscription); s != nil {
				if co := s.consumer(consumer); co != nil {
					c.takeover(co, nil)
					found = true
				}
			}
		}
	})
	if !found {
		return fmt.Errorf("danubetest: takeover: no consumer %q in subscription %q of %q", consumer, subscription, topic)
	}
	return nil
}
