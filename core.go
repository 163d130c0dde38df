package connect

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/metrics"
	"github.com/danube-messaging/danube-connect-go/internal/ops"
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

	background sync.WaitGroup // of goroutines that end with stop
	noCursor   bool           // for tests that look at every message

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
	topic := k.cfg.SourceTopic
	if source {
		topic = k.cfg.DestinationTopic
	}
	k.metrics, err = metrics.New(k.registry, k.cfg.ConnectorName, topic, func() bool { return k.board.NotReady() == nil })
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
