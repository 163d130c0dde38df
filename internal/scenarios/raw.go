package scenarios

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// Raw makes the calls that the client never makes.
type Raw struct {
	l         *Lab
	Discovery danubepb.DiscoveryClient
	Producer  danubepb.ProducerServiceClient
	Consumer  danubepb.ConsumerServiceClient
	Health    danubepb.HealthCheckClient
	Schemas   schemapb.SchemaRegistryClient
}

// Raw talks to a node.
func (l *Lab) Raw(node int) *Raw {
	if l.on.CA() != nil {
		return l.RawAs(node, "Bearer "+token(root))
	}
	return l.RawAs(node, "")
}

func (l *Lab) raw(c *grpc.ClientConn) *Raw {
	return &Raw{l, danubepb.NewDiscoveryClient(c), danubepb.NewProducerServiceClient(c), danubepb.NewConsumerServiceClient(c), danubepb.NewHealthCheckClient(c), schemapb.NewSchemaRegistryClient(c)}
}

// Owner is the node that serves a topic. It waits until there is one.
func (l *Lab) Owner(topic string) (node int) {
	l.Until("a lookup", func() bool {
		for i := range l.on.Seeds() {
			if url, how := l.lookup(i, topic); how == "Connect" {
				for n, seed := range l.on.Seeds() {
					if seed == url {
						node = n
						return true
					}
				}
			}
		}
		return false
	})
	return node
}

// lookup asks one node.
func (l *Lab) lookup(node int, topic string) (url, how string) {
	ctx, cancel := context.WithTimeout(l.ctx, 2*time.Second)
	defer cancel()
	r, err := l.Raw(node).Discovery.TopicLookup(ctx, &danubepb.TopicLookupRequest{Topic: topic})
	if err != nil {
		return "", status.Code(err).String()
	}
	return r.GetConnectUrl(), r.GetResponseType().String()
}

// CreateProducer registers a producer on a reliable topic.
func (r *Raw) CreateProducer(topic, name string) (uint64, error) {
	p, err := r.Producer.CreateProducer(r.l.Soon(), &danubepb.ProducerRequest{
		TopicName: topic, ProducerName: name, DispatchStrategy: danubepb.DispatchStrategy_Reliable,
	})
	return p.GetProducerId(), err
}

// Send publishes under the id of a producer. Many may do so at once.
func (r *Raw) Send(topic string, id uint64, payload string) error {
	ctx, cancel := context.WithTimeout(r.l.ctx, 10*time.Second)
	defer cancel()
	_, err := r.Producer.SendMessage(ctx, &danubepb.StreamMessage{
		MsgId: &danubepb.MsgID{TopicName: topic, ProducerId: id}, Payload: []byte(payload), ProducerName: "raw",
		PublishTime: uint64(time.Now().UnixMilli()),
	})
	return err
}

// Subscribe registers a consumer and opens no stream.
func (r *Raw) Subscribe(topic, subscription, name string, t danubepb.ConsumerRequest_SubscriptionType, filters ...string) (uint64, error) {
	c, err := r.Consumer.Subscribe(r.l.Soon(), &danubepb.ConsumerRequest{
		TopicName: topic, Subscription: subscription, ConsumerName: name, SubscriptionType: t, KeyFilters: filters,
	})
	return c.GetConsumerId(), err
}

// Stream is the stream of a consumer without a client around it.
type Stream struct {
	l      *Lab
	got    chan *danubepb.StreamMessage
	end    chan error
	cancel context.CancelFunc
}

// Open opens the stream of a consumer and returns when the broker has it.
func (r *Raw) Open(id uint64) *Stream {
	ctx, cancel := context.WithCancel(r.l.ctx)
	r.l.later(cancel)
	s := &Stream{r.l, make(chan *danubepb.StreamMessage, 10000), make(chan error, 1), cancel}
	st, err := r.Consumer.ReceiveMessages(ctx, &danubepb.ReceiveRequest{ConsumerId: id})
	if err == nil {
		_, err = st.Header()
	}
	if err != nil {
		s.end <- err
		return s
	}
	go s.read(st)
	return s
}

// Consume registers a consumer and opens its stream.
func (r *Raw) Consume(topic, subscription, name string, t danubepb.ConsumerRequest_SubscriptionType, filters ...string) *Stream {
	id, err := r.Subscribe(topic, subscription, name, t, filters...)
	r.l.Must("subscribe", err)
	return r.Open(id)
}

func (s *Stream) read(st grpc.ServerStreamingClient[danubepb.StreamMessage]) {
	for {
		m, err := st.Recv()
		if err != nil {
			s.end <- err
			return
		}
		s.got <- m
	}
}

// Next returns the offsets of the next n messages.
func (s *Stream) Next(n int) (list []uint64) {
	for len(list) < n {
		select {
		case m := <-s.got:
			list = append(list, m.GetMsgId().GetTopicOffset())
		case <-s.l.Soon().Done():
			s.l.Stop("message %d of %d did not come, after %s", len(list)+1, n, ranges(list))
		}
	}
	return list
}

// Rest returns the offsets that come until nothing has come for a while.
func (s *Stream) Rest(quiet time.Duration) (list []uint64) {
	for {
		t := time.NewTimer(quiet)
		select {
		case m := <-s.got:
			t.Stop()
			list = append(list, m.GetMsgId().GetTopicOffset())
		case <-t.C:
			return list
		}
	}
}

// End is how the stream ended; it waits for that.
func (s *Stream) End() string {
	select {
	case err := <-s.end:
		s.end <- err
		if errors.Is(err, io.EOF) {
			return "EOF"
		}
		return describe(err)
	case <-s.l.Within(20 * time.Second).Done():
		return "it goes on"
	}
}

// state is how the stream ended at once, or that it did not.
func (s *Stream) state() string {
	select {
	case err := <-s.end:
		s.end <- err
		return describe(err)
	case <-s.l.Within(time.Second).Done():
		return "it is open"
	}
}

// Close closes the stream and waits until the broker has surely noticed.
func (s *Stream) Close() {
	s.cancel()
	s.l.Pass(2 * time.Second)
}

// Ack acknowledges offsets, whatever the broker makes of it.
func (r *Raw) Ack(topic, subscription string, offsets ...uint64) error {
	for _, o := range offsets {
		_, err := r.Consumer.Ack(r.l.Within(10*time.Second), &danubepb.AckRequest{
			MsgId: &danubepb.MsgID{TopicName: topic, TopicOffset: o}, SubscriptionName: subscription,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Nack hands one offset back.
func (r *Raw) Nack(topic, subscription string, offset uint64) error {
	_, err := r.Consumer.Nack(r.l.Within(10*time.Second), &danubepb.NackRequest{
		MsgId: &danubepb.MsgID{TopicName: topic, TopicOffset: offset}, SubscriptionName: subscription,
	})
	return err
}

// Check is what a health check answers.
func (r *Raw) Check(kind danubepb.HealthCheckRequest_ClientType, id uint64) string {
	h, err := r.Health.HealthCheck(r.l.Within(10*time.Second), &danubepb.HealthCheckRequest{Client: kind, Id: id})
	if err != nil {
		return describe(err)
	}
	return h.GetStatus().String()
}
