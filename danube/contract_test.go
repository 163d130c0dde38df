package danube_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// What each answer of a broker, given twice, comes to for an application that opens a
// producer and a consumer and sends, receives and acknowledges: nothing, or an error of
// the call that it is about, with its reason. The texts are those of 0.15.1.
func TestStatusRows(t *testing.T) {
	const publish = "Unable to publish the message: "
	const subscribe = "Not able to subscribe to the topic /default/t due to: "
	for _, tt := range []struct {
		method danubetest.Method
		code   codes.Code
		text   string
		want   error // nil: it passes
		alone  bool  // only the message fails
	}{
		{danubetest.MethodTopicLookup, codes.Unauthenticated, "User credentials are missing", danube.ErrAuth, false},
		{danubetest.MethodTopicLookup, codes.NotFound, "Unable to find the requested topic", nil, false},
		{danubetest.MethodTopicLookup, codes.InvalidArgument, "The topic has an invalid format", danube.ErrInvalid, false},
		{danubetest.MethodTopicLookup, codes.Unavailable, "redo the Lookup", nil, false},
		{danubetest.MethodTopicPartitions, codes.Internal, "no leader", nil, false},
		{danubetest.MethodTopicPartitions, codes.PermissionDenied, "no binding grants Lookup", danube.ErrPermission, false},

		{danubetest.MethodCreateProducer, codes.Unauthenticated, "Invalid token", danube.ErrAuth, false},
		{danubetest.MethodCreateProducer, codes.PermissionDenied, "no binding grants Produce", danube.ErrPermission, false},
		{danubetest.MethodCreateProducer, codes.InvalidArgument, "The topic has an invalid format", danube.ErrInvalid, false},
		{danubetest.MethodCreateProducer, codes.Unavailable, "served by another broker, redo the Lookup", nil, false},
		{danubetest.MethodCreateProducer, codes.Unavailable, "topic metadata was created, need to redo the lookup", nil, false},
		{danubetest.MethodCreateProducer, codes.Unavailable, "Unable to find the namespace default", danube.ErrNotFound, false},
		{danubetest.MethodCreateProducer, codes.NotFound, "Unable to find the topic", danube.ErrNotFound, false},
		{danubetest.MethodCreateProducer, codes.AlreadyExists, "partitioned topics with this base name already exist", danube.ErrConflict, false},
		{danubetest.MethodCreateProducer, codes.AlreadyExists, "a non-partitioned topic exists", danube.ErrConflict, false},
		{danubetest.MethodCreateProducer, codes.AlreadyExists, "The topic already exists", nil, false},
		{danubetest.MethodCreateProducer, codes.FailedPrecondition, "dispatch strategy does not match", danube.ErrConflict, false},
		{danubetest.MethodCreateProducer, codes.FailedPrecondition, "topic uses schema subject x", danube.ErrConflict, false},
		{danubetest.MethodCreateProducer, codes.FailedPrecondition, "Failed to assign schema", danube.ErrConflict, false},
		{danubetest.MethodCreateProducer, codes.ResourceExhausted, "Producer limit reached", nil, false},
		{danubetest.MethodCreateProducer, codes.PermissionDenied, "Not able to create the Producer", nil, false},
		{danubetest.MethodCreateProducer, codes.Internal, "unable to post the topic", nil, false},
		{danubetest.MethodCreateProducer, codes.Internal, "failed to load topic", nil, false},
		{danubetest.MethodCreateProducer, codes.Unimplemented, "", danube.ErrInvalid, false},

		{danubetest.MethodSendMessage, codes.Unauthenticated, "Invalid token", danube.ErrAuth, false},
		{danubetest.MethodSendMessage, codes.PermissionDenied, "no binding grants Produce", danube.ErrPermission, false},
		{danubetest.MethodSendMessage, codes.NotFound, "The producer with id 7 does not exist", nil, false},
		{danubetest.MethodSendMessage, codes.PermissionDenied, publish + "Topic /default/x is draining or closed; retry lookup/moved", nil, false},
		{danubetest.MethodSendMessage, codes.PermissionDenied, publish + "Topic /default/x not found in registry", nil, false},
		{danubetest.MethodSendMessage, codes.PermissionDenied, publish + "the producer with id 7 is not attached to topic name: /default/x", nil, false},
		{danubetest.MethodSendMessage, codes.PermissionDenied, publish + "Schema subject mismatch for topic /default/x: message schema_id=3 belongs to subject 'a', but topic requires 'b'", danube.ErrSchema, true},
		{danubetest.MethodSendMessage, codes.PermissionDenied, publish + "Payload validation failed", danube.ErrSchema, true},
		{danubetest.MethodSendMessage, codes.PermissionDenied, publish + "write buffer: WAIT timed out", nil, false},
		{danubetest.MethodSendMessage, codes.PermissionDenied, publish + "wal writer channel closed", nil, false},
		{danubetest.MethodSendMessage, codes.PermissionDenied, publish + "serialize: out of memory", nil, false},
		{danubetest.MethodSendMessage, codes.InvalidArgument, "Message size 9 exceeds maximum allowed 8", danube.ErrTooLarge, true},
		{danubetest.MethodSendMessage, codes.OutOfRange, "decoded message length too large", danube.ErrTooLarge, true},
		{danubetest.MethodSendMessage, codes.Canceled, "stream terminated by RST_STREAM", nil, false},
		{danubetest.MethodSendMessage, codes.DeadlineExceeded, "", nil, false},
		{danubetest.MethodSendMessage, codes.ResourceExhausted, "", nil, false},
		{danubetest.MethodSendMessage, codes.Aborted, "", nil, false},

		{danubetest.MethodSubscribe, codes.Unauthenticated, "Invalid token", danube.ErrAuth, false},
		{danubetest.MethodSubscribe, codes.PermissionDenied, "no binding grants Consume", danube.ErrPermission, false},
		{danubetest.MethodSubscribe, codes.InvalidArgument, "The topic has an invalid format", danube.ErrInvalid, false},
		{danubetest.MethodSubscribe, codes.Unavailable, "redo the Lookup", nil, false},
		{danubetest.MethodSubscribe, codes.NotFound, "Unable to find the topic", nil, false},
		{danubetest.MethodSubscribe, codes.PermissionDenied, subscribe + "Exclusive subscription can't be shared", nil, false},
		{danubetest.MethodSubscribe, codes.PermissionDenied, "Not allowed to create the subscription", nil, false},
		{danubetest.MethodSubscribe, codes.ResourceExhausted, "Consumer limit per topic", nil, false},
		{danubetest.MethodSubscribe, codes.PermissionDenied, subscribe + "Consumer limit per subscription", nil, false},
		{danubetest.MethodSubscribe, codes.PermissionDenied, subscribe + "metadata store is away", nil, false},

		{danubetest.MethodReceiveMessages, codes.Unauthenticated, "Invalid token", danube.ErrAuth, false},
		{danubetest.MethodReceiveMessages, codes.NotFound, "The consumer with the id 7 does not exist", nil, false},
		{danubetest.MethodReceiveMessages, codes.Canceled, "", nil, false},

		{danubetest.MethodAck, codes.Internal, "Error acknowledging message: topic not found in registry", nil, false},
		{danubetest.MethodAck, codes.Internal, "Error acknowledging message: Subscription not found", nil, false},
		{danubetest.MethodAck, codes.Internal, "Error acknowledging message: Failed to send", nil, false},
		{danubetest.MethodAck, codes.Unavailable, "", nil, false},
		{danubetest.MethodAck, codes.DeadlineExceeded, "", nil, false},

		{danubetest.MethodHealthCheck, codes.InvalidArgument, "Invalid client type", nil, false},
		{danubetest.MethodHealthCheck, codes.Unavailable, "", nil, false},
		{danubetest.MethodHealthCheck, codes.DeadlineExceeded, "", nil, false},
	} {
		t.Run(fmt.Sprintf("%v %v %s", tt.method, tt.code, tt.text), func(t *testing.T) {
			embedded(t, func(l *lab) {
				topic, client := l.topic(), l.open()
				l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
				fault := l.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{tt.method}, Err: status.Error(tt.code, tt.text), Count: 2, Optional: true})
				err := func() error {
					p, err := client.NewProducer(l.within(time.Minute), danube.ProducerConfig{Topic: topic, Name: "p"})
					if err != nil {
						return err
					}
					con, err := client.NewConsumer(l.within(time.Minute), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"})
					if err != nil {
						return err
					}
					_, err = p.Send(l.within(time.Minute), &danube.Outgoing{Payload: []byte("a")})
					if tt.alone {
						l.want(err, tt.want, tt.text)
						l.want(err, danube.ErrBadMessage)
						fault.Remove()
						_, err = p.Send(l.within(time.Minute), &danube.Outgoing{Payload: []byte("a")})
					}
					if err != nil {
						return err
					}
					m, err := con.Receive(l.within(time.Minute))
					if err != nil {
						return err
					}
					l.must(con.Ack(m))
					l.must(con.Flush(l.within(time.Minute)))
					l.pass(20 * time.Second)
					l.send(p, "b")
					l.ack(con, l.receive(con, "b")...)
					l.broker.CheckNoUnacked(l, topic, "s")
					return errors.Join(con.Err(), con.Close(l.soon()), p.Close(l.soon()))
				}()
				switch {
				case tt.want == nil || tt.alone:
					l.must(err)
				default:
					l.want(err, tt.want, tt.text)
				}
			})
		})
	}
}

// A delivery beyond every limit would break the stream at each redelivery: the consumer
// says so and ends.
func TestOversizedDelivery(t *testing.T) {
	withBrokers(t, func(n *network) {
		open := make(chan struct{})
		n.brokers["a:1"].receive = func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
			<-open
			return s.Send(&danubepb.StreamMessage{MsgId: at(1), Payload: make([]byte, 65<<20)})
		}
		con := n.consumer(n.open(), "/default/t")
		close(open)
		_, err := con.Receive(n.soon())
		n.want(err, danube.ErrTooLarge, "larger than max")
		n.must(con.Close(n.soon()))
	}, "a:1")
}

// A stream that is replaced was ended before: nobody delivers into one that is not read.
func TestOldStreamEndsFirst(t *testing.T) {
	withBrokers(t, func(n *network) {
		b := n.brokers["a:1"]
		var open, most, closed atomic.Int32
		b.receive = func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
			most.Store(max(most.Load(), open.Add(1)))
			<-s.Context().Done()
			open.Add(-1)
			return nil
		}
		b.health = func() danubepb.HealthCheckResponse_ClientStatus {
			closed.Add(1)
			return danubepb.HealthCheckResponse_CLOSE
		}
		con := n.consumer(n.open(), "/default/t", func(c *danube.ConsumerConfig) { c.CreateTopic = false })
		n.pass(time.Minute)
		if closed.Load() < 5 || most.Load() != 1 {
			t.Errorf("%d health checks said CLOSE, %d streams at once", closed.Load(), most.Load())
		}
		n.must(con.Close(n.soon()))
	}, "a:1")
}

// A window larger than everything that holds messages on the way stops nothing: reading
// never waits for an ack.
func TestLargeWindow(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con, p := l.consumer(client, topic), l.producer(client, topic)
		l.post(p, series("m", 3000)...)
		for _, s := range series("m", 3000) {
			l.must(con.Ack(l.receive(con, s)[0]))
		}
		l.must(con.Flush(l.soon()))
		l.broker.CheckNoUnacked(l, topic, "s")
	}, danubetest.WithMaxUnacked(10000))
}

// A message of another consumer, or of none, is refused.
func TestAckOfWhatIsNotOurs(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con, other, p := l.consumer(client, topic), l.consumer(client, l.topic()), l.producer(client, topic)
		l.send(p, "a")
		m := l.receive(con, "a")[0]
		for _, not := range []*danube.Message{{}, {WireTopic: topic, Offset: 7}, {WireTopic: topic}} {
			l.want(con.Ack(not), danube.ErrInvalid)
			l.want(con.Nack(l.soon(), not, 0, ""), danube.ErrInvalid)
		}
		l.want(other.Ack(m), danube.ErrInvalid, topic)
		l.ack(con, m)
		l.want(con.Ack(m), danube.ErrInvalid)
		l.must(con.Close(l.soon()))
		if err := con.Ack(m); err == nil || strings.Contains(err.Error(), "panic") {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Calls that the broker never answers end by themselves and are repeated.
func TestCallsThatHang(t *testing.T) {
	for _, method := range []danubetest.Method{danubetest.MethodTopicLookup, danubetest.MethodTopicPartitions, danubetest.MethodCreateProducer, danubetest.MethodSendMessage, danubetest.MethodSubscribe, danubetest.MethodAck} {
		t.Run(fmt.Sprint(method), func(t *testing.T) {
			embedded(t, func(l *lab) {
				topic, client := l.topic(), l.open()
				l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
				l.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{method}, Hang: true, Count: 1})
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
				defer cancel()
				p, err := client.NewProducer(ctx, danube.ProducerConfig{Topic: topic, Name: "p"})
				l.must(err)
				con, err := client.NewConsumer(ctx, danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"})
				l.must(err)
				_, err = p.Send(ctx, &danube.Outgoing{Payload: []byte("a")})
				l.must(err)
				m, err := con.Receive(ctx)
				l.must(err)
				l.must(con.Ack(m))
				l.must(con.Flush(ctx))
			})
		})
	}
}
