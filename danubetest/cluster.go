package danubetest

import (
	"errors"
	"fmt"
	"time"
)

// Timing is how long a cluster takes for things. Only [WithBrokers] makes a cluster.
type Timing struct {
	// Draining is how long a topic that is to move still is on its old broker and
	// refuses messages with PERMISSION_DENIED. 0 by default: the real broker is done
	// before anybody can see it.
	Draining time.Duration
	// Gap is how long a topic is nowhere then: lookups answer NOT_FOUND, CreateProducer
	// and Subscribe UNAVAILABLE. 2 s by default.
	Gap time.Duration
	// Failover is how long the topics of a broker that was killed stay with it: lookups
	// answer Redirect to it. 25 s by default.
	Failover time.Duration
}

// WithBrokers makes a cluster of n brokers, with one set of topics between them. Each
// topic has one broker that serves it; the others send clients there. Topics that are
// created by hand or by the admin service are given to the brokers in turn; one that a
// producer creates belongs to the broker that was asked, or, with [WithClusterCreate],
// to the one whose turn it is.
//
// With [WithAddr] and a port that is not 0 the brokers listen on that port and the
// ones after it.
func WithBrokers(n int) Option {
	return func(c *config) error {
		if n < 1 || n > 100 {
			return fmt.Errorf("brokers: %d: want 1 to 100", n)
		}
		c.brokers = n
		return nil
	}
}

// WithTiming changes how long a cluster takes for things. Every field counts, also
// when it is 0.
func WithTiming(t Timing) Option {
	return func(c *config) error {
		if t.Draining < 0 || t.Gap < 0 || t.Failover < 0 {
			return errors.New("timing: want no negative times")
		}
		c.timing = t
		return nil
	}
}

// WithProxy puts a proxy before the brokers, as in Kubernetes: clients reach nothing
// but the proxy, which is what [Broker.URL] names. Lookups answer with it as
// connect_url, with the broker's own address as broker_url, and with proxy set. The
// proxy passes a request on to the broker that its metadata x-danube-broker-url names,
// and to any broker when it names none. [Call] has what was named.
func WithProxy() Option {
	return func(c *config) error {
		c.proxy = true
		return nil
	}
}

// URLs returns the addresses that clients can dial: those of the brokers in order, or
// the proxy's.
func (b *Broker) URLs() (urls []string) {
	for _, n := range b.nets {
		urls = append(urls, n.url())
	}
	return urls
}

// BrokerInfo is one broker of a cluster.
type BrokerInfo struct {
	// ID counts from 1.
	ID int
	// URL is what lookups call it. Behind a proxy nobody can dial it.
	URL string
	// Alive is false after [Broker.KillBroker] and [Broker.Stop].
	Alive bool
	// Topics are those that it serves, or did when it died, by name.
	Topics []string
}

// Brokers returns all brokers, by id.
func (b *Broker) Brokers() (list []BrokerInfo) {
	b.do(func(c *core) {
		for _, n := range c.nodes {
			info := BrokerInfo{ID: n.id, URL: n.url, Alive: n.alive}
			for _, t := range c.sorted() {
				if t.owner == n {
					info.Topics = append(info.Topics, t.name)
				}
			}
			list = append(list, info)
		}
	})
	return list
}

// Owner returns the id of the broker that has a topic, 0 while none has it or when
// there is no such topic. A partition has a broker of its own.
func (b *Broker) Owner(topic string) (id int) {
	b.do(func(c *core) {
		if t := c.topics[topic]; t != nil && t.owner != nil {
			id = t.owner.id
		}
	})
	return id
}

// MoveTopic moves a topic, or all partitions behind a base name, to a broker. It
// starts the move and does not wait for its end: messages are refused for a while, then
// streams end cleanly, ids are unknown and HealthCheck answers CLOSE, and after a while
// without a broker the new one serves the topic. See [Timing].
func (b *Broker) MoveTopic(topic string, broker int) (err error) {
	b.do(func(c *core) {
		if broker < 1 || broker > len(c.nodes) {
			err = fmt.Errorf("danubetest: move topic: there is no broker %d", broker)
			return
		}
		err = c.moveAll(topic, c.nodes[broker-1])
	})
	return err
}

// UnloadTopic moves a topic, or all partitions behind a base name, to the next broker
// that is alive. It is an error when there is none.
func (b *Broker) UnloadTopic(topic string) (err error) {
	b.do(func(c *core) { err = c.moveAll(topic, nil) })
	return err
}

// moveAll starts moves; without a destination each topic goes to the next broker.
func (c *core) moveAll(name string, to *node) error {
	topics := c.find(name)
	if len(topics) == 0 {
		return fmt.Errorf("danubetest: move topic: %w", errUnknownTopic(name))
	}
	for _, t := range topics {
		dest := to
		switch {
		case t.owner == nil || t.draining:
			return fmt.Errorf("danubetest: move topic: %s is moving", t.name)
		case !t.owner.alive:
			return fmt.Errorf("danubetest: move topic: broker %d, which has %s, is dead", t.owner.id, t.name)
		case dest == nil:
			if dest = c.another(t.owner); dest == nil {
				return errors.New("danubetest: move topic: there is no other broker alive")
			}
		case dest == t.owner:
			return fmt.Errorf("danubetest: move topic: broker %d has %s already", dest.id, t.name)
		case !dest.alive:
			return fmt.Errorf("danubetest: move topic: broker %d is dead", dest.id)
		}
		c.move(t, dest)
	}
	return nil
}

// another returns the next broker alive after n, or nil.
func (c *core) another(n *node) *node {
	for i := range c.nodes {
		if next := c.nodes[(n.id+i)%len(c.nodes)]; next.alive && next != n {
			return next
		}
	}
	return nil
}

// KillBroker kills one broker: its connections break and nobody answers at its
// address. In a cluster its topics stay with it for a while, so that lookups send
// clients to an address where nobody is, and go to the others then; see [Timing].
// Killing a dead broker does nothing.
func (b *Broker) KillBroker(broker int) error {
	return b.withNode("kill broker", broker, func(n *node) error {
		if !b.cfg.proxy {
			n.net.stop()
		}
		b.do(func(c *core) {
			if n.alive {
				c.breakStreams(n)
				c.down(n, true)
			}
		})
		b.log.Debug("broker killed", "broker", broker)
		return nil
	})
}

// StartBroker makes a broker that was killed reachable again, at its old address. It
// serves the topics that it still has, if it comes back in time, else none at first.
func (b *Broker) StartBroker(broker int) error {
	return b.withNode("start broker", broker, func(n *node) error {
		var alive bool
		b.do(func(*core) { alive = n.alive })
		if alive {
			return fmt.Errorf("danubetest: start broker: broker %d is running", broker)
		}
		return b.startNode(n)
	})
}

// withNode runs f for one broker, with the brokers' lives in one hand.
func (b *Broker) withNode(what string, broker int, f func(*node) error) error {
	b.life.Lock()
	defer b.life.Unlock()
	if broker < 1 || broker > len(b.core.nodes) {
		return fmt.Errorf("danubetest: %s: there is no broker %d", what, broker)
	}
	select {
	case <-b.gone:
		return fmt.Errorf("danubetest: %s: the broker is closed", what)
	default:
	}
	return f(b.core.nodes[broker-1])
}

// breakStreams ends the streams of a broker as a broken connection does. Only behind a
// proxy is there any left by then.
func (c *core) breakStreams(n *node) {
	for _, t := range c.topics {
		if t.owner != n {
			continue
		}
		for _, s := range t.subs {
			for _, co := range s.consumers {
				if co.stream != nil {
					co.stream.close(StreamUnavailable.err())
				}
			}
		}
	}
}
