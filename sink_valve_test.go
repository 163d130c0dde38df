package connect

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// deliveries returns the most that any message of a topic was delivered.
func (l *lab) deliveries(topic string) (most int) {
	for _, m := range l.b.Messages(topic) {
		most = max(most, len(m.Deliveries))
	}
	return most
}

// notReady returns the reasons on the board, as one text.
func (r *run) notReady() string {
	var list []string
	for name, reason := range r.board.NotReady() {
		list = append(list, name+": "+reason)
	}
	return strings.Join(list, "; ")
}

// A broker counts each ack timeout as a delivery, and blocks a subscription for good
// after six.
func TestSinkDeadLetterThatWaitsForLongBlocksNoSubscription(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := fails("2", InvalidDataf("no"))
		r := l.sink(sink, l.deadTopic)
		h := l.deadPublishes(danubetest.Fault{Err: status.Error(codes.ResourceExhausted, "later"), Count: -1})
		l.publish(topic, numbers(1, 30)...)
		l.pause(10 * time.Minute)
		if why := r.notReady(); !strings.Contains(why, "in hand for too long") {
			t.Errorf("not ready because of %q", why)
		}
		same(t, "seen", len(sink.seen()), 2)
		h.Remove()
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 30))
		l.until("ready", func() bool { return r.notReady() == "" })
		r.stopped()
		same(t, "seen", strings.Join(sink.payloads(), " "), strings.Join(numbers(1, 30), " "))
		if n := l.deliveries(topic); n > 4 {
			t.Errorf("a message was delivered %d times", n)
		}
	})
}

func TestSinkThatIsVerySlowBlocksNoSubscription(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{process: func(context.Context, processed) error {
			time.Sleep(24 * time.Second)
			return nil
		}}
		r := l.sink(sink)
		l.publish(topic, numbers(1, 20)...)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 20))
		r.stopped()
		same(t, "seen", strings.Join(sink.payloads(), " "), strings.Join(numbers(1, 20), " "))
		if n := l.deliveries(topic); n > 4 {
			t.Errorf("a message was delivered %d times", n)
		}
	})
}
