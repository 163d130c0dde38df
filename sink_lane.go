package connect

import (
	"fmt"
	"sync"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/ops"
	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

const (
	// quietTime is how long a stream with records in hand must be silent before a
	// batch is closed: the broker sends no more than its window (10 by default) without
	// acks, so a batch that waits for more would wait for its full time, always.
	quietTime = 2 * time.Millisecond
	// laneBytes bounds what one partition holds in hand.
	laneBytes = 64 << 20
)

// delivery is one record from its receipt to its end. Exactly one of ack, skip or
// leaving it (it is handed back then) ends it, by the lane that owns it.
type delivery struct {
	rec      SinkRecord
	msg      *danube.Message
	received time.Time
	started  time.Time // of the first attempt
}

// sinkLane processes one partition: one goroutine, in order, the record or batch
// at the head tried again until it is settled.
type sinkLane struct {
	route     *sinkRoute
	partition int32
	call      *ops.Call

	mu    sync.Mutex
	queue []*delivery
	head  int
	bytes int
	work  int           // taken from the queue and not settled
	ready chan struct{} // a token when there may be something in the queue
	room  chan struct{} // a token when there may be room

	// The rest belongs to the lane's goroutine.
	wait    *retry.Backoff
	attempt attempt
	records []*SinkRecord // of the batch under way
	taken   []*delivery
}

func newSinkLane(r *sinkRoute, partition int32) *sinkLane {
	l := &sinkLane{
		route: r, partition: partition,
		call:  r.rt.board.NewCall(fmt.Sprintf("connector at %s[%d]", r.cfg.Topic, partition)),
		ready: make(chan struct{}, 1),
		room:  make(chan struct{}, 1),
		wait:  retry.New(r.rt.cfg.RetryBackoff, r.rt.cfg.MaxBackoff),
	}
	l.attempt.work = r.rt.work
	return l
}

// push takes a message in, waiting for room where the partition holds too many
// bytes.
func (l *sinkLane) push(m *danube.Message) {
	d := &delivery{msg: m, received: time.Now()}
	d.rec.init(m, 0)
	for {
		l.mu.Lock()
		if l.bytes == 0 || l.bytes+len(m.Payload) <= laneBytes {
			l.queue = append(l.queue, d)
			l.bytes += len(m.Payload)
			l.mu.Unlock()
			l.route.metrics.Inflight.Inc()
			token(l.ready)
			return
		}
		l.mu.Unlock()
		select {
		case <-l.room:
		case <-l.route.rt.stop.Done():
			return
		}
	}
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take moves the oldest records from the queue to taken, up to the limits of a
// batch, and reports whether a limit was reached.
func (l *sinkLane) take(maxRecords, maxBytes int) (full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := 0
	for _, d := range l.taken {
		size += len(d.msg.Payload)
	}
	for len(l.taken) < maxRecords && l.head < len(l.queue) {
		d := l.queue[l.head]
		if maxBytes > 0 && len(l.taken) > 0 && size+len(d.msg.Payload) > maxBytes {
			full = true
			break
		}
		size += len(d.msg.Payload)
		l.queue[l.head] = nil
		l.head++
		l.taken = append(l.taken, d)
		l.work++
	}
	if l.head == len(l.queue) {
		l.queue, l.head = l.queue[:0], 0
	}
	return full || len(l.taken) == maxRecords || maxBytes > 0 && size >= maxBytes
}

func (l *sinkLane) run() {
	defer l.call.Close()
	defer l.attempt.end()
	<-l.route.ready // acks need the consumer
	if l.route.consumer == nil {
		return
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for l.collect(timer) {
		if l.route.rt.batch != nil {
			l.route.metrics.Batch(len(l.taken))
			l.processBatch(l.taken)
		} else {
			l.processOne(l.taken[0])
		}
		clear(l.taken)
		l.taken = l.taken[:0]
	}
}

// collect waits for the next record or batch; false means that the lane must end,
// as the run does. A batch that has begun is processed.
func (l *sinkLane) collect(timer *time.Timer) bool {
	cfg := &l.route.rt.cfg
	maxRecords, maxBytes := 1, 0
	if l.route.rt.batch != nil {
		maxRecords, maxBytes = cfg.BatchSize, cfg.BatchBytes
	}
	for {
		// What is in the queue is handed back. The run may be at its end because of the
		// record before: nothing of its partition may overtake it.
		if l.route.rt.stop.Err() != nil {
			return false
		}
		if full := l.take(maxRecords, maxBytes); full {
			return true
		}
		if len(l.taken) > 0 {
			return l.linger(timer, maxRecords, maxBytes)
		}
		select {
		case <-l.ready:
		case <-l.route.rt.stop.Done():
		}
	}
}

// linger waits for more records of a batch that has begun: until it is full, its
// time is over, or the stream has gone quiet. A stop closes it as it is.
func (l *sinkLane) linger(timer *time.Timer, maxRecords, maxBytes int) bool {
	end := l.taken[0].received.Add(l.route.rt.cfg.BatchTimeout)
	for {
		left := min(time.Until(end), quietTime)
		if left <= 0 {
			return true
		}
		timer.Reset(left)
		select {
		case <-l.ready:
			if l.take(maxRecords, maxBytes) {
				return true
			}
		case <-timer.C:
			return true
		case <-l.route.rt.stop.Done():
			return true
		}
	}
}

// settled notes that a record has reached its end.
func (l *sinkLane) settled(d *delivery) {
	l.mu.Lock()
	l.work--
	l.bytes -= len(d.msg.Payload)
	l.mu.Unlock()
	token(l.room)
	l.route.metrics.Inflight.Dec()
}

func (l *sinkLane) inHand() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.work + len(l.queue) - l.head
}

// pause waits before a retry; false means that the runtime stops, and that the
// records in work are handed back.
func (l *sinkLane) pause(d time.Duration) bool { return retry.Sleep(l.route.rt.stop, d) }
