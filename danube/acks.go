package danube

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// Acks go out from workers that are started when there is something to send and
// that end when there is not, so that an idle partition has none; the goroutines are
// the client's. All methods that say so are called with p.mu held.

// work starts as many workers as there may be acks for. With p.mu held.
func (p *partition) work() {
	if p.sess == nil || p.pausing || p.c.ctx.Err() != nil {
		return
	}
	for range min(len(p.tracker.ready), p.c.cfg.AcksInFlight) {
		if p.workers >= p.c.cfg.AcksInFlight {
			return
		}
		offset, id, ok := p.tracker.next()
		if !ok {
			return
		}
		var a *acker
		if n := len(p.idle); n > 0 {
			a, p.idle = p.idle[n-1], p.idle[:n-1]
		} else {
			a = newAcker(p)
		}
		a.offset, a.id = offset, id
		p.workers++
		p.wg.Add(1)
		p.c.client.ackers.start(a)
	}
}

// acker is what a worker needs; it is kept for the next one.
type acker struct {
	p      *partition
	offset uint64
	id     identity
	msgID  danubepb.MsgID
	req    danubepb.AckRequest
	resp   danubepb.AckResponse
	watch  watchdog
}

func newAcker(p *partition) *acker {
	a := &acker{p: p}
	a.msgID.TopicName = p.topic
	a.req.MsgId, a.req.SubscriptionName = &a.msgID, p.c.cfg.Subscription
	return a
}

// run sends acks, one after the other, until there is none that may go out.
func (a *acker) run() {
	p := a.p
	defer p.wg.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	for ok := true; ok; {
		sess := p.sess
		p.mu.Unlock()
		var at time.Time
		heard := p.c.client.cfg.Hooks.Acked
		if heard != nil {
			at = time.Now()
		}
		err := a.send(sess)
		if heard != nil && sess != nil {
			p.ackSent(heard, "acknowledge", sess.at, a.offset, at, err)
		}
		p.mu.Lock()
		p.tracker.answered(a.offset, a.id, err == nil)
		if err != nil {
			p.pause(sess, err)
		} else {
			p.ackErrors = 0
		}
		ok = false
		if p.sess != nil && !p.pausing && p.c.ctx.Err() == nil {
			a.offset, a.id, ok = p.tracker.next()
		}
		if ok {
			p.work() // this answer may have released more than one
		}
	}
	p.workers--
	p.idle = append(p.idle, a)
	p.checkFlushed()
}

// send sends one ack. It ends with its session: the next one acknowledges again.
func (a *acker) send(sess *session) error {
	if sess == nil {
		return errStreamEnded
	}
	a.req.RequestId, a.msgID.TopicOffset, a.msgID.BrokerAddr = a.id.request, a.offset, sess.at.broker
	ctx := a.watch.arm(sess.ctx, target{}, sess.client.cfg.Timeouts.Ack) // the session's context names the broker
	return a.watch.disarm(sess.conn.Invoke(ctx, danubepb.ConsumerService_Ack_FullMethodName, &a.req, &a.resp, sendOptions...))
}

// pause keeps acks back for a moment after one has failed, unless the error says
// that the session is of no more use. With p.mu held.
func (p *partition) pause(sess *session, err error) {
	if p.pausing || sess == nil || sess != p.sess || p.c.ctx.Err() != nil {
		return
	}
	e := p.failed("acknowledge", sess.at, rpcAck, err)
	if e.class != classTransient {
		sess.cancel(e)
	}
	p.ackErrors++
	p.c.client.log.Warn("danube: an ack failed and will be repeated", "topic", p.topic, "subscription", p.c.cfg.Subscription, "error", e)
	p.pausing = true
	d := min(p.c.client.cfg.BackoffInitial<<min(p.ackErrors-1, 10), p.c.client.cfg.BackoffMax)
	p.wg.Go(func() {
		_ = sleep(p.c.ctx, d)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.pausing = false
		p.work()
	})
}

func (p *partition) startAcks(sess *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sess, p.began = sess, p.counts
	p.tracker.begin()
	p.work()
}

func (p *partition) stopAcks() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sess = nil
}

// settle notes what the application did with a message.
func (p *partition) settle(m *Message, to ackState) bool {
	id := identityOf(m.ProducerName, uint64(m.PublishTime.UnixMilli()), m.RequestID)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.tracker.settle(m.Offset, id, to) {
		return false
	}
	if to == nacked {
		p.handedOff = time.Now()
	}
	p.work()
	return true
}

// nack sends one nack. The message already counts as handed back: if the call
// fails, the broker's ack timeout brings it again.
func (p *partition) nack(ctx context.Context, m *Message, delay time.Duration, reason string) error {
	p.mu.Lock()
	sess := p.sess
	p.mu.Unlock()
	if sess == nil {
		return nil // the next session begins with everything that was not acknowledged
	}
	ctx, cancel := context.WithTimeout(sess.at.context(ctx), p.c.client.cfg.Timeouts.Ack)
	defer cancel()
	req := &danubepb.NackRequest{
		RequestId:        m.RequestID,
		MsgId:            &danubepb.MsgID{ProducerId: m.ProducerID, TopicName: p.topic, BrokerAddr: m.BrokerAddr, TopicOffset: m.Offset},
		SubscriptionName: p.c.cfg.Subscription,
	}
	if ms := uint64(max(0, delay.Milliseconds())); ms > 0 {
		req.DelayMs = &ms
	}
	if reason != "" {
		req.Reason = &reason
	}
	at := time.Now()
	_, err := danubepb.NewConsumerServiceClient(sess.conn).Nack(ctx, req, grpc.StaticMethod())
	if heard := p.c.client.cfg.Hooks.Nacked; heard != nil {
		p.ackSent(heard, "nack", sess.at, m.Offset, at, err)
	}
	if err != nil {
		return p.failed("nack", sess.at, rpcAck, err)
	}
	return nil
}

// flush waits until every ack that can go out was answered.
func (p *partition) flush(ctx context.Context) error {
	for {
		p.mu.Lock()
		if p.tracker.flushed() {
			p.mu.Unlock()
			return nil
		}
		if p.flushes == nil {
			p.flushes = make(chan struct{})
		}
		wait := p.flushes
		p.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return &Error{Op: "flush acks of", Topic: p.topic, Reason: ErrOutcomeUnknown, Err: context.Cause(ctx)}
		case <-p.c.ctx.Done():
			return &Error{Op: "flush acks of", Topic: p.topic, Reason: ErrOutcomeUnknown, Err: context.Cause(p.c.ctx)}
		}
	}
}

// checkFlushed wakes those who wait for the acks. With p.mu held.
func (p *partition) checkFlushed() {
	if p.flushes != nil && p.tracker.flushed() {
		close(p.flushes)
		p.flushes = nil
	}
}

// stopDelivery makes the partition read on without handing anything out. When it
// returns no call of the Handler begins any more.
func (p *partition) stopDelivery() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tracker.closing = true
}

// wait returns when the partition has no goroutine left but one, at most, whose
// Handler did not return before ctx ended. The consumer's context has ended, and no
// call of the Handler begins.
func (p *partition) wait(ctx context.Context) error {
	p.mu.Lock() // whoever is starting an ack worker has started it
	handling := p.handling
	p.mu.Unlock()
	p.wg.Wait()
	for _, a := range p.idle {
		a.watch.stop()
	}
	if !handling {
		<-p.ended
		return nil
	}
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	handling = p.handling
	p.mu.Unlock()
	if !handling {
		<-p.ended
		return nil
	}
	return &Error{Op: "close consumer", Topic: p.topic, Err: fmt.Errorf("the Handler has not returned: %w", context.Cause(ctx))}
}
