package main

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// waitLimit is how long a wait lasts that does not say.
const waitLimit = 30 * time.Second

// deadline is the context of a request that waits, for as long as its timeout says.
func deadline(r *http.Request) (context.Context, context.CancelFunc, error) {
	d := waitLimit
	if s := r.URL.Query().Get("timeout"); s != "" {
		var err error
		if d, err = time.ParseDuration(s); err != nil || d < 0 {
			return nil, nil, bad("timeout %q: want a duration such as 5s", s)
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), d)
	return ctx, cancel, nil
}

// count is the number n of a request, 1 when it is left out.
func count(r *http.Request) (int, error) {
	s := r.URL.Query().Get("n")
	if s == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, bad("n %q: want a number, 0 or more", s)
	}
	return n, nil
}

// awaiting waits, no longer than a request wants to, for as many as it says.
func awaiting(r *http.Request, wait func(ctx context.Context, n int) error) error {
	n, err := count(r)
	if err != nil {
		return err
	}
	ctx, cancel, err := deadline(r)
	if err != nil {
		return err
	}
	defer cancel()
	return wait(ctx, n)
}

// need returns parameters of a request that must be there.
func need(r *http.Request, names ...string) ([]string, error) {
	var values []string
	for _, name := range names {
		v := r.URL.Query().Get(name)
		if v == "" {
			return nil, bad("parameter %s is missing", name)
		}
		values = append(values, v)
	}
	return values, nil
}

func (c *control) dump(*http.Request) (any, error) { return c.b.Dump(), nil }

func (c *control) waitAcked(r *http.Request) (any, error) {
	names, err := need(r, "topic", "subscription")
	if err != nil {
		return nil, err
	}
	return nil, awaiting(r, func(ctx context.Context, n int) error {
		return c.b.WaitAcked(ctx, names[0], names[1], n)
	})
}

func (c *control) createTopic(r *http.Request) (any, error) {
	var in struct {
		Name       string `json:"name"`
		Partitions int    `json:"partitions"`
		Dispatch   string `json:"dispatch"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	cfg := danubetest.TopicConfig{Partitions: in.Partitions}
	switch in.Dispatch {
	case "", "Reliable":
	case "NonReliable":
		cfg.Dispatch = danubetest.NonReliable
	default:
		return nil, bad("dispatch %q: want Reliable or NonReliable", in.Dispatch)
	}
	return nil, c.b.CreateTopic(in.Name, cfg)
}

func (c *control) createSubscription(r *http.Request) (any, error) {
	var in struct {
		Topic        string `json:"topic"`
		Subscription string `json:"subscription"`
		From         string `json:"from"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Subscription == "" {
		return nil, bad("subscription is missing")
	}
	var opts danubetest.SubOpts
	switch in.From {
	case "", "latest":
	case "earliest":
		opts.From = danubetest.Earliest
	default:
		return nil, bad("from %q: want latest or earliest", in.From)
	}
	return nil, c.b.CreateSubscription(in.Topic, in.Subscription, opts)
}

// place is where a message is.
type place struct {
	Topic  string `json:"topic"`
	Offset uint64 `json:"offset"`
}

func (c *control) publish(r *http.Request) (any, error) {
	var in struct {
		Topic      string            `json:"topic"`
		Payload    string            `json:"payload"`
		Base64     string            `json:"payload_base64"`
		Key        string            `json:"key"`
		Attributes map[string]string `json:"attributes"`
		Producer   string            `json:"producer"`
		Count      int               `json:"count"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	payload := []byte(in.Payload)
	if in.Base64 != "" {
		var err error
		if payload, err = base64.StdEncoding.DecodeString(in.Base64); err != nil {
			return nil, bad("payload_base64: %w", err)
		}
		if in.Payload != "" {
			return nil, bad("payload and payload_base64 exclude each other")
		}
	}
	if in.Count < 0 || in.Count > 1_000_000 {
		return nil, bad("count %d: want 0 to 1000000", in.Count)
	}
	if len(payload)*in.Count > maxPublish {
		return nil, bad("count %d: the payloads have more than %d bytes together", in.Count, maxPublish)
	}
	ids := []place{}
	for range max(in.Count, 1) {
		id, err := c.b.Publish(in.Topic, payload, danubetest.PubOpts{Key: in.Key, Attributes: in.Attributes, Producer: in.Producer})
		if err != nil {
			return nil, err
		}
		ids = append(ids, place{id.Topic, id.Offset})
	}
	return map[string]any{"messages": ids}, nil
}

// brokerOf reads the number of a broker, 1 when it is left out.
func brokerOf(r *http.Request) (int, error) {
	var in struct {
		Broker int `json:"broker"`
	}
	err := read(r, &in)
	if in.Broker == 0 {
		in.Broker = 1
	}
	return in.Broker, err
}

func (c *control) move(r *http.Request) (any, error) {
	var in struct {
		Topic  string `json:"topic"`
		Broker int    `json:"broker"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Broker == 0 {
		return nil, c.b.UnloadTopic(in.Topic)
	}
	return nil, c.b.MoveTopic(in.Topic, in.Broker)
}

func (c *control) kill(r *http.Request) (any, error) {
	n, err := brokerOf(r)
	if err != nil {
		return nil, err
	}
	return nil, c.b.KillBroker(n)
}

func (c *control) start(r *http.Request) (any, error) {
	n, err := brokerOf(r)
	if err != nil {
		return nil, err
	}
	return nil, c.b.StartBroker(n)
}

// restart is for all brokers: a body that names one is an error.
func (c *control) restart(r *http.Request) (any, error) {
	if err := read(r, &struct{}{}); err != nil {
		return nil, err
	}
	return nil, c.b.Restart()
}

// message is a message as /messages shows it.
type message struct {
	Topic      string            `json:"topic"`
	Offset     uint64            `json:"offset"`
	Epoch      int               `json:"epoch,omitempty"`
	Payload    []byte            `json:"payload_base64"`
	Key        string            `json:"key,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Producer   string            `json:"producer"`
	RequestID  uint64            `json:"request_id"`
	Published  time.Time         `json:"publish_time"`
	Stored     time.Time         `json:"stored_at"`
	Deliveries []delivery        `json:"deliveries,omitempty"`
}

// delivery is one time that a message went out.
type delivery struct {
	Subscription string    `json:"subscription"`
	Consumer     string    `json:"consumer"`
	At           time.Time `json:"at"`
	Attempt      int       `json:"attempt"`
	Outcome      string    `json:"outcome"`
	Reason       string    `json:"reason,omitempty"`
}

func (c *control) messages(r *http.Request) (any, error) {
	names, err := need(r, "topic")
	if err != nil {
		return nil, err
	}
	list := []message{}
	for _, m := range c.b.Messages(names[0]) {
		out := message{
			m.Topic, m.Offset, m.Epoch, m.Payload, m.Key, m.Attributes, m.Producer, m.RequestID, m.PublishTime, m.StoredAt, nil,
		}
		for _, d := range m.Deliveries {
			out.Deliveries = append(out.Deliveries, delivery{d.Subscription, d.Consumer, d.At, d.Attempt, d.Outcome.String(), d.NackReason})
		}
		list = append(list, out)
	}
	return map[string]any{"messages": list}, nil
}

func (c *control) subscription(r *http.Request) (any, error) {
	names, err := need(r, "topic", "subscription")
	if err != nil {
		return nil, err
	}
	i, ok := c.b.Subscription(names[0], names[1])
	if !ok {
		return nil, bad("there is no subscription %q of %q", names[1], names[0])
	}
	return map[string]any{
		"type": i.Type.String(), "cursor": i.Cursor, "pending": i.Pending, "retrying": i.Retrying, "exhausted": i.Exhausted,
		"in_flight": i.InFlight, "acked": i.Acked, "nacked": i.Nacked, "timed_out": i.TimedOut, "redelivered": i.Redelivered,
		"late_acks": i.LateAcks, "dropped": i.Dropped, "skipped": i.Skipped, "parked": i.Parked, "blocked": i.Blocked,
		"consumers": len(i.Consumers),
	}, nil
}
