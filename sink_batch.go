package connect

import (
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/lanes"
)

// processBatch makes one attempt on a batch; what failed stays in the lane.
func (w *sinkWorker) processBatch(ds []*delivery, out []lanes.Outcome) {
	rt := w.lane.route.rt
	if w.givenUpAlone(ds, out) {
		return
	}
	start := time.Now()
	w.records = w.records[:0]
	for _, d := range ds {
		d.begin(start)
		w.records = append(w.records, &d.rec)
	}
	b := newBatch(w.records)
	ctx := w.enter(start)
	rest := protect(func() error { return rt.batch.ProcessBatch(ctx, b) })
	w.leave()
	named := b.close()
	took := time.Since(start)

	if rest != nil && len(ds)-len(named) > 1 && (isPanic(rest) || KindOf(rest) == KindInvalidData) && rt.work.Err() == nil {
		w.split(ds, out, named, rest)
		return
	}
	for i, d := range ds {
		err := rest
		if own := named[&d.rec]; own != nil {
			err = own
		}
		if err == nil {
			w.succeed(d, took)
		} else {
			out[i] = w.failed(d, err)
		}
	}
}

// givenUpAlone deals with the records of a batch whose dead letters could not be
// stored before, if there are any, and with the others as a batch of their own.
func (w *sinkWorker) givenUpAlone(ds []*delivery, out []lanes.Outcome) bool {
	var live []*delivery
	var places []int
	for i, d := range ds {
		if d.givenUp != nil {
			out[i] = w.byPolicy(d, d.givenUp, w.attrs(d, d.givenUp))
			continue
		}
		live, places = append(live, d), append(places, i)
	}
	if len(live) == len(ds) {
		return false
	}
	if len(live) > 0 {
		w.part(live, places, out)
	}
	return true
}

// split finds the record that spoils a batch: the connector said only that some of
// it is bad. Each half goes by itself, so that the good ones are written and the bad
// one meets its policy alone. Those that failed by name are not touched by it.
func (w *sinkWorker) split(ds []*delivery, out []lanes.Outcome, named map[*SinkRecord]error, rest error) {
	var plain []*delivery
	var places []int
	for i, d := range ds {
		if own := named[&d.rec]; own != nil {
			out[i] = w.failed(d, own)
			continue
		}
		plain, places = append(plain, d), append(places, i)
	}
	w.lane.route.rt.log.Warn("a batch was refused as a whole; splitting it to find the record", "topic", w.lane.name, "records", len(plain), "error", oneLine(rest))
	half := len(plain) / 2
	w.part(plain[:half], places[:half], out)
	plain, places = w.free(plain, places, half, out)
	w.part(plain, places, out)
}

// free returns those from half on that no record before half holds up, which failed
// and has their order. The others stay in the lane, behind it.
func (w *sinkWorker) free(ds []*delivery, places []int, half int, out []lanes.Outcome) (free []*delivery, at []int) {
	waiting := make(map[string]bool) // keys
	for i, d := range ds {
		key := w.lane.key(d.msg)
		switch {
		case i < half:
			waiting[key] = waiting[key] || out[places[i]].Again
		case waiting[key]:
			out[places[i]] = again(0)
		default:
			free, at = append(free, d), append(at, places[i])
		}
	}
	return free, at
}

// part makes an attempt on a part of a batch, unless the run ends meanwhile.
func (w *sinkWorker) part(ds []*delivery, places []int, out []lanes.Outcome) {
	if len(ds) == 0 {
		return
	}
	part := make([]lanes.Outcome, len(ds))
	if w.lane.route.rt.stop.Err() != nil {
		w.lane.leave(part)
	} else {
		w.processBatch(ds, part)
	}
	for i, o := range part {
		out[places[i]] = o
	}
}
