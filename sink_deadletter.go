package connect

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/deadletter"
)

// deadLetters are the targets for what a sink cannot process.
type deadLetters struct {
	file   *deadletter.File      // nil without one
	topics map[string]*deadTopic // routes that have the same one share its producer
}

type deadTopic struct {
	name     string
	producer Producer
}

// deadLetterSubscription is the subscription that a dead letter topic gets at start:
// what is published to a topic without any subscription, no one can read later.
const deadLetterSubscription = "dead_letters"

var notInTopics = regexp.MustCompile(`[^\pL\pN_-]`)

// deadLetterName is the topic for dead letters of a subscription where none is
// configured. It does not begin with the source's name: the broker takes a topic
// that another one's name begins with for its partition.
func deadLetterName(topic, subscription string) string {
	parts := strings.SplitN(topic, "/", 3) // "", namespace, name
	return fmt.Sprintf("/%s/dlq_%s_%s", parts[1], notInTopics.ReplaceAllString(subscription, "_"), parts[2])
}

// openDeadLetters makes the targets of all routes ready before anything is received.
func (rt *SinkRuntime) openDeadLetters(ctx context.Context, routes []*sinkRoute) error {
	wants := slices.DeleteFunc(slices.Clone(routes), func(r *sinkRoute) bool { return !r.opts.deadLetters() })
	if len(wants) == 0 {
		return nil
	}
	rt.dead.topics = make(map[string]*deadTopic)
	for _, r := range wants {
		topic := rt.cfg.DeadLetterTopic
		if topic == "" && rt.cfg.DeadLetterFile == "" {
			topic = deadLetterName(r.cfg.Topic, r.cfg.Subscription)
		}
		if topic == "" {
			continue
		}
		for _, other := range routes {
			if isPartOf(topic, other.cfg.Topic) {
				return InvalidConfigf("the dead letter topic %s is what the sink reads: dead letters would come back for ever", topic)
			}
		}
		if rt.dead.topics[topic] == nil {
			rt.dead.topics[topic] = &deadTopic{name: topic}
		}
		r.dead = rt.dead.topics[topic]
	}
	if path := rt.cfg.DeadLetterFile; path != "" {
		f, err := deadletter.OpenFile(path)
		if err != nil {
			return InvalidConfigf("dead_letter_file: %w", err)
		}
		rt.dead.file = f
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var wg sync.WaitGroup
	for _, d := range rt.dead.topics {
		wg.Go(func() {
			if err := d.open(ctx, rt.core); err != nil {
				fail(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// isPartOf reports whether a topic is another one or a partition of it.
func isPartOf(topic, of string) bool {
	n, cut := strings.CutPrefix(topic, of+"-part-")
	return topic == of || cut && strings.Trim(n, "0123456789") == ""
}

// open creates the topic and a subscription on it.
func (d *deadTopic) open(ctx context.Context, rt *core) error {
	cursor := newLetterCursor(d)
	name := rt.cfg.ConnectorName + "-dead-letters"
	p, err := rt.client.NewProducer(ctx, danube.ProducerConfig{Topic: d.name, Name: name, OnSession: rt.onSession("dead letters", d.name)})
	if err != nil {
		return opened("dead letters", d.name, err)
	}
	d.producer = p
	c, err := rt.client.NewConsumer(ctx, danube.ConsumerConfig{
		Topic: d.name, Subscription: deadLetterSubscription, Name: name, Type: danube.Shared,
		Handler: cursor.handle, // dead letters are for whoever reads them; not acknowledged, so still there
	})
	if err != nil {
		return opened("subscription "+deadLetterSubscription, d.name, err)
	}
	if rt.noCursor {
		return c.Close(ctx)
	}
	rt.background.Go(func() { cursor.keep(rt, c) })
	return nil
}

// publish hands one record to the producer, which tries until the broker has it. The
// channel gets the answer.
func (d *deadTopic) publish(ctx context.Context, l *deadletter.Letter) (<-chan error, error) {
	done := make(chan error, 1)
	err := d.producer.SendAsync(ctx, l.Outgoing(), func(_ danube.Receipt, err error) { done <- err })
	return done, err
}

// errPending says that a dead letter is on its way, and not stored yet.
var errPending = errors.New("the broker has not answered yet")

// pendingTime is how long a worker waits for that before it turns to other keys.
const pendingTime = time.Second

// refused reports that a topic will never take this letter.
func refused(err error) bool {
	return errors.Is(err, danube.ErrTooLarge) || errors.Is(err, danube.ErrSchema) || errors.Is(err, danube.ErrInvalid)
}

// lost reports that nothing can be published to a topic any more.
func lost(err error) bool {
	return errors.Is(err, danube.ErrPermission) || errors.Is(err, danube.ErrAuth) || errors.Is(err, danube.ErrConflict) || errors.Is(err, danube.ErrNotFound)
}

// close publishes what is on its way.
func (d *deadLetters) close(ctx context.Context) error {
	var errs []error
	for _, t := range d.topics {
		if t.producer == nil {
			continue
		}
		if err := t.producer.Close(ctx); err != nil && !errors.Is(err, danube.ErrClosed) {
			errs = append(errs, fmt.Errorf("dead letters of %s: %w", t.name, err))
		}
	}
	if d.file != nil {
		errs = append(errs, d.file.Close())
	}
	return errors.Join(errs...)
}

// bury stores a record in every target, each once; nil means that it is safe.
func (w *sinkWorker) bury(d *delivery, cause error) error {
	r := w.lane.route
	l := &deadletter.Letter{
		Message: d.msg, Connector: r.rt.cfg.ConnectorName, Subscription: r.cfg.Subscription,
		Stage: "process", Class: errorType(cause), Reason: cause.Error(), Attempts: d.attempts,
		FirstFailure: d.firstFailed, LastFailure: time.Now(),
	}
	if file := r.rt.dead.file; file != nil && !d.filed {
		if err := file.Write(l); err != nil {
			return err
		}
		d.filed = true
	}
	if r.dead == nil {
		return nil
	}
	if d.onItsWay == nil {
		done, err := r.dead.publish(r.rt.work, l)
		if err != nil {
			return err
		}
		d.onItsWay = done
	}
	var err error
	t := time.NewTimer(pendingTime)
	defer t.Stop()
	select {
	case err = <-d.onItsWay:
		d.onItsWay = nil
	case <-t.C:
		return errPending
	case <-r.rt.work.Done():
		return context.Cause(r.rt.work)
	}
	if d.filed && refused(err) {
		r.rt.log.Error("the dead letter topic does not take a record; it is in the file only", w.attrs(d, err)...)
		return nil
	}
	return err
}
