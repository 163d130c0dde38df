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
}

// errBusy keeps a probe from being made beside a call from before the outage.
var errBusy = errors.New("calls into the connector from before the outage are under way")

// probe tries until the external system is back, and lets the route go on then.
func (r *sinkRoute) probe(err error) {
	rt := r.rt
	start := time.Now()
	p := &prober{r, start}
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
	r.metrics.Failed(errorType(err))
	if time.Since(p.asked) >= 4*r.rt.cfg.AckTimeout {
		if p.others(s) {
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
	switch k := KindOf(err); {
	case err == nil:
		r.acquit()
		w.settle(s.d, 0)
		s.lane.remove(s.d)
	case isPanic(err) || k == KindInvalidData:
		r.metrics.Failed(errorType(err))
		s.err = err
		r.sentence()
	default:
		r.metrics.Failed(errorType(err))
		_ = w.fatal(s.d, err)
	}
}

const (
	// othersMost and othersTime bound the search for a record that works.
	othersMost = 100
	othersTime = 30 * time.Second
)

// others tries records behind the suspect: several bad ones in a row look like an
// outage, and would hold up everything for ever. true means that one was written, so
// that those before it are to blame themselves.
func (p *prober) others(s *suspect) bool {
	start := time.Now()
	for _, l := range p.route.lanesNow() {
		w := l.worker()
		defer w.end()
		var tried []*delivery
		var errs []error
		found := false
		for !found && len(tried) < othersMost && time.Since(start) < othersTime && p.route.rt.stop.Err() == nil {
			_, d, ok := l.Take()
			if !ok {
				break
			}
			err := d.givenUp // its dead letter could not be stored yet
			if err == nil {
				err = w.try(d, time.Now())
			}
			if found = err == nil; found {
				w.settle(d, 0)
				l.remove(d)
				break
			}
			tried, errs = append(tried, d), append(errs, err)
		}
		for i, d := range slices.Backward(tried) {
			if found {
				d.givenUp = errs[i]
			}
			l.Return(l.key(d.msg), d)
		}
		if found {
			p.route.refute()
			return true
		}
	}
	return false
}

// busy reports whether a call into the connector is under way for the route.
func (r *sinkRoute) busy() bool {
	return slices.ContainsFunc(r.lanesNow(), func(l *sinkLane) bool { return l.Busy() })
}
