package danubetest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/status"
)

// core is the broker's state. Only the loop touches it.
type core struct {
	cfg    *config
	now    time.Time // when the present task began
	start  time.Time // what Dump counts from
	alarms *alarms

	namespaces map[string]bool
	topics     map[string]*topic
	producers  map[uint64]*producer
	consumers  map[uint64]*consumer
	ids        uint64 // how many were given out
	random     *rand.Rand

	schemas registry
	auth    auth

	// With TrapRecreate: the stored cursors and schemas of deleted topics.
	graves     map[grave]int64
	oldSchemas map[string]*TopicSchema

	nodes   []*node // the brokers of the cluster
	placed  int     // how many topics were given to one in turn
	proxied int     // how many requests without an address the proxy has spread

	faults  faultSet
	calls   callLog
	waiters map[*waiter]struct{}
	changed bool // whether waiters must look again
	stats   Stats
	settled uint64 // number of the last ack, for their order
	wakes   uint64 // how often the loop ran something
}

// grave is the name of a subscription of a topic that was deleted.
type grave struct{ topic, subscription string }

func newCore(cfg *config) *core {
	now := time.Now()
	c := &core{
		random:     rand.New(rand.NewPCG(cfg.seed, 0)),
		cfg:        cfg,
		now:        now,
		start:      now,
		alarms:     newAlarms(),
		namespaces: make(map[string]bool),
		topics:     make(map[string]*topic),
		producers:  make(map[uint64]*producer),
		consumers:  make(map[uint64]*consumer),
		schemas:    registry{make(map[string]*subject), make(map[uint64]*subject)},
		graves:     make(map[grave]int64),
		oldSchemas: make(map[string]*TopicSchema),
		calls:      callLog{limit: cfg.callLog},
		waiters:    make(map[*waiter]struct{}),
	}
	for _, n := range cfg.namespaces {
		c.namespaces[n] = true
	}
	for _, t := range cfg.tokens {
		c.auth.add(t, now)
	}
	return c
}

// newID returns an id for a producer or consumer: random over all of uint64. Every
// second one has the highest bit set, so that no test misses that half by luck.
func (c *core) newID() uint64 {
	for {
		c.ids++
		id := c.random.Uint64()>>1 | c.ids&1<<63
		if c.producers[id] == nil && c.consumers[id] == nil && id != 0 {
			return id
		}
	}
}

// policy returns the failure policy of a subscription of that name: what is stored for
// it, else what the options say.
func (c *core) policy(t *topic, subscription string) FailurePolicy {
	if p, ok := t.policies[subscription]; ok {
		return p
	}
	if p, ok := c.cfg.policies[subscription]; ok {
		return p
	}
	if p, ok := c.cfg.policies[""]; ok {
		return p
	}
	p, _ := FailurePolicy{}.withDefaults()
	return p
}

// find returns the topic of that name, or all partitions of that base name in order
// of their numbers.
func (c *core) find(name string) []*topic {
	if t := c.topics[name]; t != nil {
		return []*topic{t}
	}
	var parts []*topic
	for _, t := range c.topics {
		if t.partition >= 0 && t.base == name {
			parts = append(parts, t)
		}
	}
	slices.SortFunc(parts, func(a, b *topic) int { return cmp.Compare(a.partition, b.partition) })
	return parts
}

// beginning returns the names of all topics that begin with name, sorted.
func (c *core) beginning(name string) (list []string) {
	for n := range c.topics {
		if strings.HasPrefix(n, name) {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list
}

// sorted returns all topics by name, partitions by number.
func (c *core) sorted() []*topic {
	var all []*topic
	for _, t := range c.topics {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *topic) int {
		return cmp.Or(cmp.Compare(a.base, b.base), cmp.Compare(a.partition, b.partition))
	})
	return all
}

// maxPartitions is what one request creates at most: each is a topic, and a number that
// is a mistake would fill the memory.
const maxPartitions = 1 << 14

// createTopic creates a topic, or all partitions of one, by hand. Errors are for
// people.
func (c *core) createTopic(name string, cfg TopicConfig) error {
	ns, ok := splitTopic(name)
	switch {
	case !ok || name[0] != '/' || ns == "" || name[len(name)-1] == '/':
		return fmt.Errorf("topic %q: want /namespace/name of letters, digits, _ and -", name)
	case cfg.Partitions < 0 || cfg.Partitions > maxPartitions:
		return fmt.Errorf("topic %q: %d partitions: want 0 to %d", name, cfg.Partitions, maxPartitions)
	case cfg.Dispatch != Reliable && cfg.Dispatch != NonReliable:
		return fmt.Errorf("topic %q: dispatch %d: want Reliable or NonReliable", name, cfg.Dispatch)
	}
	if cfg.Partitions == 0 {
		return c.addByHand(name, cfg.Dispatch)
	}
	for i := range cfg.Partitions {
		if err := c.addByHand(partitionName(name, i), cfg.Dispatch); err != nil {
			return err
		}
	}
	return nil
}

func (c *core) addByHand(name string, d Dispatch) error {
	if _, err := c.addTopic(name, d, c.place()); err != nil {
		return errors.New(status.Convert(err).Message())
	}
	return nil
}

// addTopic creates one topic on the wire, on a broker. Errors are statuses.
func (c *core) addTopic(name string, d Dispatch, n *node) (*topic, error) {
	ns, ok := splitTopic(name)
	if !ok {
		return nil, errTopicFormat(name)
	}
	if !c.namespaces[ns] {
		return nil, c.errNoNamespace(ns)
	}
	if c.topics[name] != nil {
		return nil, errTopicExists(name)
	}
	t := newTopic(name, d)
	t.owner, t.born = n, c.now
	if t.partition >= 0 && c.topics[t.base] != nil {
		return nil, errPlainExists(name, t.base)
	}
	in := len(c.find(name))
	if c.trap(TrapPrefix) {
		in = len(c.beginning(name))
	}
	if t.partition < 0 && in > 0 {
		return nil, errPartitionsExist(name, in)
	}
	if old := c.oldSchemas[name]; old != nil {
		delete(c.oldSchemas, name)
		t.schema.stored = old
		t.schema.reload()
	}
	c.topics[name] = t
	c.changed = true
	c.cfg.logger.Debug("topic created", "topic", name, "dispatch", d.String())
	return t, nil
}

// deleteTopic removes one topic: its streams end, its ids are unknown from now on.
func (c *core) deleteTopic(t *topic) {
	for _, s := range t.subs {
		s.stored = max(s.stored, s.acks) // as a move does
	}
	t.draining = true
	c.unload(t)
	c.alarms.clear(&t.moving)
	delete(c.topics, t.name)
	if !c.trap(TrapRecreate) {
		return
	}
	for _, s := range t.subs {
		if s.stored >= 0 {
			c.graves[grave{t.name, s.name}] = s.stored
		}
	}
	if t.schema.stored != nil {
		c.oldSchemas[t.name] = t.schema.stored
	}
	c.changed = true
}

// dropConsumers ends the streams of a subscription and forgets its consumers.
func (c *core) dropConsumers(s *subscription) {
	silent := c.trap(TrapSilentMove) && s.topic.draining && (s.suspended() || !c.trap(TrapParked))
	for _, co := range s.consumers {
		if co.stream != nil && !silent {
			co.stream.close(c.endOf(errMoved(s.topic.name)))
		}
		co.stream = nil
		delete(c.consumers, co.id)
		c.alarms.clear(&co.leave)
		c.alarms.clear(&co.lease)
	}
	s.consumers = nil
	c.busy(s)
	s.turn = 0
}

// unload forgets what a broker forgets that does not have the topic any more: every
// id, what is in flight, and how often it was tried. Messages and cursors stay, as far
// as no trap is on.
func (c *core) unload(t *topic) {
	c.meter(t)
	t.owner.unmeter(t)
	for _, p := range t.producers {
		delete(c.producers, p.id)
		c.alarms.clear(&p.lease)
	}
	clear(t.producers)
	t.schema.reload()
	t.arranged()
	for _, s := range t.subs {
		c.dropConsumers(s)
		c.put(s)
	}
	c.changed = true
}
