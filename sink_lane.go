package connect

import (
	"fmt"
	"strconv"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/lanes"
	"github.com/danube-messaging/danube-connect-go/internal/ops"
)

const (
	// quietTime is how long a stream with records in hand must be silent before a
	// batch is closed: the broker sends no more than its window (10 by default) without
	// acks, so a batch that waits for more would wait for its full time, always.
	quietTime = 2 * time.Millisecond
	// laneBytes bounds what one partition holds in hand.
	laneBytes = 64 << 20
)

// sinkLane processes the records of one partition in order.
type sinkLane struct {
	route *sinkRoute
	name  string
	*lanes.Lane[*delivery]

	repeats repeats
}

// sinkWorker is what one goroutine of a lane keeps.
type sinkWorker struct {
	lane    *sinkLane
	call    *ops.Call
	attempt attempt
	holds   int64         // how many there had been when the attempt began
	records []*SinkRecord // of the batch under way
	stamps  map[stampAt]struct{}
}

func newSinkLane(r *sinkRoute, partition int32) *sinkLane {
	l := &sinkLane{route: r, name: r.cfg.Topic}
	if partition != danube.NoPartition {
		l.name = fmt.Sprintf("%s[%d]", r.cfg.Topic, partition)
	}
	cfg := lanes.Config[*delivery]{
		Process:  l.process,
		Ended:    l.workerEnded,
		Size:     func(d *delivery) int { return len(d.msg.Payload) },
		Since:    func(d *delivery) time.Time { return d.received },
		Workers:  1,
		MaxBytes: laneBytes,
		BatchMax: 1,
	}
	if r.opts.ordering != OrderPartition {
		cfg.Workers = r.opts.concurrency
	}
	if r.rt.batch != nil {
		cfg.BatchMax, cfg.BatchBytes = r.batchMax(), r.rt.cfg.BatchBytes
		cfg.Linger, cfg.Quiet = r.opts.batchTimeout, quietTime
	}
	l.Lane = lanes.New(cfg)
	return l
}

// receive takes a message in, waiting for room where the lane holds too many bytes.
func (l *sinkLane) receive(m *danube.Message) {
	if d := l.begin(m); !l.Push(l.key(m), d) {
		d.end(l.route, handedBack) // the run ends, and the broker keeps it
	}
}

// key is what the order is kept for.
func (l *sinkLane) key(m *danube.Message) string {
	switch l.route.opts.ordering {
	case OrderKey:
		return m.Key
	case OrderNone:
		return strconv.FormatUint(m.Offset, 36)
	}
	return ""
}

// process makes one attempt on what a worker of the lane has taken up.
func (l *sinkLane) process(w *lanes.Worker, ds []*delivery, out []lanes.Outcome) {
	<-l.route.ready // acks need the consumer
	if l.route.consumer == nil {
		l.leave(out)
		return
	}
	sw, ok := w.Local.(*sinkWorker)
	if !ok {
		sw = l.worker()
		w.Local = sw
	}
	if !l.route.allowed(len(ds)) {
		l.leave(out)
		return
	}
	if l.route.limiter != nil && l.route.held() { // meanwhile
		for i := range out {
			out[i] = again(0)
		}
		return
	}
	sw.withoutRepeats(ds, out)
	for i, d := range ds {
		if !out[i].Again && !out[i].Aside && !d.over() {
			l.route.rt.fail(Fatalf("record %v leaves its lane without an end: please report this fault of the SDK", &d.rec))
			out[i] = again(0)
		}
	}
}

// attend makes one attempt on records.
func (w *sinkWorker) attend(ds []*delivery, out []lanes.Outcome) {
	r := w.lane.route
	if r.rt.batch == nil {
		out[0] = w.processOne(ds[0])
		return
	}
	r.metrics.Batch(len(ds))
	w.lane.watchWindow(len(ds), ds[0].received)
	w.processBatch(ds, out)
	r.window.done()
}

func (l *sinkLane) workerEnded(w *lanes.Worker) {
	if sw, ok := w.Local.(*sinkWorker); ok {
		sw.end()
	}
}

// worker returns what a goroutine needs to make calls for the lane; end ends it.
func (l *sinkLane) worker() *sinkWorker {
	w := &sinkWorker{lane: l, call: l.route.rt.board.NewCall("connector at " + l.name)}
	w.attempt.work = l.route.rt.work
	return w
}

func (w *sinkWorker) end() {
	w.attempt.end()
	w.call.Close()
}

// leave makes the lane end with these records in it: they are handed back.
func (l *sinkLane) leave(out []lanes.Outcome) {
	l.Stop()
	for i := range out {
		out[i] = lanes.Outcome{Again: true}
	}
}
