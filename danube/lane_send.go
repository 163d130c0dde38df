package danube

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// publish settles one message.
func (l *lane) publish(it pending) {
	l.requests++
	r := Receipt{Topic: l.topic, Partition: l.partition, RequestID: l.requests}
	if err := l.prepare(it.m); err != nil {
		l.requests-- // numbers are contiguous in the topic
		l.settle(it, r, err)
		return
	}
	var doubt doubt
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
			l.settle(it, r, nil)
			return
		}
		v := judge(rpcSend, err)
		r.Ambiguous = r.Ambiguous || v.ambiguous
		v.class = doubt.class(v)
		failed := v.failure("publish", l.topic, l.sess.at.dial, err)
		switch v.class {
		case classMessage:
			if !r.Ambiguous {
				l.requests--
			}
			l.settle(it, r, failed)
			return
		case classFatal:
			l.fail(failed)
			l.settle(it, r, failed)
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
	l.attributes = l.stamps.append(l.attributes[:0], m, l.name, l.requests)
	l.msg.ProtoReflect().SetUnknown(l.attributes)
	l.msg.RoutingKey = nil
	if m.Key != "" {
		l.msg.RoutingKey = &m.Key
	}
	l.override = m.Schema
	if what := notText(m); what != "" {
		return &Error{Op: "publish", Topic: l.topic, Reason: ErrInvalid, class: classMessage,
			Err: fmt.Errorf("%s is not UTF-8, which the protocol cannot carry", what)}
	}
	// Most messages are far below the limit and need no exact count.
	if len(m.Payload)+len(m.Key)+len(l.attributes) > maxRequest/2 {
		const envelope = 1024 // what the session adds: ids and the broker's address
		if n := proto.Size(&l.msg) + envelope; n > maxRequest {
			return &Error{Op: "publish", Topic: l.topic, Reason: ErrTooLarge, class: classMessage,
				Err: fmt.Errorf("%d bytes with everything around the payload of %d, the broker takes %d in one request", n, len(m.Payload), maxRequest)}
		}
	}
	return nil
}

// notText names a part of a message that would make every attempt to send it fail.
func notText(m *Outgoing) string {
	if !utf8.ValidString(m.Key) {
		return fmt.Sprintf("the key %q", m.Key)
	}
	if !utf8.ValidString(m.Origin) {
		return fmt.Sprintf("the origin %q", m.Origin)
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
