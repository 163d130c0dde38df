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
		"schema": {status.Error(codes.PermissionDenied, "Unable to publish the message: Schema ID 3 is not known"), danube.ErrSchema},
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
		l.want(p.Close(l.soon()), danube.ErrNotSent, "4 messages")
		events.wantStates(l, topic, danube.Ready, danube.Failed)
	})
}
