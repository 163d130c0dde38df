package danubetest

import (
	"context"
	"math"
	"slices"
	"time"
)

// matches reports whether the fault is for a request.
func (f *fault) matches(in *Call) bool {
	switch {
	case len(f.Methods) > 0:
		if !slices.Contains(f.Methods, in.Method) {
			return false
		}
	case (in.Method == MethodDelivery) != f.delivers():
		return false
	}
	base, _, _ := splitPartition(in.Topic)
	return (f.Topic == "" || f.Topic == in.Topic || f.Topic == base) &&
		(f.Subscription == "" || f.Subscription == in.Subscription) &&
		(f.Producer == "" || f.Producer == in.Producer) &&
		(f.Consumer == "" || f.Consumer == in.Consumer) &&
		(f.Broker == 0 || f.Broker == in.Broker) &&
		(f.RoutingKey == "" || f.RoutingKey == in.RoutingKey) &&
		(len(f.Offsets) == 0 || in.HasOffset && slices.Contains(f.Offsets, in.Offset)) &&
		(f.When == nil || f.When(*in))
}

// plan is what the faults have in store for one request.
type plan struct {
	pause
	faulted bool
	err     error
	after   bool
	close   bool
	end     StreamEnd
	repeat  int
	reorder bool
	corrupt func([]byte) []byte

	broken   *fault // the fault that breaks the connection
	redirect string
}

// plan asks the faults about a request and counts.
func (s *faultSet) plan(c *core, in *Call) (p plan) {
	for _, f := range slices.Clone(s.active) {
		if !f.matches(in) {
			continue
		}
		if f.seen++; f.seen <= f.Skip {
			continue
		}
		f.hits++
		c.changed = true
		if f.Count >= 0 && f.hits >= max(f.Count, 1) {
			s.active = slices.DeleteFunc(s.active, func(g *fault) bool { return g == f })
		}
		if f.Observe {
			continue
		}
		c.cfg.logger.Info("fault fired", "method", in.Method.String(), "topic", in.Topic, "hits", f.hits)
		p.faulted = true
		if p.delay += f.Delay; p.delay < 0 { // together for ever
			p.delay = math.MaxInt64
		}
		p.after = f.AfterApply
		if !f.decides() {
			continue
		}
		p.err, p.close, p.end, p.repeat = f.Err, f.Close, f.EndStream, f.Duplicate
		p.reorder, p.corrupt, p.redirect = f.Reorder, f.Corrupt, f.Redirect
		if f.Dead || f.Cut {
			p.broken = f
		}
		if f.Hang {
			p.hang = f.handle
		}
		return p
	}
	return p
}

// pause is waiting that a fault asks for.
type pause struct {
	delay time.Duration
	hang  *FaultHandle // until it is removed
}

func (p pause) waits() bool { return p.delay > 0 || p.hang != nil }

// wait waits, but not beyond over. When ctx ends before, it returns ctx's status.
func (p pause) wait(ctx context.Context, over <-chan struct{}) error {
	if p.hang != nil {
		select {
		case <-p.hang.removed:
		case <-over:
		case <-ctx.Done():
			return ctxStatus(ctx)
		}
	}
	if p.delay <= 0 {
		return nil
	}
	t := time.NewTimer(p.delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-over:
	case <-ctx.Done():
		return ctxStatus(ctx)
	}
	return nil
}
