package danube_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

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
