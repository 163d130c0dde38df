package danubetest

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Broker is one broker, or, with [WithBrokers], a cluster of them. All methods may be called from any goroutine; what they
// return is a copy. Make one with [Run] or [New].
//
// Its state belongs to one goroutine, the loop: requests and methods hand it
// functions to run and wait for them. The loop never waits for anything else.
type Broker struct {
	cfg     config
	log     *slog.Logger
	nets    []*network       // of the brokers in order, or the proxy's
	life    sync.Mutex       // held over a whole start or stop
	metrics []*metricsServer // of the brokers in order
	fatal   func(error)      // what a mistake in the use of the package does

	tasks chan task
	quit  chan struct{}
	gone  chan struct{} // closed when the loop has ended
	dones sync.Pool     // of chan struct{}; per broker, because channels belong to a synctest bubble

	core  *core
	after sync.Mutex // guards core once the loop is gone

	closing sync.Once
}

// task is one function for the loop; done gets a value when it has run.
type task struct {
	run  func(*core)
	done chan struct{}
}

// New starts a broker for a program. In tests use [Run].
func New(opts ...Option) (*Broker, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	b := &Broker{
		cfg:   cfg,
		log:   cfg.logger,
		fatal: func(err error) { panic(err) },
		tasks: make(chan task, 64),
		quit:  make(chan struct{}),
		gone:  make(chan struct{}),
	}
	b.dones.New = func() any { return make(chan struct{}, 1) }
	b.core = newCore(&b.cfg)
	for i := range cfg.brokers {
		b.core.nodes = append(b.core.nodes, &node{id: i + 1, alive: true})
	}
	var errs []error
	for _, t := range cfg.topics {
		errs = append(errs, b.core.createTopic(t.name, t.cfg))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("danubetest: %w", err)
	}
	if err := b.listen(); err != nil {
		return nil, err
	}
	go b.loop()
	if err := b.serveMetrics(); err != nil {
		for _, n := range b.nets {
			n.lis.Close()
		}
		b.Close()
		return nil, err
	}
	for _, n := range b.nets {
		n.serve()
	}
	b.log.Debug("broker started", "url", b.URL())
	return b, nil
}

// listen opens the listeners and tells the brokers their addresses.
func (b *Broker) listen() error {
	count := b.cfg.brokers
	if b.cfg.proxy {
		count = 1
	}
	for i := range count {
		id := i + 1
		if b.cfg.proxy {
			id = 0
		}
		n, err := newNetwork(b, id)
		if err != nil {
			for _, n := range b.nets {
				n.lis.Close()
			}
			return err
		}
		b.nets = append(b.nets, n)
	}
	for i, n := range b.core.nodes {
		if b.cfg.proxy {
			n.net, n.url = b.nets[0], fmt.Sprintf("%sbroker-%d.danubetest:6650", b.scheme(), n.id)
		} else {
			n.net, n.url = b.nets[i], b.nets[i].url()
		}
	}
	return nil
}

// loop runs tasks and alarms, one at a time.
func (b *Broker) loop() {
	defer close(b.gone)
	c := b.core
	defer c.alarms.timer.Stop()
	for {
		select {
		case t := <-b.tasks:
			b.run(t)
		case <-c.alarms.timer.C:
			c.now = time.Now()
			c.wakes++
			c.alarms.run(c.now)
			c.notify()
		case <-b.quit:
			return
		}
	}
}

func (b *Broker) run(t task) {
	b.core.now = time.Now()
	b.core.wakes++
	t.run(b.core)
	b.core.notify()
	t.done <- struct{}{}
}

// do runs f in the loop and returns when it has run. Once the broker is closed it
// runs f here, so that what is left can still be looked at.
func (b *Broker) do(f func(*core)) {
	t := task{f, b.dones.Get().(chan struct{})}
	select {
	case b.tasks <- t:
	case <-b.gone:
		b.after.Lock()
		b.run(t)
		b.after.Unlock()
	}
	select {
	case <-t.done:
	case <-b.gone:
		b.runLeftovers()
		<-t.done
	}
	b.dones.Put(t.done)
}

// runLeftovers runs the tasks that were handed over while the loop ended.
func (b *Broker) runLeftovers() {
	b.after.Lock()
	defer b.after.Unlock()
	for {
		select {
		case t := <-b.tasks:
			b.run(t)
		default:
			return
		}
	}
}
