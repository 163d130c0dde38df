package danube_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// A message that the broker never takes fails alone, here before it is sent, there
// by the broker's answer.
func TestOversizedMessage(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		p := l.producer(client, topic)
		const limit = 4 << 20
		results, attempts := make(chan error, 4), make(chan int, 4)
		for _, out := range []*danube.Outgoing{
			{Payload: []byte("before")},
			{Payload: make([]byte, limit+1)},
			{Payload: []byte("x"), Key: strings.Repeat("k", limit)},
			{Payload: []byte("after")},
		} {
			l.must(p.SendAsync(l.soon(), out, func(r danube.Receipt, err error) {
				results <- err
				attempts <- r.Attempts
			}))
		}
		l.must(<-results)
		l.want(<-results, danube.ErrTooLarge, "4194304", "4194305")
		l.want(<-results, danube.ErrTooLarge, "4194304")
		l.must(<-results)
		for i, want := range []int{1, 0, 0, 1} { // what is too large is not even sent
			if n := <-attempts; n != want {
				l.Errorf("message %d: %d attempts, want %d", i, n, want)
			}
		}
		l.ack(con, l.receive(con, "before", "after")...)
		// The largest one that the client lets through is taken, and comes through.
		_, err := p.Send(l.soon(), &danube.Outgoing{Payload: make([]byte, limit-2048)})
		l.must(err)
		m, err := con.Receive(l.soon())
		l.must(err)
		if len(m.Payload) != limit-2048 {
			l.Errorf("%d bytes came", len(m.Payload))
		}
		l.ack(con, m)
	})
}

func TestRefusedMessageFailsAlone(t *testing.T) {
	refusals := map[string]struct{ err, reason error }{
		"policy": {status.Error(codes.InvalidArgument, "Message size 9 exceeds maximum allowed 8 bytes"), danube.ErrTooLarge},
		"limit":  {status.Error(codes.OutOfRange, "decoded message length too large"), danube.ErrTooLarge},
		"schema": {status.Error(codes.PermissionDenied, "Unable to publish the message: Message missing schema_id for topic /default/x (expected subject: s)"), danube.ErrSchema},
	}
	for name, tt := range refusals {
		t.Run(name, func(t *testing.T) {
			embedded(t, func(l *lab) {
				topic := l.topic()
				p := l.producer(l.open(), topic)
				l.broker.Fault(danubetest.Fault{Methods: sends, Err: tt.err})
				r, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte("a")})
				l.want(err, tt.reason, topic)
				if r.Attempts != 1 {
					l.Errorf("receipt: %+v", r)
				}
				l.send(p, "b")
				l.broker.CheckPayloads(l, topic, "b")
				l.must(p.Close(l.soon()))
			})
		})
	}
}

// What nobody can repair ends the producer as a whole, and everything that waits.
func TestFatalPublish(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic := l.topic()
		p := l.producer(l.open(), topic, func(c *danube.ProducerConfig) { c.OnSession = events.add })
		l.broker.Fault(danubetest.Fault{Methods: sends, Delay: time.Second, Err: status.Error(codes.PermissionDenied, "no binding grants Produce")})
		var failed atomic.Int32
		for range 5 {
			l.must(p.SendAsync(l.soon(), &danube.Outgoing{}, func(_ danube.Receipt, err error) {
				if errors.Is(err, danube.ErrPermission) {
					failed.Add(1)
				}
			}))
		}
		l.pass(2 * time.Second)
		if n := failed.Load(); n != 5 {
			l.Errorf("%d of 5 were told why", n)
		}
		_, err := p.Send(l.soon(), &danube.Outgoing{})
		l.want(err, danube.ErrPermission)
		l.want(p.Close(l.soon()), danube.ErrNotSent, "4 messages", "no binding grants")
		events.wantStates(l, topic, danube.Ready, danube.Failed)
	})
}

// What ends one partition ends the producer; the others publish what they have accepted
// and take nothing new.
func TestFatalPublishOnOnePartition(t *testing.T) {
	embedded(t, func(l *lab) {
		topic := l.topic()
		p := l.producer(l.open(), topic, func(c *danube.ProducerConfig) { c.Partitions = 2 })
		l.broker.Fault(danubetest.Fault{Methods: sends, Topic: topic + "-part-1", Delay: time.Second, Err: status.Error(codes.PermissionDenied, "no binding grants Produce")})
		l.broker.Fault(danubetest.Fault{Methods: sends, Topic: topic + "-part-0", Delay: 3 * time.Second})
		var published, refused atomic.Int32
		for range 8 { // in turn, beginning with partition 0
			l.must(p.SendAsync(l.soon(), &danube.Outgoing{Payload: []byte("m")}, func(r danube.Receipt, err error) {
				switch {
				case err == nil && r.Partition == 0:
					published.Add(1)
				case errors.Is(err, danube.ErrPermission) && r.Partition == 1:
					refused.Add(1)
				default:
					l.Errorf("partition %d: %v", r.Partition, err)
				}
			}))
		}
		l.pass(2 * time.Second)
		for range 2 {
			_, err := p.Send(l.soon(), &danube.Outgoing{})
			l.want(err, danube.ErrPermission, "-part-1")
		}
		l.want(p.Close(l.soon()), danube.ErrNotSent, "3 messages")
		if published.Load() != 4 || refused.Load() != 4 {
			l.Errorf("%d were published and %d refused, want 4 and 4", published.Load(), refused.Load())
		}
	})
}

// A schema that no broker knows is the fault of the message that names it, and only it
// fails, after a moment: a broker may not have heard of the schema yet.
func TestUnknownSchema(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		subject := strings.Trim(topic, "/")
		subject = strings.ReplaceAll(subject, "/", "_")
		_, _, err := client.Schemas().Register(l.soon(), subject, danube.SchemaString, "", danube.RegisterOptions{})
		l.must(err)
		p := l.producer(client, topic, func(c *danube.ProducerConfig) { c.Schema = danube.SchemaRef{Subject: subject} })
		l.must(client.Schemas().ConfigureTopic(l.soon(), topic, danube.TopicSchema{Subject: subject, Policy: danube.ValidateEnforce}))
		r, err := p.Send(l.within(time.Minute), &danube.Outgoing{Payload: []byte("a"), Schema: &danube.SchemaID{ID: 77, Version: 1}})
		l.want(err, danube.ErrSchema, "77")
		l.want(err, danube.ErrBadMessage)
		if r.Attempts < 2 || r.Ambiguous {
			l.Errorf("receipt: %+v", r)
		}
		l.send(p, "b")
		l.broker.CheckPayloads(l, topic, "b")

		// One that is known a moment later is taken.
		l.broker.Fault(danubetest.Fault{Methods: sends, Err: status.Error(codes.PermissionDenied, "Unable to publish the message: Schema ID 78 not found in registry"), Count: 2})
		l.send(p, "c")
		l.broker.CheckPayloads(l, topic, "b", "c")
	})
}

// What a broker refuses with words that nobody knows is repeated for a minute, and then
// ends the producer rather than hold up its partition unsaid for ever.
func TestUnknownRefusal(t *testing.T) {
	embedded(t, func(l *lab) {
		topic := l.topic()
		p := l.producer(l.open(), topic)
		start := time.Now()
		fault := l.broker.Fault(danubetest.Fault{Methods: sends, Err: status.Error(codes.PermissionDenied, "Unable to publish the message: the moon is full"), Count: -1})
		_, err := p.Send(l.within(time.Hour), &danube.Outgoing{})
		if err == nil || !strings.Contains(err.Error(), "the moon is full") {
			l.Errorf("got %v", err)
		}
		if d := time.Since(start); d < time.Minute || d > 2*time.Minute {
			l.Errorf("it took %v", d)
		}
		fault.Remove()
		_, err = p.Send(l.soon(), &danube.Outgoing{})
		if err == nil || !strings.Contains(err.Error(), "the moon is full") {
			l.Errorf("afterwards: %v", err)
		}
		l.must(p.Close(l.soon()))
	})
}
