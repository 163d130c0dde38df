package danube_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

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
