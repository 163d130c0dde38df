// Package bare drives a broker with nothing but the generated stubs: the loops that
// somebody would write without a client. Benchmarks and loss tests measure the
// client and the runtimes against it. It knows one broker, tries nothing twice once
// it runs, and must stay that simple: what is added here makes others look better.
package bare

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// Dial returns a connection with gRPC's own defaults to a broker's URL, such as
// http://127.0.0.1:6650.
func Dial(url string, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	opts = append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, opts...)
	return grpc.NewClient(scheme+strings.TrimPrefix(url, "http://"), opts...)
}

const scheme = "passthrough:///" // the address is used as it is

// WireTopics returns the names on the wire of a topic with n partitions: its own
// when n is 1, which stands for no partitions at all.
func WireTopics(topic string, n int) []string {
	if n <= 1 {
		return []string{topic}
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-part-%d", topic, i)
	}
	return names
}

// Producer publishes to one topic on the wire, one message after the other. It must
// not be used concurrently.
type Producer struct {
	service danubepb.ProducerServiceClient
	msg     danubepb.StreamMessage
}

// NewProducer creates a producer, and with it the reliable topic. It repeats what a
// broker answers while it is still creating a topic, until ctx ends.
func NewProducer(ctx context.Context, conn *grpc.ClientConn, topic, name string) (*Producer, error) {
	service := danubepb.NewProducerServiceClient(conn)
	for {
		resp, err := service.CreateProducer(ctx, &danubepb.ProducerRequest{
			ProducerName:     name,
			TopicName:        topic,
			DispatchStrategy: danubepb.DispatchStrategy_Reliable,
		})
		if err == nil {
			return &Producer{service: service, msg: danubepb.StreamMessage{
				MsgId:        &danubepb.MsgID{ProducerId: resp.GetProducerId(), TopicName: topic, BrokerAddr: "http://" + strings.TrimPrefix(conn.Target(), scheme)},
				ProducerName: name,
			}}, nil
		}
		if status.Code(err) != codes.Unavailable {
			return nil, fmt.Errorf("create producer on %s: %w", topic, err)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("create producer on %s: %w", topic, errors.Join(context.Cause(ctx), err))
		}
	}
}

// Send publishes one message and waits for the answer.
func (p *Producer) Send(ctx context.Context, payload []byte) error {
	p.msg.RequestId++
	p.msg.Payload = payload
	p.msg.PublishTime = uint64(time.Now().UnixMilli())
	_, err := p.service.SendMessage(ctx, &p.msg)
	return err
}

// SendKey is Send with a routing key.
func (p *Producer) SendKey(ctx context.Context, key string, payload []byte) error {
	p.msg.RoutingKey = &key
	defer func() { p.msg.RoutingKey = nil }()
	return p.Send(ctx, payload)
}

// Attach makes every message from now on carry attributes, at the least cost there is:
// their bytes are made once.
func (p *Producer) Attach(attributes map[string]string) error {
	b, err := proto.Marshal(&danubepb.StreamMessage{Attributes: attributes})
	if err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
	p.msg.ProtoReflect().SetUnknown(b) // the generated code would encode them each time
	return nil
}

// Consumer receives one topic on the wire in an Exclusive subscription.
type Consumer struct {
	service danubepb.ConsumerServiceClient
	stream  grpc.ServerStreamingClient[danubepb.StreamMessage]
	sub     string
}

// NewConsumer subscribes and opens the stream. Messages published after it returned
// are received; the stream ends with ctx.
func NewConsumer(ctx context.Context, conn *grpc.ClientConn, topic, subscription, name string) (*Consumer, error) {
	service := danubepb.NewConsumerServiceClient(conn)
	resp, err := service.Subscribe(ctx, &danubepb.ConsumerRequest{
		TopicName:        topic,
		ConsumerName:     name,
		Subscription:     subscription,
		SubscriptionType: danubepb.ConsumerRequest_Exclusive,
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	stream, err := service.ReceiveMessages(ctx, &danubepb.ReceiveRequest{ConsumerId: resp.GetConsumerId()})
	if err != nil {
		return nil, fmt.Errorf("receive from %s: %w", topic, err)
	}
	return &Consumer{service: service, stream: stream, sub: subscription}, nil
}

// Run receives until the stream ends, hands each message to handle, and then
// acknowledges it, from as many goroutines as inFlight says. It waits for all acks
// and returns the first error, which is the stream's when no ack failed.
func (c *Consumer) Run(ctx context.Context, inFlight int, handle func(*danubepb.StreamMessage)) error {
	var (
		acks = make(chan *danubepb.StreamMessage)
		errs = make(chan error, inFlight)
		wg   sync.WaitGroup
	)
	for range inFlight {
		wg.Go(func() {
			var failed error
			for m := range acks { // to the end, or the reader would wait for ever
				_, err := c.service.Ack(ctx, &danubepb.AckRequest{RequestId: m.GetRequestId(), MsgId: m.GetMsgId(), SubscriptionName: c.sub})
				if failed == nil {
					failed = err
				}
			}
			errs <- failed
		})
	}
	var ended error
	for {
		m, err := c.stream.Recv()
		if err != nil {
			ended = err
			break
		}
		handle(m)
		acks <- m
	}
	close(acks)
	wg.Wait()
	for range inFlight {
		if err := <-errs; err != nil {
			return fmt.Errorf("ack: %w", err)
		}
	}
	return ended
}
