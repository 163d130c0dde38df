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
	ctx := w.enter(start)
	w.records = w.records[:0]
	for _, d := range ds {
		d.begin(start, w.holds)
		w.records = append(w.records, &d.rec)
	}
	b := newBatch(w.records)
	rest := protect(func() error { return rt.batch.ProcessBatch(ctx, b) })
	w.leave()
	named := b.close()
	took := time.Since(start)

	if rest != nil && len(ds)-len(named) > 1 && w.splits(ds, named, rest) {
		w.split(ds, out, named, rest)
		return
	}
	// First those that were written: an outage may be declared for the others.
	written := 0
	for _, d := range ds {
		if rest == nil && named[&d.rec] == nil {
			w.succeed(d, took)
			written++
		}
	}
	stay := make(stays)
	for i, d := range ds {
		err := rest
		if own := named[&d.rec]; own != nil {
			err = own
		}
		if err == nil {
			continue
		}
		out[i] = w.failed(d, err, written > 0)
		key := w.lane.key(d.msg)
		if _, there := stay[key]; there && out[i].Again {
			// The first of an order says when it goes on: the last attempt of its time
			// must not wait for the pause of a later one, unless that was asked for.
			out[i].After = RetryAfter(err)
		}
		stay.note(key, i, out[i])
	}
}

// stays are the places in a batch of the first record of each key that stays in the
// lane: what is behind it in its order must not be written before it.
type stays map[string]int

func (s stays) note(key string, place int, o lanes.Outcome) {
	if at, there := s[key]; o.Again && (!there || place < at) {
		s[key] = place
	}
}

// givenUpAlone deals with the records of a batch whose dead letters could not be
// stored before, if there are any, and with the others as a batch of their own.
func (w *sinkWorker) givenUpAlone(ds []*delivery, out []lanes.Outcome) bool {
	var live []*delivery
	var places []int
	stay := make(stays)
	for i, d := range ds {
		if d.givenUp == nil {
			live, places = append(live, d), append(places, i)
			continue
		}
		out[i] = w.byPolicy(d, d.givenUp, w.attrs(d, d.givenUp))
		stay.note(w.lane.key(d.msg), i, out[i])
	}
	if len(live) == len(ds) {
		return false
	}
	w.part(live, places, out, stay)
	return true
}

// splits reports whether a record is to be looked for that spoils a batch, of which
// the connector said only that some of it cannot be written: at once when it is bad,
// with a retryable error when retries are used up, unless the external system is down.
func (w *sinkWorker) splits(ds []*delivery, named map[*SinkRecord]error, rest error) bool {
	r := w.lane.route
	switch k := KindOf(rest); {
	case r.rt.work.Err() != nil:
		return false
	case isPanic(rest), k == KindInvalidData:
		return true
	case k != KindRetryable, w.excused(), RetryAfter(rest) > 0:
		return false
	}
	for _, d := range ds {
		if named[&d.rec] != nil || !w.spent(d, rest) {
			continue
		}
		if checker, ok := capability[HealthChecker](r.rt.connector); ok {
			if sick := r.ask(checker, w.call); sick != nil {
				r.outage(d, sick)
				return false
			}
		}
		return true
	}
	return false
}

// split makes each half of a batch go by itself, so that the good records are written
// and the bad one meets its policy alone. Those that failed by name are not touched by
// it.
func (w *sinkWorker) split(ds []*delivery, out []lanes.Outcome, named map[*SinkRecord]error, rest error) {
	var plain []*delivery
	var places []int
	stay := make(stays)
	for i, d := range ds {
		if own := named[&d.rec]; own != nil {
			out[i] = w.failed(d, own, false)
			stay.note(w.lane.key(d.msg), i, out[i])
			continue
		}
		d.tries-- // this attempt says nothing of it
		plain, places = append(plain, d), append(places, i)
	}
	w.lane.route.rt.log.Warn("a batch was refused as a whole; splitting it to find the record", "topic", w.lane.name, "records", len(plain), "error", oneLine(rest))
	half := len(plain) / 2
	w.part(plain[:half], places[:half], out, stay)
	w.part(plain[half:], places[half:], out, stay)
}

// part makes an attempt on a part of a batch, but for what must wait, unless the run
// ends or the route is held meanwhile.
func (w *sinkWorker) part(ds []*delivery, places []int, out []lanes.Outcome, stay stays) {
	var live []*delivery
	var at []int
	for i, d := range ds {
		if first, there := stay[w.lane.key(d.msg)]; there && first < places[i] {
			out[places[i]] = again(0)
			continue
		}
		live, at = append(live, d), append(at, places[i])
	}
	if len(live) == 0 {
		return
	}
	part := make([]lanes.Outcome, len(live))
	switch {
	case w.lane.route.rt.stop.Err() != nil:
		w.lane.leave(part)
	case w.lane.route.held():
		for i := range part {
			part[i] = again(0)
		}
	default:
		w.processBatch(live, part)
	}
	for i, o := range part {
		out[at[i]] = o
		stay.note(w.lane.key(live[i].msg), at[i], o)
	}
}
