package danubetest

import (
	"google.golang.org/grpc"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// ReceiveMessages opens the stream of a consumer.
//
// NOT_FOUND when the id is unknown, ALREADY_EXISTS when it has a stream and [TrapTheft]
// is off. A stream that the consumer had open ends cleanly,
// and what it had not sent yet goes out on the new one. When the client goes away,
// the consumer's unacknowledged messages are due for redelivery at once.
func (s *consumerService) ReceiveMessages(req *pb.ReceiveRequest, srv grpc.ServerStreamingServer[pb.StreamMessage]) error {
	b, ctx := s.b, srv.Context()
	var st *stream
	in := Call{Method: MethodReceiveMessages, RequestID: req.GetRequestId(), id: req.GetConsumerId()}
	err := s.call(ctx, &in, req, func(c *core) error {
		co := c.consumers[req.GetConsumerId()]
		if co == nil || !co.sub.topic.on(in.node) {
			return errNoConsumer(req.GetConsumerId())
		}
		if co.stream != nil && !c.trap(TrapTheft) {
			return errInUse(co.name)
		}
		st = c.open(co)
		st.conn = in.conn
		return nil
	})
	if st != nil {
		defer b.do(func(c *core) { c.gone(st) })
	}
	if err != nil {
		return err
	}
	if err := srv.SendHeader(nil); err != nil {
		return err
	}
	for {
		p, ok, err := st.next(ctx)
		if !ok {
			return err
		}
		if st.full.CompareAndSwap(true, false) {
			b.do(func(c *core) { c.roomFor(st.consumer) })
		}
		if p.msg != nil {
			if err := srv.Send(p.msg); err != nil {
				return err
			}
		}
		if p.end {
			return p.err
		}
	}
}

// open attaches a new stream to a consumer.
func (c *core) open(co *consumer) *stream {
	st := newStream(co)
	if old := co.stream; old != nil {
		st.queue.buf = old.close(c.endOf(errTakenOver()))
		st.ending = old.ending
	}
	st.queue.buf = append(co.channel, st.queue.buf...)
	co.channel = nil
	c.alarms.clear(&co.leave)
	c.alarms.clear(&co.lease)
	co.stream, co.active = st, !co.race
	st.mute, co.race = co.race, false
	if !c.trap(TrapBlock) {
		c.revive(co)
	}
	c.changed = true
	c.cfg.logger.Debug("stream opened", "topic", co.sub.topic.name, "subscription", co.sub.name, "consumer", co.name)
	look := keyLook(0)
	if co.retried {
		look, co.retried = lookHeld, false
	}
	switch {
	case co.sub.suspended():
		c.roomFor(co)
	case co.sub.typ == KeyShared && co.sub.topic.dispatch == Reliable:
		c.passKeys(co.sub, c.keyRest(), look)
	case c.trap(TrapNoStream) && co.sub.typ != KeyShared: // it was handed messages before
		c.schedule(co.sub)
	default:
		c.pass(co.sub)
	}
	return st
}

// gone is called when a stream's handler returns, for whatever reason.
func (c *core) gone(st *stream) {
	co := st.consumer
	if co.stream != st {
		return // taken over, or forgotten by a restart
	}
	c.keepStale(co, st.close(nil))
	co.stream, co.active = nil, false
	c.leaseConsumer(co)
	c.cfg.logger.Debug("stream gone", "topic", co.sub.topic.name, "subscription", co.sub.name, "consumer", co.name)
	c.armReaper(co.sub)
	c.retryNow(co, nil)
}

// endOf is how a stream ends that the broker ends: cleanly, or, without the trap, in a
// way that says why.
func (c *core) endOf(err error) error {
	if c.trap(TrapCleanEnd) {
		return nil
	}
	return err
}

// retryNow makes what a consumer has in flight due at once.
func (c *core) retryNow(co *consumer, in *Call) {
	if co.sub.typ == KeyShared {
		c.away(co)
		return
	}
	run := func() {
		c.requeue(co.sub, co)
		c.pass(co.sub)
	}
	if co.sub.suspended() {
		c.command(co.sub, in, run)
		return
	}
	run()
}

// keepStale keeps what stays in the consumer's channel when a stream ends with things
// unsent: the first few had left it already.
func (c *core) keepStale(co *consumer, unsent []parcel) {
	if !c.trap(TrapStale) || len(unsent) <= streamChannel {
		return
	}
	unsent = unsent[streamChannel:]
	co.channel = append(co.channel, unsent[:min(len(unsent), consumerChannel-len(co.channel))]...)
}
