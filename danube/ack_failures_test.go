package danube_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// An ack that is refused for good would let the window fill up in silence.
func TestAckForbidden(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		l.send(l.producer(client, topic), "a")
		l.broker.Fault(danubetest.Fault{
			Methods: []danubetest.Method{danubetest.MethodAck},
			Err:     status.Error(codes.PermissionDenied, "no binding grants Consume on the cluster"),
		})
		l.must(con.Ack(l.receive(con, "a")[0]))
		_, err := con.Receive(l.soon())
		l.want(err, danube.ErrPermission)
		l.want(con.Err(), danube.ErrPermission)
		<-con.Done()
		l.must(con.Close(l.soon()))
		events.wantStates(l, topic, danube.Ready, danube.Failed)
	})
}

// Acks that fail are sent again, whether the broker has applied them or not.
func TestAckFailures(t *testing.T) {
	faults := map[string]danubetest.Fault{
		"lost":               danubetest.AckLost("s"),
		"applied but failed": danubetest.AckAppliedButFailed("s"),
		"no answer":          {Methods: []danubetest.Method{danubetest.MethodAck}, Hang: true},
		"other error":        {Methods: []danubetest.Method{danubetest.MethodAck}, Err: status.Error(codes.Internal, "Error acknowledging message: disk on fire")},
		"topic moved":        {Methods: []danubetest.Method{danubetest.MethodAck}, Err: status.Error(codes.Internal, "Error acknowledging message: Topic x not found in registry")},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			embedded(t, func(l *lab) {
				topic, client := l.topic(), l.open(func(c *danube.Config) { c.Timeouts.Ack = 2 * time.Second })
				con := l.consumer(client, topic)
				p := l.producer(client, topic)
				f.Count = 4
				l.broker.Fault(f)
				l.post(p, series("m", 20)...)
				for _, m := range series("m", 20) {
					l.must(con.Ack(l.receive(con, m)[0]))
				}
				l.must(con.Flush(l.soon()))
				l.broker.CheckNoUnacked(l, topic, "s")
				l.silent(con, time.Minute)
			})
		})
	}
}

// Acks that hang on a session that is gone do not keep back those of the next one.
func TestAcksEndWithTheirSession(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		l.send(l.producer(client, topic), series("m", 10)...)
		hang := l.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodAck}, Hang: true, Count: 9})
		for _, m := range l.receive(con, series("m", 10)...) {
			l.must(con.Ack(m))
		}
		l.must(hang.Wait(l.soon(), 9))
		l.broker.DropStreams(danubetest.StreamUnavailable)
		start := time.Now()
		l.must(con.Flush(l.soon()))
		if d := time.Since(start); d > 3*time.Second {
			l.Errorf("it took %v", d)
		}
		l.broker.CheckNoUnacked(l, topic, "s")
		hang.Remove()
	})
}
