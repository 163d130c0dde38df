package danubetest

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"time"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// CreateTopic creates a topic, or, with TopicConfig.Partitions, the partitions of one.
func (b *Broker) CreateTopic(name string, cfg TopicConfig) (err error) {
	b.do(func(c *core) { err = c.createTopic(name, cfg) })
	if err != nil {
		return fmt.Errorf("danubetest: create topic: %w", err)
	}
	return nil
}

// DeleteTopic removes a topic, or all partitions behind a base name, with everything
// that belongs to it. Streams end cleanly, and ids are unknown from then on.
func (b *Broker) DeleteTopic(name string) (err error) {
	b.do(func(c *core) {
		topics := c.find(name)
		if len(topics) == 0 {
			err = fmt.Errorf("danubetest: delete topic: %w", errUnknownTopic(name))
		}
		for _, t := range topics {
			c.deleteTopic(t)
		}
	})
	return err
}

// From says where a new subscription starts.
type From int

const (
	// Latest starts behind the newest message, as Subscribe does.
	Latest From = iota
	// Earliest starts at the oldest message that is kept. No client can ask for it.
	Earliest
)

// SubOpts is how [Broker.CreateSubscription] makes a subscription.
type SubOpts struct {
	// From is Latest when left out.
	From From
}

// CreateSubscription makes a subscription without a consumer, on a topic or on all
// partitions of one; its first subscriber decides its type. Where it exists already
// it is left alone.
func (b *Broker) CreateSubscription(topic, subscription string, opts SubOpts) (err error) {
	b.do(func(c *core) {
		topics, cerr := c.findOrCreate(topic)
		if cerr != nil {
			err = fmt.Errorf("danubetest: create subscription: %w", cerr)
			return
		}
		for _, t := range topics {
			if t.sub(subscription) == nil {
				low := t.next
				if opts.From == Earliest && t.dispatch == Reliable {
					low = t.first
				}
				c.newSubscription(t, subscription, low)
			}
		}
	})
	return err
}

// MsgID says where a published message is.
type MsgID struct {
	// Topic is the topic on the wire, with the partition's suffix.
	Topic string
	// Offset is the place in Topic. On NonReliable topics consumers do not see it.
	Offset uint64
}

// PubOpts are the parts of a message beside its payload.
type PubOpts struct {
	// Key is the routing key. On a partitioned topic it chooses the partition, as the
	// clients do; messages without one take turns.
	Key        string
	Attributes map[string]string
	// Producer is the name of the producer; "danubetest" when left out.
	Producer  string
	RequestID uint64
	// PublishTime is now when left out; the wire carries milliseconds.
	PublishTime time.Time
	// SchemaID and SchemaVersion are set when SchemaID is not 0. Nothing is checked
	// against the topic's schema.
	SchemaID      uint64
	SchemaVersion uint32
}

// Publish puts a message into a topic without a client. A topic that does not exist
// is created, unless [WithAutoCreateTopics] says no.
func (b *Broker) Publish(topic string, payload []byte, opts ...PubOpts) (id MsgID, err error) {
	b.do(func(c *core) { id, err = c.inject(b.URL(), topic, payload, opts) })
	return id, err
}

// PublishN puts n messages into a topic, with the payloads that payload returns for 0
// to n-1.
func (b *Broker) PublishN(topic string, n int, payload func(i int) []byte) ([]MsgID, error) {
	ids := make([]MsgID, 0, n)
	for i := range n {
		id, err := b.Publish(topic, payload(i))
		if err != nil {
			return ids, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (c *core) inject(url, name string, payload []byte, opts []PubOpts) (MsgID, error) {
	var o PubOpts
	switch len(opts) {
	case 0:
	case 1:
		o = opts[0]
	default:
		return MsgID{}, errors.New("danubetest: publish: more than one PubOpts")
	}
	topics, err := c.findOrCreate(name)
	if err != nil {
		return MsgID{}, fmt.Errorf("danubetest: publish: %w", err)
	}
	t := topics[0]
	switch {
	case len(topics) == 1:
	case o.Key != "":
		h := fnv.New64a()
		h.Write([]byte(o.Key))
		t = topics[h.Sum64()%uint64(len(topics))]
	default:
		t = topics[topics[0].turn%len(topics)]
		topics[0].turn++
	}
	if o.PublishTime.IsZero() {
		o.PublishTime = c.now
	}
	m := &pb.StreamMessage{
		RequestId:    o.RequestID,
		MsgId:        &pb.MsgID{TopicName: t.name, BrokerAddr: url},
		Payload:      append([]byte(nil), payload...),
		PublishTime:  uint64(o.PublishTime.UnixMilli()),
		ProducerName: cmp.Or(o.Producer, "danubetest"),
		Attributes:   maps.Clone(o.Attributes),
	}
	if o.Key != "" {
		m.RoutingKey = &o.Key
	}
	if o.SchemaID != 0 {
		m.SchemaId, m.SchemaVersion = &o.SchemaID, &o.SchemaVersion
	}
	place := c.append(t, m, nil).place
	return MsgID{t.name, place}, nil
}

// findOrCreate is find that creates a plain topic where that is allowed.
func (c *core) findOrCreate(name string) ([]*topic, error) {
	if topics := c.find(name); len(topics) > 0 {
		return topics, nil
	}
	if !c.cfg.autoCreate {
		return nil, errUnknownTopic(name)
	}
	if err := c.createTopic(name, TopicConfig{}); err != nil {
		return nil, err
	}
	return c.find(name), nil
}

func errUnknownTopic(name string) error { return fmt.Errorf("there is no topic %q", name) }
