package connect

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// Option configures a runtime in code.
type Option func(*options)

type options struct {
	config    *Config
	change    []func(*Config)
	load      LoadOptions
	client    Client
	logger    *slog.Logger
	registry  *prometheus.Registry
	noSignals bool

	checkpoints CheckpointStore
	codecs      map[danube.SchemaType]func(definition string) (Codec, error)
}

// WithConfig uses a configuration made in code and reads neither file nor
// environment. [DefaultConfig] is a good start.
func WithConfig(c Config) Option { return func(o *options) { o.config = &c } }

// WithConfigChange changes the configuration after file and environment were read:
// code comes last.
func WithConfigChange(change func(*Config)) Option {
	return func(o *options) { o.change = append(o.change, change) }
}

// WithConfigFile reads this TOML file instead of the one that CONNECTOR_CONFIG_PATH
// names.
func WithConfigFile(path string) Option { return func(o *options) { o.load.File = path } }

// WithLookupEnv reads environment variables through a function; tests use it to
// leave the process's own alone. Default: os.LookupEnv.
func WithLookupEnv(lookup func(string) (string, bool)) Option {
	return func(o *options) { o.load.LookupEnv = lookup }
}

// WithSettings declares the connector's own settings before the configuration is
// read: dst is a pointer to a struct with toml and env tags, its values are the
// defaults. They are in a table of the file, or with table "" beside the SDK's own
// keys.
func WithSettings(table string, dst any) Option {
	return func(o *options) { o.load.Settings = append(o.load.Settings, Settings{Table: table, Dst: dst}) }
}

// WithClient uses an open Danube client, which the runtime does not close. By
// default the runtime opens one on the configured addresses and closes it.
func WithClient(c Client) Option { return func(o *options) { o.client = c } }

// WithLogger replaces the default logger, text on stderr at log_level.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.logger = l } }

// WithRegistry collects the metrics in a registry of the caller's, which runtimes of
// different connector names, or topics, may share. By default each runtime has its
// own, with Go's and the process's metrics.
func WithRegistry(r *prometheus.Registry) Option { return func(o *options) { o.registry = r } }

// WithoutSignals leaves SIGINT and SIGTERM to the caller, who ends the context
// given to Run instead.
func WithoutSignals() Option { return func(o *options) { o.noSignals = true } }

// WithCheckpoints keeps a source's committed offsets in a store, in place of
// checkpoint_file. The runtime closes it.
func WithCheckpoints(s CheckpointStore) Option { return func(o *options) { o.checkpoints = s } }
