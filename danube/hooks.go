package danube

import (
	"context"
	"maps"
	"time"

	"google.golang.org/grpc/stats"
)

// Hooks hear what a client does, for metrics and traces. Each may be nil, and then costs
// nothing. They are called on the goroutines that do the work, of different producers,
// partitions and acks at the same time: they must be safe for concurrent use, must not
// block, and must not call back into what they hear of.
type Hooks struct {
	// Published is called for each message that Send or SendAsync accepted, when its
	// outcome is certain, just before the caller hears of it.
	Published func(PublishEvent)
	// Received is called for each message that is handed out, just before: not for a copy
	// that the application does not see. Messages are immutable.
	Received func(*Message)
	// Acked is called for each ack that was sent, when it was answered or has failed. One
	// that failed is sent again, so a message may have several.
	Acked func(AckEvent)
	// Nacked is the same for a nack, which is sent once.
	Nacked func(AckEvent)
	// Session is called with what OnSession hears of all producers and consumers, before
	// it does.
	Session func(Who, SessionEvent)
	// Anomaly is called with what OnAnomaly hears of all consumers, before it does.
	Anomaly func(Who, Anomaly)
	// Propagator carries the context of a publish to those who receive the message, such
	// as a trace. Default: nothing is added to messages.
	Propagator Propagator
	// StatsHandler hears of every call on every connection, such as the one of otelgrpc.
	StatsHandler stats.Handler
}

// Who is the producer or the consumer that an event is about; its name is as configured,
// and the other one's fields are empty.
type Who struct {
	Producer     string
	Consumer     string
	Subscription string // of the consumer
}

// PublishEvent is the outcome of one message.
type PublishEvent struct {
	Receipt
	Producer string        // its name, as configured
	Latency  time.Duration // from the acceptance, with the wait for those before it
	Bytes    int           // of payload
	Err      error         // as Send returns it; nil when the broker has the message
}

// AckEvent is one ack or nack that was sent.
type AckEvent struct {
	Topic        string // on the wire
	Partition    int32
	Subscription string
	Offset       uint64
	Latency      time.Duration // of the call
	Err          error         // nil when the broker answered OK
}

// Propagator carries a context in attributes. With OpenTelemetry it is two lines round a
// propagation.TextMapPropagator, with the attributes as its MapCarrier.
type Propagator interface {
	// Inject adds to a message's attributes what its receivers should know of the context
	// that Send or SendAsync was called with. The map is the message's own copy. It runs on
	// the goroutine of that call.
	Inject(ctx context.Context, attributes map[string]string)
	// Extract returns ctx with what Inject added, or ctx. The map must not be changed, and
	// may be nil.
	Extract(ctx context.Context, attributes map[string]string) context.Context
}

// inject returns the message with the context that it is sent in.
func (h *Hooks) inject(ctx context.Context, m *Outgoing) *Outgoing {
	if h.Propagator == nil {
		return m
	}
	carrier := *m
	carrier.Attributes = make(map[string]string, len(m.Attributes)+2)
	maps.Copy(carrier.Attributes, m.Attributes)
	h.Propagator.Inject(ctx, carrier.Attributes)
	return &carrier
}

// MessageContext returns ctx with what the sender of a message let travel with it, such
// as its trace; ctx itself without a Propagator.
func (c *Client) MessageContext(ctx context.Context, m *Message) context.Context {
	if c.cfg.Hooks.Propagator == nil {
		return ctx
	}
	return c.cfg.Hooks.Propagator.Extract(ctx, m.Attributes)
}

// heardSessions makes the hook hear what report does. Both may be nil.
func (h *Hooks) heardSessions(who Who, report func(SessionEvent)) func(SessionEvent) {
	switch {
	case h.Session == nil:
		return report
	case report == nil:
		return func(e SessionEvent) { h.Session(who, e) }
	}
	return func(e SessionEvent) {
		h.Session(who, e)
		report(e)
	}
}

// heardAnomalies does the same for anomalies.
func (h *Hooks) heardAnomalies(who Who, report func(Anomaly)) func(Anomaly) {
	switch {
	case h.Anomaly == nil:
		return report
	case report == nil:
		return func(a Anomaly) { h.Anomaly(who, a) }
	}
	return func(a Anomaly) {
		h.Anomaly(who, a)
		report(a)
	}
}

// settle tells the outcome of a message.
func (l *lane) settle(it pending, r Receipt, err error) {
	if heard := l.p.client.cfg.Hooks.Published; heard != nil {
		heard(PublishEvent{Receipt: r, Producer: l.p.cfg.Name, Latency: time.Since(it.at), Bytes: len(it.m.Payload), Err: err})
	}
	it.done(r, err)
}

// ackSent tells of an ack or nack that was sent at a time.
func (p *partition) ackSent(heard func(AckEvent), op string, to target, offset uint64, at time.Time, err error) {
	e := AckEvent{Topic: p.topic, Partition: p.number, Subscription: p.c.cfg.Subscription, Offset: offset, Latency: time.Since(at)}
	if err != nil {
		e.Err = p.failed(op, to, rpcAck, err)
	}
	heard(e)
}

// received tells of a message that is about to be handed out.
func (p *partition) received(m *Message) *Message {
	if heard := p.c.client.cfg.Hooks.Received; heard != nil {
		heard(m)
	}
	return m
}
