package danube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// maxRequest is the most that a broker takes in one request, everything included.
const maxRequest = 4 << 20

// pending is one accepted message on its way.
type pending struct {
	m    *Outgoing
	done func(Receipt, error)
}

// lane publishes to one partition: one goroutine, one send outstanding, the
// message at the head repeated until it is settled.
type lane struct {
	p         *Producer
	topic     string // on the wire
	partition int32
	name      string
	queue     *bounded[pending]
	wait      *retry.Backoff

	ctx    context.Context // ends when the lane must give up
	cancel context.CancelCauseFunc
	opened chan struct{} // closed at the first session, or when the lane has failed
	ended  chan struct{} // closed when the goroutine is gone

	mu      sync.Mutex
	err     error // the lane has failed: nothing can be sent any more
	last    error // why the last attempt at a session failed
	isOpen  bool
	unsent  int // messages that ended without having been handed to the broker
	unknown int // and those that may be in the topic

	// The rest belongs to the lane's goroutine.
	sess     *session
	requests uint64
	watch    watchdog
	schema   *SchemaID // the session's; nil for none
	override *SchemaID // the message's
	stamps   stamper
	msg      danubepb.StreamMessage
	id       danubepb.MsgID
	resp     danubepb.MessageResponse
}

func newLane(p *Producer, partition int32) *lane {
	l := &lane{
		p: p, topic: p.cfg.Topic, partition: partition, name: p.cfg.Name,
		queue:  newBounded[pending](p.cfg.MaxPending, p.cfg.MaxPendingBytes),
		wait:   p.client.backoff(),
		opened: make(chan struct{}),
		ended:  make(chan struct{}),
		// Numbers of two runs of one producer do not meet: the high half is the time.
		requests: uint64(time.Now().Unix()) << 32,
		stamps:   newStamper(p.cfg.Stamp),
	}
	if partition != NoPartition {
		l.topic = partitionTopic(p.cfg.Topic, partition)
		l.name = fmt.Sprintf("%s-%d", p.cfg.Name, partition)
	}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l
}

func (l *lane) accept(ctx context.Context, m *Outgoing, done func(Receipt, error)) error {
	if err := l.refusal(); err != nil {
		return err
	}
	ok, err := l.queue.push(ctx, pending{m, done}, len(m.Payload))
	if err != nil {
		return &Error{Op: "publish", Topic: l.topic, Reason: ErrNotSent, Err: err}
	}
	if !ok {
		if err := l.refusal(); err != nil {
			return err
		}
		return &Error{Op: "publish", Topic: l.topic, Reason: ErrClosed}
	}
	return nil
}

// refusal is why nothing is taken any more.
func (l *lane) refusal() error {
	err := l.failure()
	if err == nil || !errors.Is(err, ErrClosed) {
		return err
	}
	return &Error{Op: "publish", Topic: l.topic, Reason: ErrClosed}
}

func (l *lane) run() {
	defer close(l.ended)
	defer l.dropSession(ErrClosed)
	defer l.watch.stop()
	if err := l.ensureSession(); err != nil {
		l.fail(err)
	}
	for {
		it, ok, done := l.queue.pop()
		if ok {
			l.publish(it)
			l.msg.Payload, l.msg.Attributes, l.msg.RoutingKey = nil, nil, nil // theirs again
			continue
		}
		if done {
			return
		}
		var lost <-chan struct{}
		if l.sess != nil {
			lost = l.sess.ctx.Done()
		}
		select {
		case <-l.queue.ready:
		case <-lost:
			// Nothing to send, but readiness should not wait for the next message.
			l.dropSession(context.Cause(l.sess.ctx))
			if err := l.ensureSession(); err != nil {
				l.fail(err)
			}
		}
	}
}

// publish settles one message.
func (l *lane) publish(it pending) {
	l.requests++
	r := Receipt{Topic: l.topic, Partition: l.partition, RequestID: l.requests}
	if err := l.prepare(it.m); err != nil {
		l.requests-- // numbers are contiguous in the topic
		it.done(r, err)
		return
	}
	for {
		if err := l.ensureSession(); err != nil {
			l.fail(err)
			l.giveUp(it, r, err)
			return
		}
		r.Attempts++
		err := l.send()
		if err == nil {
			l.wait.Reset()
			it.done(r, nil)
			return
		}
		v := judge(rpcSend, err)
		r.Ambiguous = r.Ambiguous || v.ambiguous
		failed := failed("publish", l.topic, l.sess.at.dial, rpcSend, err)
		switch v.class {
		case classMessage:
			if !r.Ambiguous {
				l.requests--
			}
			it.done(r, failed)
			return
		case classFatal:
			l.fail(failed)
			it.done(r, failed)
			return
		case classSession:
			l.dropSession(failed)
		}
		if !sleep(l.ctx, l.wait.Next()) {
			l.giveUp(it, r, context.Cause(l.ctx))
			return
		}
	}
}

// prepare fills the request that all attempts send.
func (l *lane) prepare(m *Outgoing) error {
	published := m.PublishTime
	if published.IsZero() {
		published = time.Now()
	}
	l.id.TopicName = l.topic
	l.msg.RequestId = l.requests
	l.msg.MsgId = &l.id
	l.msg.Payload = m.Payload
	l.msg.PublishTime = uint64(published.UnixMilli())
	l.msg.ProducerName = l.name
	l.msg.Attributes = l.stamps.attributes(m, l.name, l.requests)
	l.msg.RoutingKey = nil
	if m.Key != "" {
		l.msg.RoutingKey = &m.Key
	}
	l.override = m.Schema
	if what := notText(&l.msg); what != "" {
		return &Error{Op: "publish", Topic: l.topic, Reason: ErrInvalid, class: classMessage,
			Err: fmt.Errorf("%s is not UTF-8, which the protocol cannot carry", what)}
	}
	// Most messages are far below the limit and need no exact count.
	if len(m.Payload)+len(m.Key) > maxRequest/2 || len(l.msg.Attributes) > 0 {
		const envelope = 1024 // what the session adds: ids and the broker's address
		if n := proto.Size(&l.msg) + envelope; n > maxRequest {
			return &Error{Op: "publish", Topic: l.topic, Reason: ErrTooLarge, class: classMessage,
				Err: fmt.Errorf("%d bytes with everything around the payload of %d, the broker takes %d in one request", n, len(m.Payload), maxRequest)}
		}
	}
	return nil
}

// notText names a part of a message that would make every attempt to send it fail.
func notText(m *danubepb.StreamMessage) string {
	if !utf8.ValidString(m.GetRoutingKey()) {
		return fmt.Sprintf("the key %q", m.GetRoutingKey())
	}
	for k, v := range m.Attributes {
		if !utf8.ValidString(k) {
			return fmt.Sprintf("the attribute name %q", k)
		}
		if !utf8.ValidString(v) {
			return fmt.Sprintf("the attribute %s", k)
		}
	}
	return ""
}

var sendOptions = []grpc.CallOption{grpc.StaticMethod()}

func (l *lane) send() error {
	l.stamp()
	l.id.ProducerId = l.sess.id
	l.id.BrokerAddr = l.sess.at.broker
	// The session's context is not the call's: a session that ends while a send is
	// out must not cancel it.
	ctx := l.watch.arm(l.ctx, l.sess.at, l.p.client.cfg.Timeouts.Send)
	err := l.sess.conn.Invoke(ctx, danubepb.ProducerService_SendMessage_FullMethodName, &l.msg, &l.resp, sendOptions...)
	return l.watch.disarm(err)
}

// ensureSession returns when the lane has a session; an error is for good.
func (l *lane) ensureSession() error {
	redone := false
	for l.sess == nil || l.sess.ctx.Err() != nil {
		if l.sess != nil {
			l.dropSession(context.Cause(l.sess.ctx))
		}
		if err := l.failure(); err != nil {
			return err
		}
		sess, err := l.createProducer()
		if err == nil {
			l.sess = sess
			l.p.client.log.Info("danube: producer ready", "topic", l.topic, "producer", l.name, "broker", string(sess.at.dial))
			l.report(Ready, nil)
			l.markOpened()
			return nil
		}
		if l.ctx.Err() != nil {
			return context.Cause(l.ctx)
		}
		if isFatal(err) {
			return err
		}
		l.mu.Lock()
		l.last = err
		l.mu.Unlock()
		l.report(Connecting, err)
		if !redone && mustRedo(err) {
			redone = true // the topic was created a moment ago, or has just moved
			continue
		}
		d := l.wait.Next()
		l.p.client.log.Warn("danube: no producer yet", "topic", l.topic, "producer", l.name, "retry_in", d, "error", err)
		if !sleep(l.ctx, d) {
			return context.Cause(l.ctx)
		}
	}
	return nil
}

// createProducer is one attempt at a session.
func (l *lane) createProducer() (*session, error) {
	c := l.p.client
	at, err := c.router.lookup(l.ctx, l.topic)
	if err != nil && !errors.Is(err, errUnknownTopic) {
		return nil, err
	}
	conn, err := c.conn(at.dial)
	if err != nil {
		return nil, err
	}
	if err := l.resolveSchema(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(at.context(l.ctx), c.cfg.Timeouts.Control)
	defer cancel()
	resp, err := danubepb.NewProducerServiceClient(conn).CreateProducer(ctx, &danubepb.ProducerRequest{
		ProducerName:     l.name,
		TopicName:        l.topic,
		DispatchStrategy: l.p.cfg.Dispatch.wire(),
		SchemaRef:        l.p.cfg.Schema.wire(),
	})
	if err != nil {
		return nil, failed("create producer", l.topic, at.dial, rpcCreateProducer, err)
	}
	return c.newSession(l.ctx, danubepb.HealthCheckRequest_Producer, l.topic, at, conn, resp.GetProducerId()), nil
}

func (l *lane) dropSession(cause error) {
	if l.sess == nil {
		return
	}
	l.sess.end(cause)
	l.sess = nil
	if l.failure() == nil && !errors.Is(cause, ErrClosed) {
		l.p.client.log.Warn("danube: producer lost its session", "topic", l.topic, "producer", l.name, "error", cause)
		l.report(Connecting, cause)
	}
}

// giveUpOpening makes the lane fail because nobody waits for it any longer.
func (l *lane) giveUpOpening(ctx context.Context) {
	l.mu.Lock()
	last := l.last
	l.mu.Unlock()
	l.cancel(gaveUp("create producer", l.topic, ctx, last))
}

// giveUp ends a message that cannot be waited for any longer.
func (l *lane) giveUp(it pending, r Receipt, cause error) {
	reason := ErrNotSent
	l.mu.Lock()
	if r.Ambiguous {
		reason = ErrOutcomeUnknown
		l.unknown++
	} else {
		l.unsent++
	}
	l.mu.Unlock()
	it.done(r, &Error{Op: "publish", Topic: l.topic, Reason: reason, Err: cause})
}

// fail makes every further send end with err.
func (l *lane) fail(err error) {
	l.mu.Lock()
	first := l.err == nil
	if first {
		l.err = err
	}
	l.mu.Unlock()
	l.queue.close()
	l.cancel(err)
	l.markOpened()
	if first && !errors.Is(err, ErrClosed) {
		l.report(Failed, err)
	}
}

func (l *lane) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *lane) markOpened() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.isOpen {
		l.isOpen = true
		close(l.opened)
	}
}

func (l *lane) report(s SessionState, err error) {
	if l.p.cfg.OnSession != nil {
		l.p.cfg.OnSession(SessionEvent{Topic: l.topic, Partition: l.partition, State: s, Err: err})
	}
}

// close publishes what was accepted, at most until ctx ends.
func (l *lane) close(ctx context.Context) error {
	closed := &Error{Op: "close producer", Topic: l.topic, Reason: ErrClosed}
	if idle := l.queue.close(); idle {
		l.cancel(closed) // it may be waiting for a session that nobody needs
	}
	select {
	case <-l.ended:
	case <-ctx.Done():
		l.cancel(&Error{Op: "close producer", Topic: l.topic, Reason: ErrClosed, Err: context.Cause(ctx)})
		<-l.ended
	}
	l.cancel(closed)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.unknown > 0:
		return &Error{Op: "close producer", Topic: l.topic, Reason: ErrOutcomeUnknown,
			Err: fmt.Errorf("%d messages were not published, and %d more may have been", l.unsent, l.unknown)}
	case l.unsent > 0:
		return &Error{Op: "close producer", Topic: l.topic, Reason: ErrNotSent,
			Err: fmt.Errorf("%d messages were not published", l.unsent)}
	}
	return nil
}
