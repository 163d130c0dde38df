package connect

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// Setup is what Initialize gets: read-only access to what the runtime knows. It
// stays valid for the connector's life.
type Setup struct {
	core *core
}

// Name returns the connector's name, from connector_name.
func (s *Setup) Name() string { return s.core.cfg.ConnectorName }

// Logger returns the runtime's logger, with the connector's name.
func (s *Setup) Logger() *slog.Logger { return s.core.log }

// Registerer takes a connector's own metrics, served on /metrics beside the
// runtime's.
func (s *Setup) Registerer() prometheus.Registerer { return s.core.registry }

// Config returns a copy of the effective configuration.
func (s *Setup) Config() Config { return s.core.cfg }

// Settings decodes a table of the configuration file that was not declared with
// [WithSettings], strictly: unknown keys and values of the wrong type are errors.
// dst is a pointer to a struct with toml and env tags. A table that nobody has read when Initialize returns is an error.
func (s *Setup) Settings(table string, dst any) error {
	return s.core.cfg.decodeSettings(table, dst)
}
