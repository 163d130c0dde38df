package connect

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// admin returns an admin client of the lab's danubetest.
func (l *lab) admin() *danube.Admin {
	l.t.Helper()
	a, err := danube.OpenAdmin(danube.AdminConfig{Addresses: []string{l.b.URL()}, DialOptions: []grpc.DialOption{l.b.DialOption()}})
	l.must(err)
	l.t.Cleanup(func() { _ = a.Close(context.Background()) })
	return a
}

// What the broker says about a subscription's ack timeout counts for its route, and no
// other.
func TestSinkAsksForTheAckTimeout(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		a, b := l.topic("a", 0), l.topic("b", 2)
		sink := topicsSink{fails("bad", errors.New("busy")), func(context.Context) ([]ConsumerConfig, error) {
			return []ConsumerConfig{{Topic: a, Subscription: "long"}, {Topic: b}}, nil
		}}
		rt := l.newSink(withHealth{sink}, l.config(l.deadTopic, func(c *Config) { c.AckTimeout = 20 * time.Second }))
		rt.policies = l.admin()
		r := l.start(rt.core, rt.Run).ready()
		start := time.Now()
		for _, c := range []struct {
			topic, sub string
			want       time.Duration
		}{{a, "long", 85 * time.Second}, {b, "s", 25 * time.Second}} {
			l.publish(c.topic, "bad")
			l.must(l.b.WaitAcked(t.Context(), c.topic, c.sub, 1))
			if d := time.Since(start); d < c.want || d > c.want+time.Second {
				t.Errorf("%s: given up after %v, want %v", c.topic, d, c.want)
			}
			start = time.Now()
			if n := l.deliveries(c.topic); n != 1 {
				t.Errorf("%s: delivered %d times", c.topic, n)
			}
		}
		r.stopped()
	}, danubetest.WithFailurePolicy("long", danubetest.FailurePolicy{AckTimeout: 90 * time.Second}))
}

// withHealth says that the system of a sink is well.
type withHealth struct{ topicsSink }

func (withHealth) HealthCheck(context.Context) error { return nil }

// A broker that allows one redelivery is not given a record back a second time.
func TestSinkGivesBackNoMoreThanTheBrokerAllows(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := fails("bad", InvalidDataf("no"))
		rt := l.newSink(sink, l.config(nacking, l.deadTopic))
		rt.policies = l.admin()
		r := l.start(rt.core, rt.Run).ready()
		l.publish(topic, "bad", "1", "2")
		l.until("all dealt with", func() bool { return l.acked() == 3 })
		r.stopped()
		same(t, "attempts", sink.attempts("bad"), 2)
	}, danubetest.WithFailurePolicy("s", danubetest.FailurePolicy{MaxRedeliveries: 1}))
}

func TestSinkAdminThatDoesNotAnswer(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		rt := l.newSink(&testSink{}, l.config())
		rt.policies = hangingAdmin{}
		start := time.Now()
		r := l.start(rt.core, rt.Run).ready()
		if d := time.Since(start); d > askTime+time.Second {
			t.Errorf("ready after %v", d)
		}
		same(t, "ack timeout", rt.routes[0].ackTimeout(), 30*time.Second)
		same(t, "warnings", l.log.count("the broker does not tell its ack timeout"), 1)
		l.publish(topic, "1")
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 1))
		r.stopped()

		// A stop does not wait for it.
		rt = l.newSink(&testSink{}, l.config())
		rt.policies = hangingAdmin{}
		r = l.start(rt.core, rt.Run)
		l.pause(time.Second)
		if err, took := r.stop(); err != nil || took > time.Second {
			t.Errorf("got %v after %v", err, took)
		}
	})
}

// A broker that was told never to deliver again by itself says so with any number.
func TestSinkAckTimeoutWithoutEnd(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		rt := l.newSink(&testSink{}, l.config())
		rt.policies = endlessAdmin{}
		r := l.start(rt.core, rt.Run).ready()
		same(t, "ack timeout", rt.routes[0].ackTimeout(), maxAckTimeout)
		if every := asksEvery * rt.routes[0].ackTimeout(); every < maxAckTimeout {
			t.Errorf("a question every %v", every)
		}
		same(t, "deliveries", rt.routes[0].maxDeliveries, nackDeliveries)
		r.stopped()
	})
}

type endlessAdmin struct{}

func (endlessAdmin) FailurePolicy(context.Context, string, string) (danube.FailurePolicy, error) {
	return danube.FailurePolicy{AckTimeout: math.MaxInt64, MaxRedeliveries: math.MaxInt32}, nil
}

type hangingAdmin struct{}

func (hangingAdmin) FailurePolicy(ctx context.Context, _, _ string) (danube.FailurePolicy, error) {
	<-ctx.Done()
	return danube.FailurePolicy{}, context.Cause(ctx)
}

// The configured address is used, and a broker's real answer understood.
func TestSinkAdminAddress(t *testing.T) {
	ask := func(t *testing.T, l *lab, url string) {
		topic := l.topic("t", 0)
		l.must(l.adminAt(url).SetFailurePolicy(t.Context(), topic, "s", danube.FailurePolicy{AckTimeout: 47 * time.Second}))
		rt := l.newSink(&testSink{}, l.config(func(c *Config) { c.AdminURL = "http://127.0.0.1:1, " + url }))
		r := l.start(rt.core, rt.Run).ready()
		same(t, "ack timeout", rt.routes[0].ackTimeout(), 47*time.Second)
		r.stopped()
	}
	t.Run("danubetest", func(t *testing.T) {
		onTCP(t, func(t *testing.T, l *lab) { ask(t, l, l.b.URL()) })
	})
	t.Run("broker", func(t *testing.T) {
		if os.Getenv("DANUBE_SERVICE_URL") == "" || os.Getenv("DANUBE_ADMIN_URL") == "" {
			t.Skip("DANUBE_SERVICE_URL and DANUBE_ADMIN_URL are not both set: not run on a real broker")
		}
		onReal(t, func(t *testing.T, l *lab) { ask(t, l, os.Getenv("DANUBE_ADMIN_URL")) })
	})
	t.Run("no address", func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.ConnectorName, cfg.SourceTopic, cfg.SubscriptionName, cfg.AdminURL = "c", "/default/t", "s", "localhost:50051"
		err := cfg.Validate(RoleSink)
		if err == nil || !strings.Contains(err.Error(), "danube_admin_url") || !strings.Contains(err.Error(), "http://host:port") {
			t.Errorf("got %v", err)
		}
	})
}

func (l *lab) adminAt(url string) *danube.Admin {
	l.t.Helper()
	a, err := danube.OpenAdmin(danube.AdminConfig{Addresses: []string{url}})
	l.must(err)
	l.t.Cleanup(func() { _ = a.Close(context.Background()) })
	return a
}
