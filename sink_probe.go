package connect

import (
	"errors"
	"slices"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// prober finds out when the external system is back: from the connector's health
// check, or else by trying the suspect, alone and in its turn, since all lanes of the
// route rest.
type prober struct {
	route *sinkRoute
	asked time.Time // when records beside the suspect were tried last

	searches int
}

// errBusy keeps a probe from being made beside a call from before the outage.
var errBusy = errors.New("calls into the connector from before the outage are under way")

// probe tries until the external system is back, and lets the route go on then.
func (r *sinkRoute) probe(err error) {
	rt := r.rt
	start := time.Now()
	p := &prober{route: r, asked: start}
	wait := retry.New(rt.cfg.RetryBackoff, rt.cfg.MaxBackoff)
	for err != nil {
		if !retry.Sleep(rt.stop, max(wait.Next(), RetryAfter(err))) {
			return
		}
		if err = p.ask(); err != nil {
			rt.board.Set(r.downName(), oneLine(err))
			rt.log.Warn("the external system is still down", "topic", r.cfg.Topic, "since", time.Since(start).Round(time.Second), "error", oneLine(err))
		}
	}
	if rt.stop.Err() != nil {
		return
	}
	rt.log.Info("the external system is back", "topic", r.cfg.Topic, "down_for", time.Since(start).Round(time.Millisecond))
	rt.board.Set(r.downName(), "")
	r.release(down)
}

// ask makes one attempt; nil means that the system is back.
func (p *prober) ask() error {
	r := p.route
	if checker, ok := capability[HealthChecker](r.rt.connector); ok {
		call := r.rt.board.NewCall("health check for " + r.cfg.Topic)
		defer call.Close()
		err := r.ask(checker, call)
		if err == nil {
			r.rt.board.Set("health check", "") // before the turn of the next one comes
		}
		return err
	}
	s := r.accused()
	switch {
	case s == nil:
		return nil // a call from before has succeeded
	case r.heldFor(paused), r.busy():
		return errBusy
	}
	w := s.lane.worker()
	defer w.end()
	err := w.try(s.d, time.Now())
	if err == nil || isPanic(err) || KindOf(err) != KindRetryable {
		p.verdict(w, s, err)
		return nil
	}
	s.d.note(r, err)
	if time.Since(p.asked) >= asksEvery*r.ackTimeout() {
		if p.others(s, err) {
			return nil
		}
		p.asked = time.Now()
	}
	return err
}

// verdict ends the trial of a suspect that has an answer now.
func (p *prober) verdict(w *sinkWorker, s *suspect, err error) {
	r := p.route
	r.trial.mu.Lock()
	defer r.trial.mu.Unlock()
	if err == nil {
		r.acquit()
		s.d.end(r, acked)
		s.lane.Remove(s.d)
		return
	}
	s.d.note(r, err)
	if isPanic(err) || KindOf(err) == KindInvalidData {
		s.err = err
		r.sentence()
		return
	}
	_ = w.fatal(s.d, err)
}

const (
	// asksEvery is how many ack timeouts pass between two searches for a record that
	// can be written, looks which of them open the streams for a moment to find new
	// ones: few, since each counts as a delivery of all that is in hand.
	asksEvery  = 4
	firstLook  = 1
	secondLook = 5
	// fewRecords are so few that the broker would send more if it had any.
	fewRecords = 9
)

// others tries the records behind the suspect: several bad ones in a row look like an
// outage, and would hold up everything for ever. true means that one was written, so
// that those before it are to blame themselves. So they are where there is nothing
// else on the topic, for so long that waiting for more is of no use.
func (p *prober) others(s *suspect, err error) (over bool) {
	r := p.route
	p.searches++
	before := r.inHand()
	look := before <= fewRecords && (p.searches == firstLook || p.searches == secondLook)
	if look {
		r.setLook(true)
		defer r.setLook(false)
		if !retry.Sleep(r.rt.stop, r.ackTimeout()/6) {
			return false
		}
	}
	// That others were written after they had failed is more than a guess.
	guilty := r.worked.Load() >= s.d.firstFailed.UnixNano()
	convict := look && (guilty || p.searches == secondLook) && r.inHand() == before
	limit := time.Now().Add(r.ackTimeout() / 3)
	for _, l := range r.lanesNow() {
		found := p.search(l, limit, convict)
		over = over || found
		if found && !convict {
			break
		}
	}
	if convict {
		r.rt.log.Error("nothing else comes that could tell whether the external system is down: what is in hand is to blame", "topic", r.cfg.Topic, "records", before, "error", oneLine(err))
	}
	if over || convict {
		r.refute()
	}
	return over || convict
}

// search tries the records of one lane until one is written or the limit is reached.
// Those before it are given up then, or all, where they are to be convicted.
func (p *prober) search(l *sinkLane, limit time.Time, convict bool) (found bool) {
	w := l.worker()
	defer w.end()
	var tried []*delivery
	var errs []error
	for !found && time.Now().Before(limit) && p.route.rt.stop.Err() == nil {
		_, d, ok := l.Take()
		if !ok {
			break
		}
		if d.givenUp != nil { // its dead letter could not be stored yet
			tried, errs = append(tried, d), append(errs, d.givenUp)
			continue
		}
		err := w.try(d, time.Now())
		if err == nil {
			d.end(p.route, acked)
			l.Remove(d)
			found = true
			break
		}
		d.note(p.route, err)
		tried, errs = append(tried, d), append(errs, err)
	}
	for i, d := range slices.Backward(tried) {
		if found || convict {
			d.givenUp = errs[i]
		}
		l.Return(l.key(d.msg), d)
	}
	return found
}

// setLook opens the streams for a moment, and closes them again.
func (r *sinkRoute) setLook(on bool) {
	r.mu.Lock()
	r.looking = on
	r.mu.Unlock()
	r.setStreams()
}

// busy reports whether a call into the connector is under way for the route.
func (r *sinkRoute) busy() bool {
	return slices.ContainsFunc(r.lanesNow(), func(l *sinkLane) bool { return l.Busy() })
}
