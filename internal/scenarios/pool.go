package scenarios

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
)

// Pool starts real brokers: one for all scenarios of a need where they can share it,
// else one for each.
type Pool struct {
	// Binary is the broker's program.
	Binary string
	// Dir is where the brokers keep their data; each has a directory of its own in it.
	Dir string

	mu     sync.Mutex
	shared map[Needs]*sharedBrokers
}

type sharedBrokers struct {
	once sync.Once
	on   Brokers
	err  error
}

// Get returns brokers for a scenario, and what to call when it is over.
func (p *Pool) Get(ctx context.Context, needs Needs) (Brokers, func(), error) {
	if !needs.Shared() {
		on, err := p.start(ctx, needs)
		if err != nil {
			return nil, nil, err
		}
		return on, on.Close, nil
	}
	p.mu.Lock()
	if p.shared == nil {
		p.shared = map[Needs]*sharedBrokers{}
	}
	s := p.shared[needs]
	if s == nil {
		s = new(sharedBrokers)
		p.shared[needs] = s
	}
	p.mu.Unlock()
	s.once.Do(func() { s.on, s.err = p.start(ctx, needs) })
	return s.on, func() {}, s.err
}

// start starts brokers, again when some of them do not find each other: a port that was
// free may be taken a moment later, and a cluster that elects its leader on a busy machine
// may leave one out.
func (p *Pool) start(ctx context.Context, needs Needs) (on Brokers, err error) {
	for range 3 {
		if on, err = p.startOnce(ctx, needs); err == nil || ctx.Err() != nil {
			break
		}
	}
	return on, err
}

func (p *Pool) startOnce(ctx context.Context, needs Needs) (Brokers, error) {
	dir, err := os.MkdirTemp(p.Dir, "broker")
	if err != nil {
		return nil, err
	}
	o := RealOptions(needs, filepath.Join(dir, "data"))
	o.Binary = p.Binary
	c, err := realbroker.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	if needs.Nodes() > 1 {
		// Brokers that have just found each other may still disagree about who has what.
		select {
		case <-time.After(10 * time.Second):
		case <-ctx.Done():
			c.Close()
			return nil, context.Cause(ctx)
		}
	}
	return Real(c), nil
}

// Close ends the brokers that scenarios shared. Nothing may be running.
func (p *Pool) Close() {
	for _, s := range p.shared {
		if s.on != nil {
			s.on.Close()
		}
	}
}
