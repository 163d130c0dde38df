package connect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/deadletter"
)

// deadLetters are the targets for what one route cannot process.
type deadLetters struct {
	rt    *SinkRuntime
	topic string
	prod  Producer
	file  *deadletter.File // shared by all routes, closed by the runtime
}

// deadLetterSubscription is the subscription that a dead letter topic gets at start:
// what is published to a topic without any subscription, no one can read later.
const deadLetterSubscription = "dead_letters"

// deadLetterName is the topic for dead letters of a subscription where none is
// configured. It does not begin with the source's name: the broker takes a topic
// that another one's name begins with for its partition.
func deadLetterName(topic, subscription string) string {
	parts := strings.SplitN(topic, "/", 3) // "", namespace, name
	return fmt.Sprintf("/%s/dlq_%s_%s", parts[1], subscription, parts[2])
}

// openDeadLetters makes the targets of a route ready before it receives anything.
func (r *sinkRoute) openDeadLetters(ctx context.Context) error {
	if r.opts.onError != OnErrorDeadLetter {
		return nil
	}
	r.dead = &deadLetters{rt: r.rt, file: r.rt.deadFile, topic: r.rt.cfg.DeadLetterTopic}
	if r.dead.topic == "" && r.dead.file == nil {
		r.dead.topic = deadLetterName(r.cfg.Topic, r.cfg.Subscription)
	}
	if r.dead.topic == "" {
		return nil
	}
	if r.dead.topic == r.cfg.Topic {
		return InvalidConfigf("the dead letter topic of %s is the topic itself: dead letters would come back for ever", r.cfg.Topic)
	}
	name := r.rt.cfg.ConnectorName + "-dead-letters"
	p, err := r.rt.client.NewProducer(ctx, danube.ProducerConfig{Topic: r.dead.topic, Name: name, OnSession: r.rt.onSession("dead letters", r.dead.topic)})
	if err != nil {
		return opened("dead letters", r.dead.topic, err)
	}
	r.dead.prod = p
	c, err := r.rt.client.NewConsumer(ctx, danube.ConsumerConfig{
		Topic: r.dead.topic, Subscription: deadLetterSubscription, Name: name, Type: danube.Shared,
		Handler: func(*danube.Message) {}, // for whoever reads them; not acknowledged, so still there
	})
	if err != nil {
		return opened("subscription "+deadLetterSubscription, r.dead.topic, err)
	}
	return c.Close(ctx)
}

// write stores one record; nil means that it is safe in every target.
func (d *deadLetters) write(ctx context.Context, l *deadletter.Letter) error {
	if d.file != nil {
		if err := d.file.Write(l); err != nil {
			return err
		}
	}
	if d.prod == nil {
		return nil
	}
	attributes := l.Headers()
	for k, v := range l.Message.Attributes {
		if _, taken := attributes[k]; !taken {
			attributes[k] = v
		}
	}
	done := make(chan error, 1)
	out := &danube.Outgoing{Payload: l.Message.Payload, Attributes: maps.Clone(attributes), Key: l.Message.Key, Schema: l.Message.Schema}
	if err := d.prod.SendAsync(ctx, out, func(_ danube.Receipt, err error) { done <- err }); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close publishes what is on its way.
func (d *deadLetters) close(ctx context.Context) error {
	if d == nil || d.prod == nil {
		return nil
	}
	if err := d.prod.Close(ctx); err != nil && !errors.Is(err, danube.ErrClosed) {
		return fmt.Errorf("dead letters of %s: %w", d.topic, err)
	}
	return nil
}

// letter describes a record that is given up.
func (w *sinkWorker) letter(d *delivery, err error) *deadletter.Letter {
	r := w.lane.route
	return &deadletter.Letter{
		Message: d.msg, Connector: r.rt.cfg.ConnectorName, Subscription: r.cfg.Subscription,
		Stage: "process", Class: errorType(err), Reason: err.Error(), Attempts: d.attempts,
		FirstFailure: d.firstFailed, LastFailure: time.Now(),
	}
}
