package danube

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// PartitionsEvent says that the brokers list other partitions of a topic than they did
// before.
type PartitionsEvent struct {
	Topic string
	// Listed are the numbers of the partitions that the brokers list, ascending.
	Listed []int32
	// Used is how many partitions the producer or consumer works with now.
	Used int
	// Missing are those of Listed's numbers that it should have and has not: partitions
	// that are worked with and not listed any more, and holes in the numbering. The
	// sessions on them go on for as long as the brokers let them.
	Missing []int32
}

// watchPartitions asks what partitions a topic has, again and again until ctx ends, and
// tells when that has changed. changed returns false to be told of the same once more.
func (c *Client) watchPartitions(ctx context.Context, topic string, last []int32, interval time.Duration, changed func([]int32) bool) {
	for sleep(ctx, spread(interval)) {
		listed, _, err := c.router.listPartitions(ctx, topic)
		if err != nil {
			c.log.Debug("danube: no answer about a topic's partitions", "topic", topic, "error", err)
			continue
		}
		if !slices.Equal(listed, last) && changed(listed) {
			last = listed
		}
	}
}

// spread moves a duration by up to a fifth to either side, so that what began together
// does not stay together.
func spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// missingPartitions are the partitions that are not listed: of those in use, and of
// those below the highest number listed.
func missingPartitions(listed, used []int32) []int32 {
	var missing []int32
	for i, next := 0, int32(0); i < len(listed) && len(missing) < maxPartitions; next++ {
		if listed[i] == next {
			i++
		} else {
			missing = append(missing, next)
		}
	}
	for _, n := range used {
		if !slices.Contains(listed, n) && !slices.Contains(missing, n) {
			missing = append(missing, n)
		}
	}
	slices.Sort(missing)
	return missing
}

// tellPartitions logs a changed list and hands it to whom it concerns.
func (c *Client) tellPartitions(who string, e PartitionsEvent, tell func(PartitionsEvent), say string) {
	log := c.log.Info
	if len(e.Missing) > 0 {
		log = c.log.Error
	}
	log("danube: the brokers list other partitions: "+say, "topic", e.Topic, "of", who, "listed", len(e.Listed), "used", e.Used, "missing", fmt.Sprint(e.Missing[:min(len(e.Missing), 16)]))
	if tell != nil {
		tell(e)
	}
}

// grow opens sessions on partitions that are new.
func (c *Consumer) grow(listed []int32) bool {
	var used []int32
	for _, p := range c.partitions() {
		used = append(used, p.number)
	}
	e := PartitionsEvent{Topic: c.cfg.Topic, Listed: listed, Missing: missingPartitions(listed, used)}
	fresh := slices.DeleteFunc(slices.Clone(listed), func(n int32) bool { return slices.Contains(used, n) })
	if !c.start(fresh...) {
		return true // it closes
	}
	e.Used = len(c.partitions())
	c.client.tellPartitions("consumer "+c.cfg.Name, e, c.cfg.OnPartitions, "new ones are consumed from now on, without what was published to them before")
	return true
}

// Growth says what a producer does when its topic has more partitions than it had when
// the producer was opened.
type Growth int

const (
	// GrowNever: the producer goes on with the partitions it had, and tells of the
	// others. A key's messages keep their partition.
	GrowNever Growth = iota
	// GrowUnkeyed: messages without a key go to the new partitions as well; a key's
	// messages keep their partition. A producer that is opened later, or another one,
	// spreads keys over all partitions, so that a key may then be in two.
	GrowUnkeyed
	// GrowAll: keys are spread anew over all partitions. The messages of a key before and
	// after are in different partitions, and in no order among each other.
	GrowAll
)

func (g Growth) String() string {
	names := [...]string{"never", "unkeyed", "all"}
	if g < 0 || int(g) >= len(names) {
		return fmt.Sprintf("growth %d", int(g))
	}
	return names[g]
}

// grow takes partitions that are new into use, where that is wanted.
func (p *Producer) grow(ctx context.Context, listed []int32) bool {
	lanes := *p.lanes.Load()
	var used []int32
	for _, l := range lanes {
		used = append(used, l.partition)
	}
	e := PartitionsEvent{Topic: p.cfg.Topic, Listed: listed, Missing: missingPartitions(listed, used)}
	say, done := "the producer goes on with those it has (ProducerConfig.Growth)", true
	if p.cfg.Growth != GrowNever && len(e.Missing) == 0 && len(listed) > len(lanes) {
		say = "the producer uses them all from now on"
		if done = p.adopt(ctx, listed[len(lanes):]); !done {
			say = "the producer cannot use the new ones and tries again"
		}
	}
	e.Used = len(*p.lanes.Load())
	if ctx.Err() == nil {
		p.client.tellPartitions("producer "+p.cfg.Name, e, p.cfg.OnPartitions, say)
	}
	return done
}

// adopt opens lanes on new partitions and uses them once they all have a session.
func (p *Producer) adopt(ctx context.Context, parts []int32) (ok bool) {
	var fresh []*lane
	for _, n := range parts {
		l := newLane(p, n)
		fresh = append(fresh, l)
		go l.run()
	}
	ok = true
	for _, l := range fresh {
		select {
		case <-l.opened:
		case <-ctx.Done():
		}
		ok = ok && l.failure() == nil && ctx.Err() == nil
	}
	if !ok {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		for _, l := range fresh {
			_ = l.close(ended) // nothing was accepted
		}
		return false
	}
	lanes := append(slices.Clone(*p.lanes.Load()), fresh...)
	p.lanes.Store(&lanes)
	if p.cfg.Growth == GrowAll {
		p.keyed.Store(int64(len(lanes)))
	}
	return true
}
