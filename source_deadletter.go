package connect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/deadletter"
	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// maxBuried is how many records may wait to be stored among the dead letters before a
// source takes no more. What the producers have in hand at that moment may add to it.
const maxBuried = 64

// sourceDead stores what can never be published. It has a goroutine of its own: a
// partition must not wait for the dead letter of one record.
type sourceDead struct {
	file  *deadletter.File // nil without one
	topic *deadTopic       // nil without one

	mu      sync.Mutex
	waiting []*burial
	open    int  // waiting or in work
	closed  bool // what comes is not stored any more
	wake    chan struct{}
	room    chan struct{} // closed when there is room again; nil when nobody waits
	ended   chan struct{}
}

// burial is one record on its way to the dead letters.
type burial struct {
	f       *flight
	receipt Receipt
	cause   error
	letter  *deadletter.Letter
	filed   bool // it is in the file
}

// openDead makes the targets for dead letters ready, where on_error asks for them,
// before anything is published.
func (rt *SourceRuntime) openDead(ctx context.Context, configs []ProducerConfig) error {
	if rt.cfg.onError() != OnErrorDeadLetter {
		return nil
	}
	d := &sourceDead{wake: make(chan struct{}, 1), ended: make(chan struct{})}
	name := rt.cfg.DeadLetterTopic
	if name == "" && rt.cfg.DeadLetterFile == "" {
		name = deadLetterName(configs[0].Topic, rt.cfg.ConnectorName)
	}
	for _, c := range configs {
		if isPartOf(name, c.Topic) {
			return InvalidConfigf("the dead letter topic %s is what the source publishes to", name)
		}
	}
	if path := rt.cfg.DeadLetterFile; path != "" {
		f, err := deadletter.OpenFile(path)
		if err != nil {
			return InvalidConfigf("dead_letter_file: %w", err)
		}
		d.file = f
	}
	if name != "" {
		d.topic = &deadTopic{name: name}
		if err := d.topic.open(ctx, rt.core); err != nil {
			return errors.Join(err, d.closeFile())
		}
	}
	rt.dead = d
	go rt.runDead(d)
	return nil
}

// waitForRoom keeps a source from going on while the dead letters cannot be stored.
func (d *sourceDead) waitForRoom(ctx context.Context) error {
	for {
		d.mu.Lock()
		if d.open < maxBuried {
			d.mu.Unlock()
			return nil
		}
		if d.room == nil {
			d.room = make(chan struct{})
		}
		room := d.room
		d.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return fmt.Errorf("%w: %d records wait to be stored among the dead letters: %w", ErrNotEmitted, maxBuried, context.Cause(ctx))
		}
	}
}

// add takes a record that was given up; false means that it comes too late.
func (d *sourceDead) add(b *burial) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.waiting = append(d.waiting, b)
	d.open++
	d.signal()
	return true
}

func (d *sourceDead) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// take returns all that waits; done means that nothing will come any more.
func (d *sourceDead) take() (list []*burial, done bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list, d.waiting = d.waiting, nil
	return list, d.closed && len(list) == 0
}

func (d *sourceDead) left(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open -= n
	if d.open < maxBuried && d.room != nil {
		close(d.room)
		d.room = nil
	}
}

// letter describes a record that was given up. stage is what it failed in.
func (f *flight) letter(r Receipt, stage string, cause error) *deadletter.Letter {
	rec, now := f.rec, time.Now()
	topic := or(rec.Topic, f.rt.cfg.DestinationTopic)
	payload := f.out.Payload
	if payload == nil {
		payload = rec.Payload
	}
	if payload == nil && rec.Value != nil {
		payload = f.rt.valueText(rec.Value)
	}
	m := &danube.Message{
		Topic: topic, WireTopic: or(r.Topic, topic), Partition: danube.NoPartition, Schema: f.out.Schema,
		Payload: payload, Attributes: rec.Attributes, Key: rec.Key, PublishTime: rec.PublishTime,
	}
	if m.PublishTime.IsZero() {
		m.PublishTime = f.started
	}
	return &deadletter.Letter{
		Message: m, Connector: f.rt.cfg.ConnectorName, Origin: f.origin,
		Stage: stage, Class: errorType(cause), Reason: cause.Error(), Attempts: r.Attempts,
		FirstFailure: now, LastFailure: now,
	}
}

// valueText is the body of a dead letter for a value that has none: JSON, or else what
// fmt makes of it, so that whoever looks finds something. From a value that holds itself fmt
// would not come back, and nobody could catch that: of such a one the type is said.
func (rt *SourceRuntime) valueText(v any) (text []byte) {
	err := rt.protect("the value's text", func() (err error) {
		text, err = jsonPayload(v)
		return err
	})
	if err != nil {
		text = fmt.Appendf(nil, "a %T, which is no JSON: %s", v, oneLine(err))
		if !holdsItself(v) {
			text = fmt.Appendf(nil, "%+v", v) // fmt catches panics itself
		}
	}
	return text
}

// runDead stores dead letters until the runtime has no more of them.
func (rt *SourceRuntime) runDead(d *sourceDead) {
	defer close(d.ended)
	for {
		list, done := d.take()
		if done {
			return
		}
		if len(list) == 0 {
			<-d.wake
			continue
		}
		n := len(list)
		wait := retry.New(rt.cfg.RetryBackoff, rt.cfg.MaxBackoff)
		for {
			var err error
			list, err = rt.bury(d, list)
			if len(list) == 0 {
				break
			}
			if rt.work.Err() == nil && !lost(err) {
				pause := wait.Next()
				rt.board.Set("dead letters", oneLine(err))
				rt.log.Error("dead letters could not be stored and will be tried again", "records", len(list), "error", oneLine(err), "retry_in", pause)
				if retry.Sleep(rt.work, pause) {
					continue
				}
			}
			if lost(err) {
				rt.fail(opened("dead letters", d.topic.name, err))
			}
			for _, b := range list {
				b.f.giveUp(b.receipt, b.cause)
			}
			break
		}
		rt.board.Set("dead letters", "")
		d.left(n)
	}
}

// bury makes one attempt to store records, and returns those that are not stored and
// why.
func (rt *SourceRuntime) bury(d *sourceDead, list []*burial) (left []*burial, err error) {
	if d.file != nil {
		var letters []*deadletter.Letter
		for _, b := range list {
			if !b.filed {
				letters = append(letters, b.letter)
			}
		}
		if err := d.file.Write(letters...); err != nil {
			return list, err
		}
		for _, b := range list {
			b.filed = true
		}
	}
	answers := make([]<-chan error, len(list))
	errs := make([]error, len(list))
	if d.topic != nil {
		for i, b := range list {
			answers[i], errs[i] = d.topic.publish(rt.work, b.letter)
		}
	}
	for i, b := range list {
		each := errs[i]
		if each == nil && answers[i] != nil {
			select {
			case each = <-answers[i]:
			case <-rt.work.Done():
				each = context.Cause(rt.work)
			}
		}
		if b.filed && refused(each) {
			rt.log.Error("the dead letter topic does not take a record; it is in the file only", "record", b.f.rec, "error", oneLine(each))
			each = nil
		}
		switch {
		case each == nil:
			rt.log.Error("a record is among the dead letters, as on_error says", "record", b.f.rec, "error", oneLine(b.cause))
			b.f.topic.metrics.DeadLettered.Inc()
			b.f.end(b.receipt, b.cause)
		case refused(each):
			rt.log.Error("a record can be neither published nor stored among the dead letters, stopping; a dead_letter_file takes all", "record", b.f.rec, "error", oneLine(b.cause), "dead_letter_error", oneLine(each))
			rt.fail(fmt.Errorf("%w: %v: %w; its dead letter: %w; a dead_letter_file takes all", ErrStoppedByPolicy, b.f.rec, b.cause, each))
			b.f.giveUp(b.receipt, b.cause)
		default:
			left, err = append(left, b), each
		}
	}
	return left, err
}

// closeDead stores what is left of the dead letters, until ctx ends.
func (rt *SourceRuntime) closeDead(ctx context.Context) {
	d := rt.dead
	if d == nil {
		return
	}
	d.mu.Lock()
	d.closed = true
	d.signal()
	d.mu.Unlock()
	if !rt.await(ctx, noticeTime, d.ended) {
		rt.log.Error("a dead letter is still being written and is left behind")
		return // Close would wait for it
	}
	if d.topic != nil {
		if err := d.topic.producer.Close(ctx); err != nil && ctx.Err() == nil {
			rt.note(fmt.Errorf("dead letters of %s: %w", d.topic.name, err))
		}
	}
	rt.note(d.closeFile())
}

func (d *sourceDead) closeFile() error {
	if d.file == nil {
		return nil
	}
	return d.file.Close()
}
