package danube_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// A topic that does not exist is waited for, by default.
func TestConsumerWaitsForItsTopic(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		cfg := danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"}
		_, err := client.NewConsumer(l.within(time.Second), cfg)
		l.want(err, danube.ErrNotFound, topic, "does not exist yet", "deadline")
		if !errors.Is(err, context.DeadlineExceeded) {
			l.Errorf("%v does not show the context's own error", err)
		}

		opened := make(chan error, 1)
		var con *danube.Consumer
		go func() {
			var err error
			con, err = client.NewConsumer(l.soon(), cfg)
			opened <- err
		}()
		l.pass(time.Second)
		p := l.producer(client, topic)
		l.must(<-opened)
		l.send(p, "a")
		l.ack(con, l.receive(con, "a")...)
	})
}

func TestConsumerCreatesItsTopic(t *testing.T) {
	onBoth(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		events.wantStates(l, topic, danube.Ready)
		l.send(l.producer(client, topic), "a")
		l.ack(con, l.receive(con, "a")...)
	})
}

// A cluster asks for a second lookup when it has made a topic: that is no reason to
// wait.
func TestCreationTakesNoWait(t *testing.T) {
	embedded(t, func(l *lab) {
		start := time.Now()
		l.producer(l.open(), l.topic())
		if d := time.Since(start); d > 0 {
			l.Errorf("it took %v", d)
		}
	})
}

func TestMissingNamespace(t *testing.T) {
	onBoth(t, func(l *lab) {
		client := l.open()
		start := time.Now()
		_, err := client.NewProducer(l.soon(), danube.ProducerConfig{Topic: "/nowhere/x", Name: "p"})
		l.want(err, danube.ErrNotFound, "/nowhere/x", "namespace")
		_, err = client.NewConsumer(l.soon(), danube.ConsumerConfig{Topic: "/nowhere/x", Subscription: "s", Name: "c", CreateTopic: true})
		l.want(err, danube.ErrNotFound, "/nowhere/x", "namespace")
		if d := time.Since(start); d > 5*time.Second {
			l.Errorf("it took %v to say so", d)
		}
	})
}

func TestDispatchMismatch(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		l.producer(client, topic)
		var events sessions
		_, err := client.NewProducer(l.soon(), danube.ProducerConfig{Topic: topic, Name: "q", Dispatch: danube.NonReliable, OnSession: events.add})
		l.want(err, danube.ErrConflict, topic, "dispatch")
		events.wantStates(l, topic, danube.Failed)
	})
}

// A topic with partitions cannot be made where one without exists.
func TestPartitionsOfAPlainTopic(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		l.producer(client, topic)
		_, err := client.NewProducer(l.soon(), danube.ProducerConfig{Topic: topic, Name: "q", Partitions: 2})
		l.want(err, danube.ErrConflict, topic+"-part-")
	})
}

func TestTopicsAreNotCreatedForProducers(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		_, err := client.NewProducer(l.soon(), danube.ProducerConfig{Topic: topic, Name: "q"})
		l.want(err, danube.ErrNotFound, topic)
	}, danubetest.WithAutoCreateTopics(false))
}

// Everything that is wrong with a configuration is said at once.
func TestWrongConfigs(t *testing.T) {
	embedded(t, func(l *lab) {
		client := l.open()
		_, err := client.NewProducer(l.soon(), danube.ProducerConfig{Topic: "orders", Partitions: -1, MaxPending: -1})
		l.want(err, danube.ErrInvalid, "orders", "producer name", "partitions", "MaxPending")
		_, err = client.NewConsumer(l.soon(), danube.ConsumerConfig{Topic: "/a/b/c", Subscription: "a/b", Type: 9, MaxQueued: -1})
		l.want(err, danube.ErrInvalid, "/a/b/c", "subscription", "consumer name", "type", "MaxQueued")
		p := l.producer(client, l.topic())
		l.want(p.SendAsync(l.soon(), nil, func(danube.Receipt, error) {}), danube.ErrInvalid)
		l.want(p.SendAsync(l.soon(), &danube.Outgoing{}, nil), danube.ErrInvalid)
	})
}

// No broker is there: opening tries again until its context ends, then at once, and
// says both why it stopped and what kept it.
func TestOpenWithTheBrokerDown(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		l.broker.Stop()
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err := client.NewProducer(ctx, danube.ProducerConfig{Topic: topic, Name: "p"})
		l.want(err, context.DeadlineExceeded, topic, "refused")
		if d := time.Since(start); d != time.Minute {
			l.Errorf("a producer took %v to give up", d)
		}
		start = time.Now()
		ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err = client.NewProducer(ctx, danube.ProducerConfig{Topic: topic, Name: "p", Partitions: 3})
		l.want(err, context.DeadlineExceeded, topic, "refused")
		if d := time.Since(start); d != time.Minute {
			l.Errorf("a producer with partitions took %v to give up", d)
		}
		start = time.Now()
		ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err = client.NewConsumer(ctx, danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"})
		l.want(err, context.DeadlineExceeded, topic, "refused")
		if d := time.Since(start); d != time.Minute {
			l.Errorf("a consumer took %v to give up", d)
		}
		if err := client.Ping(l.within(time.Second)); err == nil {
			l.Error("Ping answered")
		}

		go func() {
			l.pass(30 * time.Second)
			if err := l.broker.Start(); err != nil {
				l.Error(err)
			}
		}()
		p, err := client.NewProducer(l.within(time.Minute), danube.ProducerConfig{Topic: topic, Name: "p"})
		l.must(err)
		l.send(p, "a")
		l.must(client.Ping(l.soon()))
	})
}

// A call that hangs does not outlive the context of whoever opens.
func TestOpenWithAHangingBroker(t *testing.T) {
	for _, m := range []danubetest.Method{danubetest.MethodTopicPartitions, danubetest.MethodTopicLookup, danubetest.MethodCreateProducer, danubetest.MethodSubscribe, danubetest.MethodReceiveMessages} {
		t.Run(m.String(), func(t *testing.T) {
			embedded(t, func(l *lab) {
				topic, client := l.topic(), l.open()
				l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
				hang := l.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{m}, Hang: true, Count: -1})
				start := time.Now()
				if m != danubetest.MethodSubscribe && m != danubetest.MethodReceiveMessages {
					_, err := client.NewProducer(l.within(time.Second), danube.ProducerConfig{Topic: topic, Name: "p"})
					l.want(err, context.DeadlineExceeded, topic)
				} else {
					_, err := client.NewConsumer(l.within(time.Second), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"})
					l.want(err, context.DeadlineExceeded, topic)
				}
				if d := time.Since(start); d != time.Second {
					l.Errorf("it took %v", d)
				}
				hang.Remove()
			})
		})
	}
}

// One of several seeds is enough.
func TestSeveralSeeds(t *testing.T) {
	scenario := func(l *lab) {
		client := l.open(func(c *danube.Config) { c.Seeds = []string{"http://127.0.0.1:1", l.url, "127.0.0.1:2"} })
		for range 4 { // each lookup begins at another seed
			topic := l.topic()
			p, con := l.producer(client, topic), l.consumer(client, topic)
			l.send(p, "a")
			l.ack(con, l.receive(con, "a")...)
		}
		l.must(client.Ping(l.soon()))
	}
	t.Run("embedded", func(t *testing.T) { overTCP(t, scenario) })
	t.Run("real", func(t *testing.T) { onReal(t, scenario) })
}

// A client that is closed takes what is being opened with it.
func TestClientCloseWhileOpening(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		hang := l.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodCreateProducer, danubetest.MethodSubscribe}, Hang: true, Count: -1})
		l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
		errs := make(chan error, 2)
		go func() {
			_, err := client.NewProducer(context.Background(), danube.ProducerConfig{Topic: topic, Name: "p"})
			errs <- err
		}()
		go func() {
			_, err := client.NewConsumer(context.Background(), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"})
			errs <- err
		}()
		l.pass(time.Second)
		l.must(client.Close(l.within(time.Second)))
		for range 2 {
			l.want(<-errs, danube.ErrClosed)
		}
		hang.Remove()
	})
}

// ... also while the topic is waited for.
func TestClientCloseWhileWaiting(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		errs := make(chan error, 1)
		go func() {
			_, err := client.NewConsumer(context.Background(), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"})
			errs <- err
		}()
		l.pass(time.Second)
		l.must(client.Close(l.soon()))
		l.want(<-errs, danube.ErrClosed)
	})
}

// Throttling and lookups that find nothing pass.
func TestOpenThroughTroubles(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
		l.broker.Fault(danubetest.Throttled(6), danubetest.LookupFails(2), danubetest.Fault{
			Methods: []danubetest.Method{danubetest.MethodCreateProducer}, Err: status.Error(codes.Internal, "failed to load topic"),
		})
		p, con := l.producer(client, topic), l.consumer(client, topic)
		l.send(p, "a")
		l.ack(con, l.receive(con, "a")...)
	})
}

// Everything is slow, nothing breaks.
func TestSlowBroker(t *testing.T) {
	embedded(t, func(l *lab) {
		l.broker.Fault(danubetest.SlowBroker(2 * time.Second))
		topic, client := l.topic(), l.open()
		p, con := l.producer(client, topic), l.consumer(client, topic)
		l.post(p, series("m", 10)...)
		for _, m := range series("m", 10) {
			l.must(con.Ack(l.receive(con, m)[0]))
		}
		l.must(con.Flush(l.soon()))
		synctest.Wait()
		if n := len(l.broker.Calls(func(c danubetest.Call) bool { return c.Method == danubetest.MethodSubscribe })); n != 1 {
			l.Errorf("subscribed %d times", n)
		}
	})
}

func TestStates(t *testing.T) {
	var all []string
	for _, s := range []danube.SessionState{danube.Connecting, danube.Ready, danube.Failed} {
		all = append(all, s.String())
	}
	if got := strings.Join(all, " "); got != "connecting ready failed" {
		t.Errorf("got %q", got)
	}
	if got := danube.SessionState(9).String(); got != "state 9" {
		t.Errorf("an unknown state: %q", got)
	}
	if danube.Exclusive.String() != "Exclusive" || danube.KeyShared.String() != "KeyShared" {
		t.Error("subscription types have no names")
	}
}
