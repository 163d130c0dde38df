package danube

import (
	"fmt"
	"slices"
)

// Anomaly is something that a broker did to a subscription and that the client can
// see and not undo.
type Anomaly struct {
	Kind      AnomalyKind
	Topic     string // on the wire
	Partition int32
	// From and To are the first and the last offset of a gap, or the first and the last
	// number of stamps. For a restart of the numbering, From is the offset that shows it
	// and To the highest one before.
	From, To uint64
	// Producer and Epoch are those of the stamps, empty where it is not about stamps.
	Producer, Epoch string
	// Lag is how many messages the broker says that it has and does not deliver, for
	// Stalled; for Resumed, how many it said last, 0 when it does not say so any more.
	Lag uint64
}

// AnomalyKind says what happened.
type AnomalyKind int

const (
	// GapFound: an Exclusive subscription did not get the messages of some offsets. A
	// broker tails 256 messages for a subscription that is new or slow, and skips what
	// is older; after a topic has moved to another broker, they come (seen on 0.15.1). Where
	// several producers publish at once it sends a message now and then before the one with
	// the offset below, so what follows on a gap waits for three others, each of which may
	// take 20 ms, and is handed out behind what comes meanwhile: that is no gap.
	GapFound AnomalyKind = iota
	// GapFilled: messages of a gap that was reported have come after all; or one has come
	// that lies below the first that came at all, and of which nobody knew whether it was
	// missing: a broker to which several producers send at once does not always begin with
	// the lowest offset, and one that a topic has moved to begins where the one before had
	// last saved the subscription's position, or its log (seen on 0.15.1).
	GapFilled
	// NumberingRestarted: the topic's offsets begin again, as after a restart of its
	// broker. Acks of what was received before go nowhere, and messages below the
	// subscription's old position are never delivered (seen on 0.15.1).
	NumberingRestarted
	// StampGap: messages of a producer were not handed out although a later one is. A
	// loss that shows as a gap of the offsets comes as GapFound as well. This and the
	// next two need ConsumerConfig.Stamps.
	StampGap
	// StampGapFilled: messages that were reported missing by their stamps have come.
	StampGapFilled
	// StampRepeated: a message with this stamp was handed out before. It was published
	// again because an answer was lost; or it was not acknowledged, or that ack was lost
	// with its broker, and the broker has delivered it again at another offset, to another
	// consumer, or after a Nack.
	StampRepeated
	// Stalled: the broker has messages for the subscription and delivers none, though the
	// stream is open and the application has acknowledged or handed back everything that
	// it got. Only a look at the broker's metrics shows it (Config.Metrics), and it comes
	// Config.StallAfter after the look that showed it first, once for each stall. On
	// 0.15.1 a subscription goes silent so for good when its topic has moved and more is
	// published at once than the broker's cache holds, and when a message has used up its
	// deliveries; a move to another broker (Admin.UnloadTopic) or a restart ends it. A
	// session that is lost is not a stall: OnSession tells of that. After a restart a broker
	// may deliver old messages in the place of new ones, one for each that is published: an
	// Exclusive subscription to which only messages come that are older than those before,
	// by their producers' own clocks, is stalled as well. A process that has just begun
	// cannot tell those from new ones.
	Stalled
	// Resumed: a stall that was reported is over. Messages come again, before the first new
	// one of which this is told; or, with a Lag of 0, a look at the metrics shows that the
	// broker that had some has none any more, or that messages come from one that the topic
	// has moved to. That a broker has none after a restart or a move does not end a stall: on
	// 0.15.1 it says so as well where its log has lost what it had, and nothing will come
	// until as much is published again. After a restart only a message does, and on an
	// Exclusive subscription one that is newer than all before.
	Resumed
)

func (k AnomalyKind) String() string {
	names := [...]string{
		"messages were not delivered, and are lost to the subscription unless the topic moves to another broker",
		"messages that were missing have come",
		"the topic's numbering has started again, as after a restart of its broker; messages below the subscription's old position are lost",
		"stamped messages were not delivered",
		"stamped messages that were missing have come",
		"a stamped message has come again",
		"the broker has messages for the subscription and delivers none, until the topic moves to another broker or its own restarts",
		"the broker's silence is over",
	}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("anomaly %d", int(k))
	}
	return names[k]
}

func (a Anomaly) String() string {
	switch a.Kind {
	case GapFound:
		return fmt.Sprintf("%s: offsets %d to %d, %d messages, were not delivered", a.Topic, a.From, a.To, a.To-a.From+1)
	case GapFilled:
		return fmt.Sprintf("%s: offsets %d to %d, which were missing, have come", a.Topic, a.From, a.To)
	case StampGap:
		return fmt.Sprintf("%s: numbers %d to %d of %s/%s, %d messages, were not delivered", a.Topic, a.From, a.To, a.Producer, a.Epoch, a.To-a.From+1)
	case StampGapFilled:
		return fmt.Sprintf("%s: numbers %d to %d of %s/%s, reported missing, have come", a.Topic, a.From, a.To, a.Producer, a.Epoch)
	case StampRepeated:
		return fmt.Sprintf("%s: number %d of %s/%s has come again", a.Topic, a.From, a.Producer, a.Epoch)
	case Stalled:
		return fmt.Sprintf("%s: the broker has %d messages and delivers none", a.Topic, a.Lag)
	case Resumed:
		return fmt.Sprintf("%s: the broker's silence is over", a.Topic)
	}
	return fmt.Sprintf("%s: the numbering has started again at %d, it was at %d", a.Topic, a.From, a.To)
}

// gaps finds the offsets that a subscription should have got: on an Exclusive one
// they are contiguous.
type gaps struct {
	own   bool // what is missing from here on, no consumer before this one has got
	known bool
	next  uint64 // the offset that is expected
	floor uint64 // below it, nobody knows what is missing: it is before the first that came, or was forgotten
	holes []hole // ascending, without overlap
	bases lagBases
}

type hole struct {
	from, to uint64
	reported bool
}

// maxHoles bounds the memory of holes to 1.5 MiB; the oldest are forgotten first, some at
// a time. A slow consumer leaves one in every few messages, and what is missing may come
// as long as the topic is there: when its broker restarts, it reads the log again.
const maxHoles = 1 << 16

// got notes an offset, and returns a hole that was reported and that it has filled,
// wholly or in part.
func (g *gaps) got(offset uint64) (filled bool) {
	switch {
	case offset+1 == 0: // nothing can be expected after it, and no log gets there
	case !g.known:
		g.known, g.next, g.floor = true, offset+1, offset
	case offset == g.next:
		g.next++
	case offset > g.next:
		g.holes = append(g.holes, hole{from: g.next, to: offset - 1})
		g.bases.list = nil
		if len(g.holes) > maxHoles {
			g.forget(maxHoles / 8)
		}
		g.next = offset + 1
	default:
		return g.fill(offset)
	}
	return false
}

// below reports that an offset lies where nobody knows what is missing.
func (g *gaps) below(offset uint64) bool { return g.known && offset < g.floor }

// forget drops the oldest holes.
func (g *gaps) forget(n int) {
	g.floor = g.holes[n-1].to + 1
	g.holes = slices.Delete(g.holes, 0, n)
}

// skip notes an offset below which nobody knows what came.
func (g *gaps) skip(offset uint64) {
	if offset+1 != 0 && (!g.known || offset >= g.next) {
		g.known, g.next, g.floor = true, offset+1, offset+1
	}
}

// fill takes an offset out of the hole that it is in.
func (g *gaps) fill(offset uint64) (reported bool) {
	i, found := g.find(offset)
	if !found {
		return false
	}
	h := g.holes[i]
	left, right := h, h
	left.to, right.from = offset-1, offset+1
	var rest []hole
	if offset > h.from {
		rest = append(rest, left)
	}
	if offset < h.to {
		rest = append(rest, right)
	}
	g.holes = slices.Replace(g.holes, i, i+1, rest...)
	g.bases.list = nil
	return h.reported
}

// find finds the hole that an offset is in, or the first one above it.
func (g *gaps) find(offset uint64) (i int, found bool) {
	return slices.BinarySearchFunc(g.holes, offset, func(h hole, o uint64) int {
		switch {
		case h.to < o:
			return -1
		case h.from > o:
			return 1
		}
		return 0
	})
}

// report returns the holes that were not reported yet: the newest.
func (g *gaps) report() []hole {
	i := len(g.holes)
	for i > 0 && !g.holes[i-1].reported {
		i--
		g.holes[i].reported = true
	}
	return slices.Clone(g.holes[i:])
}
