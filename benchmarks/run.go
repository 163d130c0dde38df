package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"
)

// loop is one of the ways to do the same work that are compared.
type loop struct {
	name   string
	source func(ctx context.Context, r *run) error // publishes and counts until r.over
	sink   func(ctx context.Context, r *run, opened func()) error
}

// loops are all that there are. A round runs them in the order of the flag -loops.
var loops = []loop{
	{"bare", bareSource, bareSink},
	{"attributed", attributedSource, nil}, // bare with the attributes of runtime
	{"danube", danubeSource, danubeSink},
	{"runtime", runtimeSource, runtimeSink},
	{"unstamped", unstampedSource, nil}, // the runtime without the attributes that tell losses and duplicates
}

// loopsFor returns the named loops that a side has.
func loopsFor(s side, names []string) ([]loop, error) {
	var list []loop
	for _, name := range names {
		i := slices.IndexFunc(loops, func(l loop) bool { return l.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-loops: %q: want some of bare, attributed, danube, runtime and unstamped", name)
		}
		if s == source && loops[i].source != nil || s == sink && loops[i].sink != nil {
			list = append(list, loops[i])
		}
	}
	return list, nil
}

// run is one pass of one loop over a fresh topic.
type run struct {
	*meter
	cell    cell
	url     string
	topic   string
	payload []byte     // of a source
	feed    *feed      // of a sink
	watch   *stopwatch // nil where only speed counts
	ledger  *ledger    // of a sink; nil where only speed counts
	rate    int        // of a source that waits for receipts

	nonReliable bool // the topic of a source
}

// settled counts a record that a sink is through with. Topics without partitions
// have the partition -1.
func (r *run) settled(partition int32, payload []byte) {
	if r.watch != nil {
		r.watch.processed(partition, payload)
	}
	if r.ledger != nil {
		r.ledger.got(payload)
	}
	r.feed.settled(partition)
	r.add()
}

// stallTime is how long a run may stand still before it is given up.
const stallTime = 5 * time.Second

// bench runs loops against one broker.
type bench struct {
	broker    *broker
	publisher *child
	senders   int    // for a topic without partitions; partitions have one each
	stamp     string // makes topics of this execution differ from those of others
	runs      int

	// What modes other than speed ask for; the zero values are speed's.
	rate        int                         // of the publisher, or of a source, in messages per second
	keys        int                         // that the publisher uses
	watch       *stopwatch                  // of the next run
	nonReliable bool                        // topics of sources
	onRun       func(context.Context, *run) // runs beside each run
}

func newBench(b *broker, publisher *child, senders int) *bench {
	return &bench{broker: b, publisher: publisher, senders: senders, stamp: fmt.Sprintf("%08x", rand.Uint32())}
}

// once measures n records through one loop, after a fifth of that as a warm-up.
func (b *bench) once(ctx context.Context, c cell, l loop, n int) (figures, error) {
	b.runs++
	r := &run{
		meter: newMeter(max(n/5, 20), n),
		cell:  c,
		url:   b.broker.url,
		topic: fmt.Sprintf("/default/bench-%s-%04d", b.stamp, b.runs),
		watch: b.watch,
		rate:  b.rate,

		nonReliable: b.nonReliable,
	}
	defer b.broker.forget(r.topic)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go r.guard(ctx, cancel)
	var beside sync.WaitGroup
	if b.onRun != nil {
		beside.Go(func() { b.onRun(ctx, r) })
	}
	runtime.GC() // the rubbish of the loop before is not this one's work
	var f figures
	var err error
	if c.Side == source {
		r.payload = make([]byte, c.Size)
		if err = l.source(ctx, r); err == nil {
			f = r.figures()
		}
	} else {
		f, err = b.sinkOnce(ctx, r, l)
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		cancel(err)
		beside.Wait()
		return f, fmt.Errorf("%s, %s: %w", c, l.name, err)
	}
	beside.Wait()
	return f, nil
}

// sinkOnce runs the loop beside a publisher that is never far ahead of it.
func (b *bench) sinkOnce(ctx context.Context, r *run, l loop) (f figures, err error) {
	senders := 1
	if r.cell.Partitions <= 1 {
		senders = b.senders
	}
	r.feed, err = openFeed(b.publisher, orderOpen{
		URL: r.url, Topic: r.topic, Partitions: r.cell.Partitions, Size: r.cell.Size, Senders: senders, Rate: b.rate,
		Keys: b.keys, Ahead: ahead,
	})
	if err != nil {
		return f, err
	}
	err = r.beside(ctx, l, func(ended <-chan struct{}, sunk *error) error {
		err := r.feed.start()
		if err == nil {
			err = waitFor(r.done, ended, sunk)
		}
		p, stopErr := r.feed.stop() // also after an error: the publisher serves the next run
		if err == nil {
			err = stopErr
		}
		if err != nil {
			return err
		}
		f = r.figures()
		f.Waited, f.Lost = p.Waited, r.missing(p.Count)
		return nil
	})
	return f, err
}

// beside runs a sink loop, and what is to be done while it runs once it has opened its
// subscriptions.
func (r *run) beside(ctx context.Context, l loop, do func(ended <-chan struct{}, sunk *error) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opened, ended := make(chan struct{}), make(chan struct{})
	var sunk error
	go func() {
		defer close(ended)
		sunk = l.sink(ctx, r, func() { close(opened) })
	}()
	defer func() {
		cancel()
		<-ended
	}()
	if err := waitFor(opened, ended, &sunk); err != nil {
		return err
	}
	return do(ended, &sunk)
}

// waitFor waits for a step of a loop, which must not end before.
func waitFor(step, ended <-chan struct{}, err *error) error {
	select {
	case <-step:
		return nil
	case <-ended:
	}
	if *err == nil {
		return errors.New("the loop ended before its records were through")
	}
	return fmt.Errorf("the loop ended before its records were through: %w", *err)
}

// missing waits for what is still under way and returns how many records never
// came, which a real broker can bring about.
func (r *run) missing(published int64) int64 {
	deadline := time.Now().Add(time.Second)
	for r.feed.total() < published && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	return max(0, published-r.feed.total())
}

// guard ends a run that stands still.
func (r *run) guard(ctx context.Context, cancel context.CancelCauseFunc) {
	last := int64(-1)
	tick := time.NewTicker(stallTime)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		n := r.count.Load()
		if n == last && !r.over() {
			cancel(fmt.Errorf("nothing has moved for %v, at %d of %d records", stallTime, n, r.end))
			return
		}
		last = n
	}
}
