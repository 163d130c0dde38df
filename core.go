package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/metrics"
	"github.com/danube-messaging/danube-connect-go/internal/ops"
	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// lifecycle is the part of a connector that both kinds have.
type lifecycle interface {
	Initialize(ctx context.Context, s *Setup) error
	Shutdown(ctx context.Context) error
}

// core is what the two runtimes share: configuration, what operators see, and the
// three contexts of a run.
type core struct {
	cfg       Config
	opts      options
	connector lifecycle
	log       *slog.Logger
	registry  *prometheus.Registry
	metrics   *metrics.Set
	board     *ops.Board
	client    Client
	owned     *danube.Client // to be closed at the end; nil when the caller's

	once sync.Once
	addr net.Addr

	stop   context.Context // ends when the run should come to its end; the cause says why
	cancel context.CancelCauseFunc
	work   context.Context // ends when calls into the connector must return: the drain deadline
	expire context.CancelCauseFunc
	forced context.Context // ends when nothing is waited for any longer
	force  context.CancelCauseFunc
	drain  context.Context // ends drain_timeout after the stop, and with forced

	mu   sync.Mutex
	errs []error // why the run ends, besides being told to
}

// errStopped is the cause of a stop that was asked for.
var errStopped = errors.New("stopped")

// role is what a runtime adds to the common course of a run.
type role interface {
	// open connects to Danube and starts to move records.
	open(ctx context.Context) error
	// drain ends the intake and settles what is in hand, until ctx ends. It returns
	// when no call into the connector is under way, or when forced ends.
	drain(ctx context.Context) error
	// Pause and Resume are the runtime's own.
	Pause()
	Resume()
	// unsettled describes what is in hand, empty when nothing is.
	unsettled() string
}

func newCore(c lifecycle, source bool, opts []Option) (*core, error) {
	k := &core{connector: c, board: ops.NewBoard()}
	for _, o := range opts {
		o(&k.opts)
	}
	found, err := k.configure(source)
	if err != nil {
		return nil, err
	}
	k.log = k.opts.logger
	if k.log == nil {
		k.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: k.cfg.LogLevel}))
	}
	k.log = k.log.With("connector", k.cfg.ConnectorName)
	k.registry = k.opts.registry
	if k.registry == nil {
		k.registry = prometheus.NewRegistry()
		k.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	k.metrics, err = metrics.New(k.registry, k.cfg.ConnectorName, func() bool { return k.board.NotReady() == nil })
	if err != nil {
		return nil, InvalidConfigf("metrics of connector %q: %w", k.cfg.ConnectorName, err)
	}
	k.client = k.opts.client
	if k.client == nil {
		k.owned, err = danube.Open(k.cfg.client(k.log))
		if err != nil {
			return nil, InvalidConfig(err)
		}
		k.client = DanubeClient(k.owned)
	}
	k.board.Set("start", "not started")
	k.log.Info("connector configured", "optional_methods", found, "config", k.cfg)
	return k, nil
}

// configure loads the configuration, or takes the one that code made, and returns
// the optional methods of the connector. All problems come together.
func (k *core) configure(source bool) (found []string, err error) {
	role, ownTopics := RoleSink, false
	if source {
		role = RoleSource
		_, ownTopics = capability[ProducerConfigurer](k.connector)
	} else {
		_, ownTopics = capability[ConsumerConfigurer](k.connector)
	}
	found, problems := checkCapabilities(k.connector, source)
	change := func(c *Config) {
		for _, f := range k.opts.change {
			f(c)
		}
	}
	if k.opts.config != nil {
		if l := k.opts.load; len(l.Settings) > 0 || l.File != "" || l.LookupEnv != nil {
			problems = append(problems, &ConfigError{Key: "WithConfig", Source: "code",
				Problem: "nothing is loaded with it, so WithSettings, WithConfigFile and WithLookupEnv would have no effect",
				Hint:    "use WithConfigChange in place of WithConfig, or fill the settings in code"})
		}
		k.cfg = *k.opts.config
		change(&k.cfg)
		problems = append(problems, k.cfg.validate(role, ownTopics)...)
	} else {
		load := k.opts.load
		load.Role, load.OwnTopics, load.Override = role, ownTopics, change
		k.cfg, err = LoadConfig(load)
		var more ConfigErrors
		if errors.As(err, &more) {
			problems = append(problems, more...)
		} else if err != nil {
			return nil, err
		}
	}
	problems = append(problems, checkpointProblems(source, k.opts.checkpoints, k.cfg)...)
	return found, problems.orNil()
}

// run is the course of every run.
func (k *core) run(ctx context.Context, r role) (err error) {
	first := false
	k.once.Do(func() { first = true })
	if !first {
		return Fatalf("Run was called twice: a runtime runs once")
	}
	k.stop, k.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	k.work, k.expire = context.WithCancelCause(context.WithoutCancel(ctx))
	k.forced, k.force = context.WithCancelCause(context.WithoutCancel(ctx))
	defer k.cancel(nil)
	defer k.expire(nil)
	defer k.force(nil)
	defer context.AfterFunc(ctx, func() { k.cancel(context.Cause(ctx)) })()
	defer k.clock()()
	defer k.signals()()

	server, err := k.serve(r)
	if err != nil {
		k.note(err)
		return k.finish(r, nil, false)
	}
	k.board.Set("start", "initializing")
	initialized, err := k.initialize()
	if err == nil && k.stop.Err() == nil {
		k.board.Set("start", "opening topics")
		err = r.open(k.stop)
	}
	if err == nil && k.stop.Err() == nil {
		k.board.Set("start", "")
		k.log.Info("connector running")
		stopHealth := k.healthChecks()
		<-k.stop.Done()
		stopHealth()
	}
	if k.stop.Err() != nil && errors.Is(err, context.Cause(k.stop)) {
		err = nil // only says that the run was stopped, or what was noted already
	}
	k.note(err)
	return k.finish(r, server, initialized)
}

// clock makes the time for the drain begin in the moment of the stop.
func (k *core) clock() (stop func()) {
	drain, end := context.WithCancelCause(k.forced)
	k.drain = drain
	timer := time.AfterFunc(math.MaxInt64, func() { end(ErrDrainDeadline) })
	began := context.AfterFunc(k.stop, func() { timer.Reset(k.cfg.DrainTimeout) })
	ended := context.AfterFunc(drain, func() { k.expire(context.Cause(drain)) })
	return func() {
		began()
		ended()
		timer.Stop()
		end(nil)
	}
}

// finish drains, shuts the connector down and closes everything.
func (k *core) finish(r role, server *ops.Server, initialized bool) error {
	k.cancel(errStopped)
	k.board.Set("stop", "stopping")
	k.log.Info("connector stopping", "cause", oneLine(context.Cause(k.stop)), "drain_timeout", k.cfg.DrainTimeout)
	k.note(r.drain(k.drain))
	if left := r.unsettled(); left != "" && k.drain.Err() != nil && k.forced.Err() == nil {
		k.note(fmt.Errorf("%w (%v): %s", ErrDrainDeadline, k.cfg.DrainTimeout, left))
	}
	k.expire(errStopped)
	if initialized {
		k.note(k.shutdown())
	}
	k.note(k.closeClient())
	if server != nil {
		ctx, cancel := context.WithTimeout(k.forced, time.Second)
		_ = server.Close(ctx) // a scraper that hangs is no reason to fail
		cancel()
	}
	var forced *ForcedError
	if errors.As(context.Cause(k.forced), &forced) {
		forced.Unsettled = r.unsettled()
		k.note(forced)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	err := errors.Join(k.errs...)
	if err == nil {
		k.log.Info("connector stopped")
	} else {
		k.log.Error("connector stopped", "error", oneLine(err))
	}
	return err
}

// note keeps an error for Run to return.
func (k *core) note(err error) {
	if err == nil || errors.Is(err, errStopped) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.errs = append(k.errs, err)
}

// fail ends the run because of an error.
func (k *core) fail(err error) {
	k.note(err)
	k.cancel(err)
}

// initialize calls Initialize, again while its error may pass.
func (k *core) initialize() (called bool, err error) {
	wait := retry.New(k.cfg.RetryBackoff, k.cfg.MaxBackoff)
	setup := &Setup{k}
	for {
		if k.stop.Err() != nil {
			return called, nil
		}
		called = true
		err := k.guard("Initialize", func() error { return k.connector.Initialize(k.stop, setup) })
		if err == nil {
			return true, k.cfg.checkUnread()
		}
		if k.stop.Err() != nil {
			return true, nil // it was told to end
		}
		if KindOf(err) != KindRetryable || isPanic(err) {
			return true, fmt.Errorf("initialize: %w", asFatal(err))
		}
		d := max(wait.Next(), RetryAfter(err))
		k.log.Warn("Initialize failed and will be tried again", "retry_in", d, "error", oneLine(err))
		k.board.Set("start", "Initialize failed: "+oneLine(err))
		retry.Sleep(k.stop, d)
	}
}

// guard makes a call into the connector on a goroutine of its own, so that one that
// ignores its context, which is stop, cannot hold the process up.
func (k *core) guard(what string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- k.protect(what, f) }()
	select {
	case err := <-done:
		return err
	case <-k.drain.Done():
	}
	k.note(fmt.Errorf("%w: %s has not returned", ErrDrainDeadline, what))
	return errStopped
}

// await waits for done, at most for grace after ctx has ended, and not at all when
// the end is forced. It reports whether done was closed.
func (k *core) await(ctx context.Context, grace time.Duration, done <-chan struct{}) bool {
	late, cancel := context.WithCancel(k.forced)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })()
	select {
	case <-done:
		return true
	case <-late.Done():
	}
	select {
	case <-done: // both
		return true
	default:
		return false
	}
}

// shutdownMin is what Shutdown gets even when the drain has used up its time.
const shutdownMin = 5 * time.Second

func (k *core) shutdown() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer time.AfterFunc(shutdownMin, func() { context.AfterFunc(k.drain, cancel) }).Stop()
	defer context.AfterFunc(k.forced, func() { time.AfterFunc(noticeTime, cancel) })()
	done := make(chan error, 1)
	go func() { done <- k.protect("Shutdown", func() error { return k.connector.Shutdown(ctx) }) }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("shutdown: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: Shutdown has not returned", ErrDrainDeadline)
	}
}

// closeClient closes the client that this runtime opened.
func (k *core) closeClient() error {
	if k.owned == nil {
		return nil
	}
	ctx := context.Background()
	if k.forced != nil {
		ctx = k.forced
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // what mattered was closed before
	defer cancel()
	if err := k.owned.Close(ctx); err != nil && !errors.Is(err, danube.ErrClosed) {
		return err
	}
	return nil
}

// serve starts the HTTP server, unless it is turned off.
func (k *core) serve(r role) (*ops.Server, error) {
	if k.cfg.MetricsPort == 0 {
		return nil, nil
	}
	l, err := ops.Listen(k.cfg.MetricsAddr, k.cfg.MetricsPort, k.cfg.metricsPortSet(), k.log)
	if err != nil {
		return nil, InvalidConfigf("metrics_port %d: %w", k.cfg.MetricsPort, err)
	}
	k.addr = l.Addr()
	k.log.Info("serving metrics, health and readiness", "address", k.addr.String())
	var actions map[string]func()
	if k.cfg.AdminEndpoints {
		actions = map[string]func(){"pause": r.Pause, "resume": r.Resume}
	}
	return ops.Serve(l, k.board, k.registry, actions, k.log), nil
}

// protect is protect with the stack in the log.
func (k *core) protect(what string, f func() error) error {
	err := protect(f)
	if p := (*PanicError)(nil); asPanic(err, &p) {
		k.log.Error("a call into the connector panicked", "call", what, "panic", p.Value, "stack", string(p.Stack))
	}
	return err
}

// protect turns a panic of the connector into an error with its stack.
func protect(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}

func isPanic(err error) bool {
	var p *PanicError
	return asPanic(err, &p)
}

func asPanic(err error, p **PanicError) bool { return errors.As(err, p) }

// asFatal gives an error that ends the run a kind that says so.
func asFatal(err error) error {
	if k := KindOf(err); k == KindFatal || k == KindConfig {
		return err
	}
	return Fatal(err)
}
