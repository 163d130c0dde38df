package danube

import (
	"context"
	"errors"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

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

// creationTime is how long a topic that was created may take to get an owner before
// somebody is told again to create it.
const creationTime = 3 * time.Second

// createProducer is one attempt at a session.
func (l *lane) createProducer() (*session, error) {
	c := l.p.client
	at, err := c.router.lookup(l.ctx, l.topic)
	unknown := errors.Is(err, errUnknownTopic)
	if err != nil && !unknown {
		return nil, err
	}
	if unknown && l.maker.dial != "" {
		if time.Since(l.told) < creationTime {
			return nil, &Error{Op: "create producer", Topic: l.topic, Broker: string(l.maker.dial), Err: errUnknownTopic}
		}
		at = l.maker
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
	l.maker = target{}
	if err != nil {
		if unknown && mustRedo(err) {
			// The topic is being created. A broker that has not heard of it yet, and for a
			// moment that is even the one that was told, would create it once more, and
			// then it may have two owners, for good: of the messages that one of them
			// takes, consumers at the other get none (seen on 0.15.1 in one of fifty topics).
			l.maker, l.told = at, time.Now()
		}
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
