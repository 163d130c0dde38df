package danube

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

type messageStream = grpc.ServerStreamingClient[danubepb.StreamMessage]

var errNoID = errors.New("a message without an id came, which cannot be acknowledged")

// read hands out what a stream brings until it ends.
func (p *partition) read(stream messageStream) (worked bool, err error) {
	if p.inOrder() {
		p.order.begin()
		p.gaps.bases.began()
	}
	var in danubepb.StreamMessage // used again: what it refers to is new each time
	for {
		if p.order.active {
			err = p.recvOrdered(stream, &in)
		} else {
			err = stream.RecvMsg(&in)
		}
		if err != nil {
			return worked, err
		}
		if in.GetMsgId() == nil {
			return worked, errNoID
		}
		worked = true
		p.accept(&in)
	}
}

// recvOrdered receives one message, and while it waits hands out what has been held
// for too long: only the time that is spent here counts, since what is missing may be in
// the stream while the application has the goroutine.
func (p *partition) recvOrdered(stream messageStream, in *danubepb.StreamMessage) error {
	got := make(chan error, 1)
	go func() { got <- stream.RecvMsg(in) }()
	start, late := time.Now(), time.NewTimer(p.order.patience)
	defer late.Stop()
	select {
	case err := <-got:
		p.order.patience -= time.Since(start)
		return err
	case <-late.C:
	}
	p.deliver(p.order.end())
	return <-got
}

func (p *partition) accept(in *danubepb.StreamMessage) {
	offset := in.GetMsgId().GetTopicOffset()
	id := identityOf(in.GetProducerName(), in.GetPublishTime(), in.GetRequestId())
	ordered := p.inOrder()
	if ordered {
		p.gaps.bases.got(offset)
	}
	news := p.progress == nil || p.progress.came(id, in.GetPublishTime())
	p.mu.Lock()
	p.counts.all++
	p.resting()
	resumed, lag := false, uint64(0)
	if news {
		p.counts.news++
		resumed, lag = p.silence.broken()
	}
	if now := time.Now(); now.Sub(p.ticked) >= tickEvery {
		p.ticked = now
		p.tracker.tick()
	}
	var how arrival
	if ordered {
		how = p.tracker.receivedAt(offset, id, in.GetPublishTime())
	} else {
		how = p.tracker.received(offset, id)
	}
	direct := how == fresh && !p.order.active && !(ordered && p.order.early(offset))
	p.handling = direct && p.c.inbox == nil
	if how != repeated {
		p.counts.handed++
	}
	p.work()         // a higher offset releases the ack that waited, a copy needs one again
	p.checkFlushed() // a new epoch leaves no acks to wait for
	p.mu.Unlock()
	if resumed {
		p.anomaly(Anomaly{Kind: Resumed, Lag: lag})
	}
	switch {
	case how == renumber:
		p.deliver(p.order.old())
		p.renumbered(offset)
		since := append(p.order.end(), p.message(in))
		slices.SortFunc(since, func(a, b *Message) int { return cmp.Compare(a.Offset, b.Offset) })
		p.order = reorder{next: since[0].Offset, any: true}
		for _, m := range since {
			p.order.early(m.Offset)
			p.deliver(p.order.add(m))
		}
	case direct:
		p.order.passed(offset)
		p.give(p.message(in), in.GetPublishTime())
	case how == repeated:
		p.deliver(p.order.again(offset))
	default:
		p.deliver(p.order.add(p.message(in)))
	}
}

// deliver hands out messages that were held.
func (p *partition) deliver(list []*Message) {
	for _, m := range list {
		p.mu.Lock()
		closing := p.tracker.closing
		p.handling = !closing && p.c.inbox == nil
		p.mu.Unlock()
		if closing {
			return // the next consumer gets them
		}
		p.give(m, uint64(m.PublishTime.UnixMilli()))
	}
}

// give hands out a message whose turn it is. With a Handler, handling is set.
func (p *partition) give(m *Message, publishedMs uint64) {
	p.looked(m.Offset, publishedMs)
	m = p.received(m)
	if p.c.inbox != nil {
		p.c.inbox.put(p.c.ctx, m)
		return
	}
	p.handOut(m)
	p.c.cfg.Handler(m)
	p.mu.Lock()
	p.handling = false
	p.mu.Unlock()
}

func (p *partition) message(in *danubepb.StreamMessage) *Message {
	m := &Message{
		Topic:        p.c.cfg.Topic,
		WireTopic:    p.topic,
		Partition:    p.number,
		Offset:       in.MsgId.TopicOffset,
		ProducerID:   in.MsgId.ProducerId,
		ProducerName: in.ProducerName,
		RequestID:    in.RequestId,
		BrokerAddr:   in.MsgId.BrokerAddr,
		PublishTime:  time.UnixMilli(int64(in.PublishTime)),
		Payload:      in.Payload,
		Attributes:   in.Attributes,
		Key:          in.GetRoutingKey(),
		Subscription: p.c.cfg.Subscription,
	}
	if in.SchemaId != nil {
		m.Schema = &SchemaID{ID: *in.SchemaId, Version: in.GetSchemaVersion()}
	}
	return m
}
