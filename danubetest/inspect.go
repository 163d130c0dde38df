package danubetest

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
)

// Topics returns all topics by name, partitions by number.
func (b *Broker) Topics() (list []TopicInfo) {
	b.do(func(c *core) {
		for _, t := range c.sorted() {
			info := TopicInfo{
				Name:      t.name,
				Dispatch:  t.dispatch,
				Published: int(t.earlier + t.next),
				Lost:      int(t.lost),
				Kept:      t.log.len(),
				Bytes:     t.bytes,
				Producers: slices.Sorted(maps.Keys(t.producers)),
				Schema:    t.schema.TopicSchema,
			}
			for _, s := range t.subs {
				info.Subscriptions = append(info.Subscriptions, s.name)
			}
			list = append(list, info)
		}
	})
	return list
}

// Messages returns the messages of a topic that are kept, in order; for the base name
// of a partitioned topic those of one partition after another. Where numbering has
// restarted, those from before come first.
func (b *Broker) Messages(topic string) (list []Message) {
	b.do(func(c *core) {
		for _, t := range c.find(topic) {
			for _, m := range slices.Concat(t.past, t.log.all()) {
				list = append(list, m.info(t))
			}
		}
	})
	return list
}

func (m *stored) info(t *topic) Message {
	w := m.wire
	info := Message{
		Topic:       t.name,
		Offset:      m.place,
		Epoch:       m.epoch,
		Payload:     bytes.Clone(w.GetPayload()),
		Attributes:  maps.Clone(w.GetAttributes()),
		Key:         w.GetRoutingKey(),
		Producer:    w.GetProducerName(),
		ProducerID:  w.GetMsgId().GetProducerId(),
		RequestID:   w.GetRequestId(),
		PublishTime: time.UnixMilli(int64(w.GetPublishTime())),
		StoredAt:    m.at,

		SchemaID:      w.GetSchemaId(),
		SchemaVersion: w.GetSchemaVersion(),
	}
	for _, d := range m.deliveries {
		info.Deliveries = append(info.Deliveries, Delivery{
			Subscription: d.sub.name,
			Consumer:     d.consumer,
			At:           d.at,
			Attempt:      d.attempt,
			Outcome:      d.outcome,
			Ended:        d.ended,
			NackReason:   d.reason,
			NackDelay:    d.delay,
			order:        d.order,
		})
	}
	return info
}

// Subscription returns the state of a subscription; ok is false when there is none.
func (b *Broker) Subscription(topic, subscription string) (info SubscriptionInfo, ok bool) {
	b.do(func(c *core) { info, ok = c.subscriptionInfo(topic, subscription) })
	return info, ok
}

func (c *core) subscriptionInfo(topic, name string) (SubscriptionInfo, bool) {
	var parts []SubscriptionInfo
	for _, t := range c.find(topic) {
		if s := t.sub(name); s != nil {
			parts = append(parts, s.info())
		}
	}
	switch {
	case len(parts) == 0:
		return SubscriptionInfo{}, false
	case c.topics[topic] != nil:
		return parts[0], true
	}
	sum := SubscriptionInfo{Topic: topic, Name: name, Type: parts[0].Type, Cursor: -1, Partitions: parts}
	for _, p := range parts {
		sum.Pending += p.Pending
		sum.Retrying += p.Retrying
		sum.Exhausted += p.Exhausted
		sum.InFlight += p.InFlight
		sum.Acked += p.Acked
		sum.Nacked += p.Nacked
		sum.TimedOut += p.TimedOut
		sum.Redelivered += p.Redelivered
		sum.LateAcks += p.LateAcks
		sum.Dropped += p.Dropped
		sum.Skipped += p.Skipped
		sum.Parked = sum.Parked || p.Parked
		sum.Blocked = sum.Blocked || p.Blocked
		sum.Consumers = append(sum.Consumers, p.Consumers...)
	}
	return sum, true
}

func (s *subscription) info() SubscriptionInfo {
	info := SubscriptionInfo{
		Topic:       s.topic.name,
		Name:        s.name,
		Type:        s.typ,
		Cursor:      int64(s.low) - 1,
		Pending:     int(s.unread()) + len(s.waiting) + len(s.held) + len(s.exhausted),
		Retrying:    len(s.waiting),
		Exhausted:   len(s.exhausted),
		InFlight:    s.awaiting.len,
		Acked:       int(s.acked),
		Nacked:      int(s.nacked),
		TimedOut:    int(s.timeouts),
		Redelivered: int(s.redelivered),
		LateAcks:    int(s.late),
		Dropped:     int(s.dropped),
		Skipped:     int(s.skipped),
		Parked:      s.suspended(),
		Blocked:     len(s.exhausted) > 0 && s.policy.Poison == Block,
	}
	for _, co := range s.consumers {
		info.Consumers = append(info.Consumers, co.info())
	}
	return info
}

func (co *consumer) info() ConsumerInfo {
	return ConsumerInfo{
		ID:           co.id,
		Name:         co.name,
		Topic:        co.sub.topic.name,
		Subscription: co.sub.name,
		Active:       co.active,
		Streaming:    co.stream != nil,
		InFlight:     co.inFlight,
		Delivered:    int(co.delivered),
	}
}

// Producers returns all producers, by topic and name.
func (b *Broker) Producers() (list []ProducerInfo) {
	b.do(func(c *core) {
		for _, t := range c.sorted() {
			for _, name := range slices.Sorted(maps.Keys(t.producers)) {
				p := t.producers[name]
				list = append(list, ProducerInfo{p.id, p.name, t.name, int(p.sent)})
			}
		}
	})
	return list
}

// Consumers returns all consumers, by topic, subscription and order of joining.
func (b *Broker) Consumers() (list []ConsumerInfo) {
	b.do(func(c *core) {
		for _, t := range c.sorted() {
			for _, s := range t.subs {
				for _, co := range s.consumers {
					list = append(list, co.info())
				}
			}
		}
	})
	return list
}

// Calls returns the remembered calls that filter says yes to, oldest first; all with a
// nil filter. See [WithCallLog].
func (b *Broker) Calls(filter func(Call) bool) (list []Call) {
	b.do(func(c *core) {
		l := &c.calls
		list = append(list, l.ring[l.next:]...)
		list = append(list, l.ring[:l.next]...)
	})
	for i := range list {
		if a := list[i].peer; a != nil {
			list[i].Peer = a.String()
		}
	}
	if filter == nil {
		return list
	}
	return slices.DeleteFunc(list, func(in Call) bool { return !filter(in) })
}

// Stats returns the counts.
func (b *Broker) Stats() (st Stats) {
	b.do(func(c *core) {
		st = c.stats
		st.Calls = make(map[Method]map[codes.Code]int)
		for m, byCode := range c.calls.counts {
			for code, n := range byCode {
				if n == 0 {
					continue
				}
				if st.Calls[Method(m)] == nil {
					st.Calls[Method(m)] = make(map[codes.Code]int)
				}
				st.Calls[Method(m)][codes.Code(code)] = int(n)
			}
		}
	})
	return st
}
