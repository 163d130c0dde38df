package connect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/metrics"
)

// sinkRoute is one subscription of a sink: a consumer, and a lane for each
// partition that messages come from.
type sinkRoute struct {
	rt      *SinkRuntime
	cfg     danube.ConsumerConfig
	opts    routeOptions
	metrics *metrics.Topic
	limiter *rate.Limiter // nil without a limit
	dead    *deadTopic    // nil without one

	consumer Consumer      // set before ready is closed
	settler  settler       // with it
	ready    chan struct{} // closed when the consumer is open, or never will be

	stopping      atomic.Bool
	timeout       atomic.Int64 // the broker's ack timeout, as far as is known
	maxDeliveries int          // before a nack would be one too many; set before ready is closed

	nacks  nacks
	window window
	ends   [endings]atomic.Int64

	holds  atomic.Int64 // that have ended
	worked atomic.Int64 // when a call that wrote something began last, in Unix nanoseconds

	trial    trial
	suspects atomic.Bool    // whether the trial has one
	probers  sync.WaitGroup // at most one

	streams sync.Mutex // for closing and opening them
	closed  bool       // whether they are

	mu       sync.Mutex
	lanes    map[int32]*sinkLane
	hold     hold
	valve    valve
	looking  bool      // the streams are to be open for a moment, in spite of both
	openedAt time.Time // when the streams were opened again
}

// routeOptions are the settings that each route may have of its own.
type routeOptions struct {
	ordering     Ordering
	concurrency  int
	onError      ErrorPolicy
	onExhausted  ErrorPolicy
	nackDelay    time.Duration
	batchSize    int
	batchTimeout time.Duration
	rateLimit    int
}

func newSinkRoute(rt *SinkRuntime, cfg danube.ConsumerConfig, opts routeOptions) *sinkRoute {
	r := &sinkRoute{
		rt: rt, cfg: cfg, opts: opts,
		metrics: rt.metrics.Topic(cfg.Topic),
		ready:   make(chan struct{}),
		lanes:   make(map[int32]*sinkLane),

		maxDeliveries: nackDeliveries,
	}
	r.timeout.Store(int64(rt.cfg.AckTimeout))
	if n := opts.rateLimit; n > 0 {
		r.limiter = newLimiter(n)
	}
	r.cfg.Handler = r.deliver
	r.cfg.OnAnomaly = r.anomaly
	if r.cfg.Stamps == nil && r.cfg.Type == danube.Exclusive {
		r.cfg.Stamps = new(danube.StampTracker)
	}
	return r
}

func (r *sinkRoute) open(ctx context.Context) error {
	c, err := r.rt.client.NewConsumer(ctx, r.cfg)
	if err != nil {
		close(r.ready)
		return opened("subscription "+r.cfg.Subscription, r.cfg.Topic, err)
	}
	r.askBroker(ctx)
	r.consumer, r.settler = c, r.rt.newSettler(c)
	close(r.ready)
	r.setStreams() // a hold may have begun before
	r.watch()
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
	if r.stopping.Load() || r.rt.stop.Err() != nil {
		return // never acknowledged: the broker delivers it again
	}
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
		if len(r.hold.reasons) > 0 {
			l.Pause()
		}
	}
	return l
}

func (r *sinkRoute) lanesNow() []*sinkLane {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.lanes))
}

// drain ends the intake, waits until no lane is in the connector, and closes the
// consumer, which sends the acks that are left.
func (r *sinkRoute) drain(ctx context.Context) error {
	r.stopping.Store(true)
	lanes := r.stopLanes()
	// After the deadline the connector's context has ended, and it gets a moment to
	// notice; one that does not is left behind.
	if !r.rt.returns(ctx, noticeTime, func() {
		for _, l := range lanes {
			l.Wait()
		}
		r.probers.Wait() // which the lanes start
	}) {
		r.rt.log.Error("a call into the connector has not returned and is left behind", "topic", r.cfg.Topic)
	}
	r.handBack(lanes)
	<-r.ready
	if r.consumer == nil {
		return nil
	}
	if ctx.Err() != nil { // acks of what did finish still have a moment
		c, cancel := context.WithTimeoutCause(r.rt.forced, noticeTime, ErrDrainDeadline)
		defer cancel()
		ctx = c
	}
	err := r.consumer.Close(ctx)
	if errors.Is(err, danube.ErrClosed) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("some acks of %s were not answered, so that records may come again: %w", r.cfg.Topic, err)
	}
	return err
}

// handBack ends the deliveries that a stop has left in the lanes.
func (r *sinkRoute) handBack(lanes []*sinkLane) {
	if s := r.accused(); s != nil {
		s.d.end(r, handedBack)
	}
	for _, l := range lanes {
		for _, d := range l.Left() {
			if !d.over() {
				d.end(r, handedBack)
			}
		}
	}
	if account := r.account(); len(account) > 0 {
		r.rt.log.Info("how deliveries have ended", append([]any{"topic", r.cfg.Topic}, account...)...)
	}
}

// stopLanes keeps all lanes from starting anything more.
func (r *sinkRoute) stopLanes() []*sinkLane {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endHold()
	if r.valve.timer != nil {
		r.valve.timer.Stop()
	}
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

// anomaly counts what the broker has lost, and stops for it where it is told to,
// before the message behind the gap is taken in. A broker that has silently stopped to
// deliver makes the sink not ready.
func (r *sinkRoute) anomaly(a danube.Anomaly) {
	switch a.Kind {
	case danube.GapFound:
		r.metrics.Missing.Add(float64(a.To - a.From + 1))
	case danube.GapFilled:
		r.metrics.Late.Add(float64(a.To - a.From + 1))
		return
	case danube.StampGap:
		r.metrics.StampsMissing.Add(float64(a.To - a.From + 1))
		if a.From == 1 { // which takes the clocks of two machines to say
			return
		}
	case danube.StampGapFilled:
		r.metrics.StampsLate.Add(float64(a.To - a.From + 1))
		return
	case danube.NumberingRestarted:
		r.metrics.Restarts.Inc()
	case danube.Stalled:
		r.metrics.Stalls.Inc()
		r.rt.board.Set("stall of "+a.Topic, a.String())
		return
	case danube.Resumed:
		r.rt.board.Set("stall of "+a.Topic, "")
		return
	default:
		return
	}
	if r.rt.cfg.OnGap == OnGapStop {
		r.rt.fail(fmt.Errorf("%w: %v", ErrStoppedByPolicy, a))
	}
}

// deadLetters reports whether a route may have any.
func (o routeOptions) deadLetters() bool {
	return o.onError == OnErrorDeadLetter || o.onError == OnErrorNack && o.onExhausted == OnErrorDeadLetter
}

// check finds settings that do not go together.
func (r *sinkRoute) check() error {
	if r.opts.onError != OnErrorNack {
		return nil
	}
	if r.cfg.Type != danube.Shared && r.opts.ordering != OrderNone {
		return InvalidConfigf("topic %s: on_error = \"nack\": %s", r.cfg.Topic, wantsNoOrder)
	}
	if half := r.rt.cfg.AckTimeout / 2; r.opts.nackDelay >= half {
		return InvalidConfigf("topic %s: nack_delay_ms = %d: expected less than half of ack_timeout_ms, which is %d", r.cfg.Topic, r.opts.nackDelay.Milliseconds(), half.Milliseconds()*2)
	}
	return nil
}
