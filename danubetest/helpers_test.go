package danubetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// stubs are the generated clients on one connection.
type stubs struct {
	t         testing.TB
	producers pb.ProducerServiceClient
	consumers pb.ConsumerServiceClient
	discovery pb.DiscoveryClient
	health    pb.HealthCheckClient
	topics    adminpb.TopicAdminClient
	spaces    adminpb.NamespaceAdminClient
	schemas   schemapb.SchemaRegistryClient
	storage   pb.StorageServiceClient
}

func newStubs(t testing.TB, conn *grpc.ClientConn) *stubs {
	return &stubs{
		t:         t,
		producers: pb.NewProducerServiceClient(conn),
		consumers: pb.NewConsumerServiceClient(conn),
		discovery: pb.NewDiscoveryClient(conn),
		health:    pb.NewHealthCheckClient(conn),
		topics:    adminpb.NewTopicAdminClient(conn),
		spaces:    adminpb.NewNamespaceAdminClient(conn),
		schemas:   schemapb.NewSchemaRegistryClient(conn),
		storage:   pb.NewStorageServiceClient(conn),
	}
}

// dial connects to the broker; the connection is closed with the test.
func dial(t testing.TB, b *danubetest.Broker) *stubs {
	t.Helper()
	return newStubs(t, b.Conn(t, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(8<<20), grpc.MaxCallSendMsgSize(8<<20))))
}

const (
	topic = "/default/orders"
	sub   = "s"
)

// producer is a registered producer.
type producer struct {
	s     *stubs
	id    uint64
	topic string
	name  string
	next  uint64
}

func (s *stubs) producer(topic, name string) *producer {
	s.t.Helper()
	p, err := s.tryProducer(topic, name)
	if err != nil {
		s.t.Fatalf("create producer %s on %s: %v", name, topic, err)
	}
	return p
}

func (s *stubs) tryProducer(topic, name string) (*producer, error) {
	resp, err := s.producers.CreateProducer(s.t.Context(), &pb.ProducerRequest{
		RequestId:        7,
		ProducerName:     name,
		TopicName:        topic,
		DispatchStrategy: pb.DispatchStrategy_Reliable,
	})
	if err != nil {
		return nil, err
	}
	return &producer{s: s, id: resp.GetProducerId(), topic: topic, name: name}, nil
}

func (p *producer) message(payload string) *pb.StreamMessage {
	p.next++
	return &pb.StreamMessage{
		RequestId:    p.next,
		MsgId:        &pb.MsgID{ProducerId: p.id, TopicName: p.topic, BrokerAddr: "http://x:1"},
		Payload:      []byte(payload),
		PublishTime:  uint64(time.Now().UnixMilli()),
		ProducerName: p.name,
	}
}

func (p *producer) trySend(payload string) error {
	_, err := p.s.producers.SendMessage(p.s.t.Context(), p.message(payload))
	return err
}

func (p *producer) send(payloads ...string) {
	p.s.t.Helper()
	for _, pl := range payloads {
		if err := p.trySend(pl); err != nil {
			p.s.t.Fatalf("send %q: %v", pl, err)
		}
	}
}

// consumer is a registered consumer, with at most one stream.
type consumer struct {
	s      *stubs
	id     uint64
	topic  string
	sub    string
	stream grpc.ServerStreamingClient[pb.StreamMessage]
	cancel context.CancelFunc
}

const (
	exclusive = pb.ConsumerRequest_Exclusive
	shared    = pb.ConsumerRequest_Shared
)

func (s *stubs) trySubscribe(topic, sub, name string, typ pb.ConsumerRequest_SubscriptionType) (*consumer, error) {
	resp, err := s.consumers.Subscribe(s.t.Context(), &pb.ConsumerRequest{
		RequestId:        9,
		TopicName:        topic,
		ConsumerName:     name,
		Subscription:     sub,
		SubscriptionType: typ,
	})
	if err != nil {
		return nil, err
	}
	return &consumer{s: s, id: resp.GetConsumerId(), topic: topic, sub: sub}, nil
}

func (s *stubs) subscribe(topic, sub, name string, typ pb.ConsumerRequest_SubscriptionType) *consumer {
	s.t.Helper()
	c, err := s.trySubscribe(topic, sub, name, typ)
	if err != nil {
		s.t.Fatalf("subscribe %s as %s to %s: %v", name, sub, topic, err)
	}
	return c
}

// open subscribes and opens the stream.
func (s *stubs) open(topic, sub, name string, typ pb.ConsumerRequest_SubscriptionType) *consumer {
	s.t.Helper()
	c := s.subscribe(topic, sub, name, typ)
	c.receive()
	return c
}

// receive opens a stream for the consumer's id and waits until the broker has it.
func (c *consumer) receive() {
	c.s.t.Helper()
	ctx, cancel := context.WithCancel(c.s.t.Context())
	stream, err := c.s.consumers.ReceiveMessages(ctx, &pb.ReceiveRequest{ConsumerId: c.id})
	if err == nil {
		_, err = stream.Header()
	}
	if err != nil {
		cancel()
		c.s.t.Fatalf("receive: %v", err)
	}
	c.stream, c.cancel = stream, cancel
	c.s.t.Cleanup(cancel)
}

// next returns the next message.
func (c *consumer) next() *pb.StreamMessage {
	c.s.t.Helper()
	m, err := c.stream.Recv()
	if err != nil {
		c.s.t.Fatalf("receive: %v", err)
	}
	return m
}

// offsets returns the offsets of the next n messages.
func (c *consumer) offsets(n int) (list []uint64) {
	c.s.t.Helper()
	for range n {
		list = append(list, c.next().GetMsgId().GetTopicOffset())
	}
	return list
}

// quiet fails the test if a message comes within d. It ends the stream.
func (c *consumer) quiet(d time.Duration) {
	c.s.t.Helper()
	stop := time.AfterFunc(d, c.cancel)
	defer stop.Stop()
	if m, err := c.stream.Recv(); err == nil {
		c.s.t.Fatalf("message %d %q, want none", m.GetMsgId().GetTopicOffset(), m.GetPayload())
	} else if status.Code(err) != codes.Canceled {
		c.s.t.Fatalf("stream ended: %v", err)
	}
}

func (c *consumer) msgID(offset uint64) *pb.MsgID {
	return &pb.MsgID{TopicName: c.topic, TopicOffset: offset}
}

func (c *consumer) ack(offsets ...uint64) {
	c.s.t.Helper()
	for _, o := range offsets {
		_, err := c.s.consumers.Ack(c.s.t.Context(), &pb.AckRequest{MsgId: c.msgID(o), SubscriptionName: c.sub})
		if err != nil {
			c.s.t.Fatalf("ack %d: %v", o, err)
		}
	}
}

func (c *consumer) nack(offset uint64, delay time.Duration) {
	c.s.t.Helper()
	ms, why := uint64(delay.Milliseconds()), "because"
	_, err := c.s.consumers.Nack(c.s.t.Context(), &pb.NackRequest{
		MsgId: c.msgID(offset), SubscriptionName: c.sub, DelayMs: &ms, Reason: &why,
	})
	if err != nil {
		c.s.t.Fatalf("nack %d: %v", offset, err)
	}
}

func (s *stubs) check(kind pb.HealthCheckRequest_ClientType, id uint64) pb.HealthCheckResponse_ClientStatus {
	s.t.Helper()
	resp, err := s.health.HealthCheck(s.t.Context(), &pb.HealthCheckRequest{Client: kind, Id: id})
	if err != nil {
		s.t.Fatalf("health check: %v", err)
	}
	return resp.GetStatus()
}

const (
	healthy = pb.HealthCheckResponse_OK
	closed  = pb.HealthCheckResponse_CLOSE
	asProd  = pb.HealthCheckRequest_Producer
	asCons  = pb.HealthCheckRequest_Consumer
)

// wantStatus fails the test unless err has that code and a text with that fragment.
func wantStatus(t testing.TB, err error, code codes.Code, fragment string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), fragment) {
		t.Errorf("got %v, want %s with %q", err, code, fragment)
	}
}

func wantEOF(t testing.TB, c *consumer) {
	t.Helper()
	if _, err := c.stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("stream: got %v, want EOF", err)
	}
}

func want(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bubble runs a test in virtual time, on a broker in memory.
func bubble(t *testing.T, f func(t *testing.T, b *danubetest.Broker, s *stubs), opts ...danubetest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := danubetest.Run(t, append([]danubetest.Option{danubetest.WithBufconn()}, opts...)...)
		f(t, b, dial(t, b))
	})
}

// info returns the state of the subscription that the tests use.
func info(t testing.TB, b *danubetest.Broker) danubetest.SubscriptionInfo {
	t.Helper()
	i, ok := b.Subscription(topic, sub)
	if !ok {
		t.Fatalf("no subscription %s on %s", sub, topic)
	}
	return i
}

// fakeTB is a test that fails without failing.
type fakeTB struct {
	fatal, errs, logs []string
	cleanups          []func()
}

func (f *fakeTB) Helper()                      {}
func (f *fakeTB) Cleanup(fn func())            { f.cleanups = append(f.cleanups, fn) }
func (f *fakeTB) Errorf(s string, args ...any) { f.errs = append(f.errs, fmt.Sprintf(s, args...)) }
func (f *fakeTB) Logf(s string, args ...any)   { f.logs = append(f.logs, fmt.Sprintf(s, args...)) }
func (f *fakeTB) Failed() bool                 { return len(f.errs)+len(f.fatal) > 0 }
func (f *fakeTB) Fatalf(s string, args ...any) {
	f.fatal = append(f.fatal, fmt.Sprintf(s, args...))
	runtime.Goexit()
}

// run runs fn as a test would, with its cleanups.
func (f *fakeTB) run(fn func(danubetest.TB)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, c := range slices.Backward(f.cleanups) {
				c()
			}
		}()
		fn(f)
	}()
	<-done
}

func goroutines() int { return runtime.NumGoroutine() }

func code(err error) codes.Code { return status.Code(err) }

func count[T comparable](list []T, v T) (n int) {
	for _, x := range list {
		if x == v {
			n++
		}
	}
	return n
}
