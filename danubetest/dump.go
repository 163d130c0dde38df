package danubetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// dumpMessages is how many messages of a topic Dump shows, the newest.
const dumpMessages = 50

// Dump returns the broker's state as text: topics, messages and their deliveries,
// subscriptions, consumers, faults and counts. The order is stable, times are relative
// to the broker's making, and there are no ids, so equal runs give equal dumps.
func (b *Broker) Dump() (text string) {
	b.do(func(c *core) {
		d := dumper{start: c.start}
		d.line(0, "broker, %s after its start", d.since(c.now))
		d.cluster(c)
		for _, t := range c.sorted() {
			d.topic(t)
		}
		for _, name := range slices.Sorted(maps.Keys(c.schemas.subjects)) {
			s := c.schemas.subjects[name]
			d.line(0, "schema %s, %s, %d versions, compatibility %s", name, s.latest().def.Kind, len(s.versions), s.mode)
		}
		for i, f := range c.faults.all {
			d.line(0, "fault %d (%s): %d hits", i+1, f.describe(), f.hits)
		}
		d.calls(&c.calls)
		text = d.String()
	})
	return text
}

type dumper struct {
	strings.Builder
	start time.Time
}

func (d *dumper) line(indent int, format string, args ...any) {
	fmt.Fprintf(d, "%*s"+format+"\n", append([]any{2 * indent, ""}, args...)...)
}

func (d *dumper) since(t time.Time) string {
	return t.Sub(d.start).Round(time.Millisecond).String()
}

// cluster shows the brokers, if there are several.
func (d *dumper) cluster(c *core) {
	if len(c.nodes) == 1 {
		return
	}
	for _, n := range c.nodes {
		var topics []string
		for _, t := range c.sorted() {
			if t.owner == n {
				topics = append(topics, t.name)
			}
		}
		d.line(1, "broker %d, alive %t, topics %v", n.id, n.alive, topics)
	}
}

func (d *dumper) topic(t *topic) {
	moving := ""
	switch {
	case t.draining:
		moving = ", DRAINING"
	case t.owner == nil:
		moving = ", MOVING"
	}
	d.line(0, "topic %s, %s, %d published, %d kept%s", t.name, t.dispatch, t.next, t.log.len(), moving)
	if s := t.schema; s.TopicSchema != (TopicSchema{}) {
		d.line(1, "schema %q, policy %s, payloads checked %t", s.Subject, s.Policy, s.CheckPayload)
	}
	for _, name := range slices.Sorted(maps.Keys(t.producers)) {
		d.line(1, "producer %s, %d sent", name, t.producers[name].sent)
	}
	all := t.log.all()
	if skip := len(all) - dumpMessages; skip > 0 {
		d.line(1, "(%d older messages)", skip)
		all = all[skip:]
	}
	for _, m := range all {
		d.message(m)
	}
	for _, s := range t.subs {
		d.subscription(s)
	}
}

func (d *dumper) message(m *stored) {
	key := ""
	if m.wire.RoutingKey != nil {
		key = fmt.Sprintf(" key %q", m.wire.GetRoutingKey())
	}
	d.line(1, "message %d at %s from %s%s: %.40q", m.place, d.since(m.at), m.wire.GetProducerName(), key, m.wire.GetPayload())
	for _, r := range m.deliveries {
		end := ""
		if !r.ended.IsZero() {
			end = " at " + d.since(r.ended)
		}
		if r.reason != "" {
			end += fmt.Sprintf(" (%.80q)", r.reason)
		}
		d.line(2, "%s to %s at %s, attempt %d: %s%s", r.sub.name, r.consumer, d.since(r.at), r.attempt, r.outcome, end)
	}
}

func (d *dumper) subscription(s *subscription) {
	i := s.info()
	blocked := ""
	if i.Blocked {
		blocked = ", BLOCKED"
	}
	d.line(1, "subscription %s, %s, cursor %d: %d pending, %d of them again, %d in flight, %d acked, %d nacked, %d timed out, %d dropped%s",
		i.Name, i.Type, i.Cursor, i.Pending, i.Retrying, i.InFlight, i.Acked, i.Nacked, i.TimedOut, i.Dropped, blocked)
	for _, co := range s.consumers {
		d.line(2, "consumer %s, active %t, stream %t, %d in flight, %d delivered", co.name, co.active, co.stream != nil, co.inFlight, co.delivered)
	}
	for _, sl := range s.slots.all() {
		if sl == nil {
			continue
		}
		switch sl.state {
		case slotAwaiting:
			d.line(2, "%d awaits an ack from %s until %s, attempt %d", sl.msg.place, sl.consumer.name, d.since(sl.due), sl.attempts)
		case slotWaiting:
			d.line(2, "%d is to be sent again at %s, after %d attempts", sl.msg.place, d.since(sl.due), sl.attempts)
		case slotExhausted:
			d.line(2, "%d is exhausted after %d attempts", sl.msg.place, sl.attempts)
		}
	}
}

func (d *dumper) calls(l *callLog) {
	for m, byCode := range l.counts {
		var s []string
		for code, n := range byCode {
			if n > 0 {
				s = append(s, fmt.Sprintf("%d %s", n, codes.Code(code)))
			}
		}
		if len(s) > 0 {
			d.line(0, "calls of %s: %s", Method(m), strings.Join(s, ", "))
		}
	}
}
