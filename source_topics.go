package connect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/metrics"
)

// sourceTopics are the topics that a source publishes to: those that it declared,
// and those that its records name.
type sourceTopics struct {
	mu     sync.Mutex
	byName map[string]*sourceTopic
	closed bool // nothing is accepted any more
}

// sourceTopic is one topic. When ready is closed it is open, or err says why not.
type sourceTopic struct {
	ready    chan struct{}
	err      error
	producer Producer
	schema   *topicSchema  // nil without one
	limiter  *rate.Limiter // nil without a limit
	metrics  *metrics.Topic
}

var errStoppedSource = fmt.Errorf("%w: the runtime has stopped", ErrNotEmitted)

// openTopics opens what is known at the start.
func (rt *SourceRuntime) openTopics(ctx context.Context, configs []ProducerConfig) error {
	topics := make([]*sourceTopic, len(configs))
	seen := make(map[string]bool)
	for _, c := range configs {
		if seen[c.Topic] {
			return InvalidConfigf("ProducerConfigs names topic %s twice", c.Topic)
		}
		seen[c.Topic] = true
	}
	for i, c := range configs {
		topics[i], _ = rt.topic(ctx, c)
	}
	var err error
	for i, t := range topics {
		select {
		case <-t.ready:
		case <-rt.core.drain.Done(): // a client that ignores its context
			return fmt.Errorf("%w: the producer of %s is still being opened", ErrDrainDeadline, configs[i].Topic)
		}
		if err == nil {
			err = t.err
		}
	}
	return err
}

// topic returns a topic, which may still be opening, until it is open or the ctx of
// who came first has ended.
func (rt *SourceRuntime) topic(ctx context.Context, c ProducerConfig) (*sourceTopic, error) {
	all := &rt.topics
	all.mu.Lock()
	defer all.mu.Unlock()
	t := all.byName[c.Topic]
	if t != nil {
		return t, nil
	}
	if all.closed {
		return nil, errStoppedSource
	}
	if all.byName == nil {
		all.byName = make(map[string]*sourceTopic)
	}
	t = &sourceTopic{ready: make(chan struct{})}
	all.byName[c.Topic] = t
	go func() {
		defer close(t.ready)
		if t.err = rt.openTopic(ctx, c, t); t.err != nil {
			all.mu.Lock() // names come from data: what is none is not kept
			defer all.mu.Unlock()
			delete(all.byName, c.Topic)
		}
	}()
	return t, nil
}

func (rt *SourceRuntime) openTopic(ctx context.Context, c ProducerConfig, t *sourceTopic) error {
	cfg := danube.ProducerConfig{
		Topic:      c.Topic,
		Name:       rt.cfg.ConnectorName + notInNames.ReplaceAllString(c.Topic, "-"),
		Partitions: c.Partitions,
		Stamp:      rt.cfg.Stamps,
		OnSession:  rt.onSession("producer", c.Topic),
	}
	var err error
	if t.schema, err = rt.openSchema(ctx, c); err != nil {
		return err
	}
	if t.schema != nil {
		cfg.Schema = t.schema.ref
	}
	if c.NonReliable {
		cfg.Dispatch = danube.NonReliable
	}
	p, err := rt.client.NewProducer(ctx, cfg)
	if err != nil {
		return opened("producer", c.Topic, err)
	}
	t.producer, t.metrics = p, rt.metrics.Topic(c.Topic)
	if n := rt.cfg.RateLimit; n > 0 {
		t.limiter = newLimiter(n)
	}
	return nil
}

// newLimiter lets n records a second through. What was not used counts for the next
// 20 ms, which is enough to make up for timers that come late; nothing is saved up
// before the first record.
func newLimiter(n int) *rate.Limiter {
	burst := max(1, n/50)
	l := rate.NewLimiter(rate.Limit(n), burst)
	l.AllowN(time.Now(), burst-1)
	return l
}

// topicFor finds the topic of a record, opening it where it is new. bad is an error
// that lies in the record.
func (rt *SourceRuntime) topicFor(ctx context.Context, r *SourceRecord) (t *sourceTopic, bad, err error) {
	name := or(r.Topic, rt.cfg.DestinationTopic)
	if name == "" {
		return rt.noTopic(), InvalidDataf("the record has no topic, and destination_topic is not set"), nil
	}
	if rt.closed {
		rt.topics.mu.Lock()
		t = rt.topics.byName[name]
		rt.topics.mu.Unlock()
		if t == nil {
			return rt.noTopic(), InvalidDataf("topic %s is not declared, and undeclared_topics is not create", name), nil
		}
	} else if t, err = rt.topic(rt.work, ProducerConfig{Topic: name, NonReliable: !rt.cfg.ReliableDispatch}); err != nil {
		return nil, nil, err
	}
	select {
	case <-t.ready:
	default:
		select {
		case <-t.ready:
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("%w: %w", ErrNotEmitted, context.Cause(ctx))
		}
	}
	if isBadTopic(t.err) {
		return rt.noTopic(), InvalidData(t.err), nil
	}
	return t, nil, t.err
}

// isBadTopic reports that a topic that a record names can never be published to: no
// name, no namespace, or one of the other dispatch strategy. A permission that is
// missing is not the record's fault.
func isBadTopic(err error) bool {
	if errors.Is(err, errNoSchema) {
		return false
	}
	return errors.Is(err, danube.ErrInvalid) || errors.Is(err, danube.ErrNotFound) || errors.Is(err, danube.ErrConflict)
}

// noTopic stands in for a topic that cannot be published to.
func (rt *SourceRuntime) noTopic() *sourceTopic {
	return &sourceTopic{metrics: rt.general}
}

// accepting reports whether records are still taken.
func (s *sourceTopics) accepting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed
}

// closeTopics ends the intake and publishes what was accepted.
func (rt *SourceRuntime) closeTopics(ctx context.Context) {
	all := &rt.topics
	all.mu.Lock()
	all.closed = true
	var topics []*sourceTopic
	for _, t := range all.byName {
		topics = append(topics, t)
	}
	all.mu.Unlock()
	var wg sync.WaitGroup
	for _, t := range topics {
		wg.Go(func() {
			if !rt.await(ctx, noticeTime, t.ready) || t.producer == nil {
				return // nothing was accepted
			}
			if err := t.producer.Close(ctx); err != nil && ctx.Err() == nil {
				rt.note(err) // with ctx ended, the drain deadline says it all
			}
		})
	}
	if !rt.returns(ctx, noticeTime, wg.Wait) { // a done that does not return, or a client that ignores its context
		rt.log.Error("a producer has not closed and is left behind", "done_under_way", rt.answering.Load())
	}
}
