package connect

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// A broker that has silently stopped to deliver makes a sink not ready, where its metrics
// can be seen: a subscription that was loaded again and then fell behind.
func TestSinkOfABrokerThatFellSilent(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.open(danube.Config{
			Seeds: []string{l.b.URL()}, DialOptions: []grpc.DialOption{l.b.DialOption()},
			Metrics: l.b.MetricsURLs(), MetricsClient: &http.Client{Transport: l.b.MetricsTransport()},
		})
		topic := l.topic("t", 0)
		sink := &testSink{process: func(context.Context, processed) error {
			time.Sleep(2 * time.Millisecond)
			return nil
		}}
		r := l.sink(sink)
		for i := range 30 {
			l.publish(topic, fmt.Sprint("before ", i))
			time.Sleep(time.Second)
		}
		l.b.Stop()
		l.must(l.b.Start())
		time.Sleep(20 * time.Second)
		if why := r.board.NotReady(); why != nil {
			t.Fatalf("after the restart: not ready, %v", why)
		}
		const n = 4000
		for i := range n {
			l.publish(topic, fmt.Sprint("after ", i))
		}
		time.Sleep(2 * time.Minute)
		why := fmt.Sprint(r.board.NotReady())
		if len(sink.seen()) >= 30+n || !strings.Contains(why, topic) || !strings.Contains(why, "stall") {
			t.Errorf("%d of %d came; not ready because of %s, want the stall of %s", len(sink.seen()), 30+n, why, topic)
		}
		same(t, "stalls", r.metric("stalls_total"), 1)
		r.stopped()
	}, danubetest.WithTraps(danubetest.TrapCursor, danubetest.TrapLag))
}
