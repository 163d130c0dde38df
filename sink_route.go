package connect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/metrics"
)

// sinkRoute is one subscription of a sink: a consumer, and a lane for each
// partition that messages come from.
type sinkRoute struct {
	rt      *SinkRuntime
	cfg     danube.ConsumerConfig
	metrics *metrics.Topic

	consumer Consumer      // set before ready is closed
	ready    chan struct{} // closed when the consumer is open, or never will be

	stopping atomic.Bool

	mu    sync.Mutex
	lanes map[int32]*sinkLane
}

func newSinkRoute(rt *SinkRuntime, cfg danube.ConsumerConfig) *sinkRoute {
	r := &sinkRoute{
		rt: rt, cfg: cfg,
		metrics: rt.metrics.Topic(cfg.Topic),
		ready:   make(chan struct{}),
		lanes:   make(map[int32]*sinkLane),
	}
	r.cfg.Handler = r.deliver
	return r
}

func (r *sinkRoute) open(ctx context.Context) error {
	defer close(r.ready)
	c, err := r.rt.client.NewConsumer(ctx, r.cfg)
	if err != nil {
		return opened("subscription "+r.cfg.Subscription, r.cfg.Topic, err)
	}
	r.consumer = c
	context.AfterFunc(r.rt.stop, func() { r.stopLanes() })
	go func() {
		<-c.Done()
		if err := c.Err(); err != nil {
			r.rt.fail(fmt.Errorf("subscription %s of %s: %w", r.cfg.Subscription, r.cfg.Topic, err))
		}
	}()
	return nil
}

// deliver takes a message in, on the goroutine that reads the partition's stream.
func (r *sinkRoute) deliver(m *danube.Message) {
	if r.stopping.Load() {
		return // never acknowledged: the broker delivers it again
	}
	r.metrics.Received.Inc()
	r.lane(m.Partition).receive(m)
}

func (r *sinkRoute) lane(partition int32) *sinkLane {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lanes[partition]
	if l == nil {
		l = newSinkLane(r, partition)
		r.lanes[partition] = l
		if r.rt.stop.Err() != nil {
			l.Stop()
		}
	}
	return l
}

// drain ends the intake, waits until no lane is in the connector, and closes the
// consumer, which sends the acks that are left.
func (r *sinkRoute) drain(ctx context.Context) error {
	r.stopping.Store(true)
	lanes := r.stopLanes()
	idle := make(chan struct{})
	go func() {
		for _, l := range lanes {
			l.Wait()
		}
		close(idle)
	}()
	// After the deadline the connector's context has ended, and it gets a moment to
	// notice; one that does not is left behind.
	late, cancel := context.WithCancel(r.rt.forced)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(noticeTime, cancel) })()
	select {
	case <-idle:
		for _, l := range lanes {
			r.metrics.Inflight.Sub(float64(l.Len())) // handed back
		}
	case <-late.Done():
		r.rt.log.Error("a call into the connector has not returned and is left behind", "topic", r.cfg.Topic)
	}
	<-r.ready
	if r.consumer == nil {
		return nil
	}
	if ctx.Err() != nil { // acks of what did finish still have a moment
		c, cancel := context.WithTimeoutCause(r.rt.forced, noticeTime, ErrDrainDeadline)
		defer cancel()
		ctx = c
	}
	if err := r.consumer.Close(ctx); err != nil && !errors.Is(err, danube.ErrClosed) {
		return fmt.Errorf("some acks of %s were not answered, so that records may come again: %w", r.cfg.Topic, err)
	}
	return nil
}

// stopLanes keeps all lanes from starting anything more.
func (r *sinkRoute) stopLanes() []*sinkLane {
	r.mu.Lock()
	defer r.mu.Unlock()
	lanes := make([]*sinkLane, 0, len(r.lanes))
	for _, l := range r.lanes {
		l.Stop()
		lanes = append(lanes, l)
	}
	return lanes
}

// noticeTime is what a connector gets to return once its context has ended.
const noticeTime = 500 * time.Millisecond

// inHand counts the records that are neither acknowledged nor handed back.
func (r *sinkRoute) inHand() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, l := range r.lanes {
		n += l.Len()
	}
	return n
}

// ack ends a delivery well.
func (r *sinkRoute) ack(m *danube.Message) {
	if err := r.consumer.Ack(m); err != nil {
		// The topic was numbered anew meanwhile: there is nothing left to acknowledge.
		r.rt.log.Warn("a processed record could not be acknowledged", "topic", m.WireTopic, "offset", m.Offset, "error", err)
	}
}
