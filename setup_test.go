package connect

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fromFile runs a sink on a configuration file to the end of its start.
func (l *lab) fromFile(c SinkConnector, text string, more ...Option) error {
	l.t.Helper()
	path := filepath.Join(l.t.TempDir(), "c.toml")
	l.must(os.WriteFile(path, []byte(text), 0o600))
	opts := append([]Option{WithConfigFile(path), WithLookupEnv(func(string) (string, bool) { return "", false }),
		WithClient(DanubeClient(l.client)), WithoutSignals()}, more...)
	rt, err := NewSinkRuntime(c, opts...)
	if err != nil {
		return err
	}
	r := l.start(rt.core, rt.Run).ready()
	err, _ = r.stop()
	return err
}

const baseFile = `
connector_name = "c"
source_topic = "/default/t"
subscription_name = "s"
metrics_port = 0
log_level = "off"
`

func TestSetupReadsSettings(t *testing.T) {
	type table struct {
		URL  string `toml:"url" env:"TARGET_URL"`
		Rows int    `toml:"rows"`
	}
	const file = baseFile + "[target]\nurl = \"db:1\"\nrows = 5\n"
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		var got table
		l.must(l.fromFile(&testSink{initialize: func(_ context.Context, s *Setup) error {
			same(t, "name", s.Name(), "c")
			same(t, "batch size", s.Config().BatchSize, 1000)
			c := s.Config()
			c.BatchSize = 5
			same(t, "batch size after a change of the copy", s.Config().BatchSize, 1000)
			s.Logger().Info("hello")
			return s.Settings("target", &got)
		}}, file))
		same(t, "settings", got, table{"db:1", 5})

		declared := table{Rows: 7}
		l.must(l.fromFile(&testSink{}, baseFile+"[target]\nurl = \"db:2\"\n", WithSettings("target", &declared)))
		same(t, "declared settings", declared, table{"db:2", 7})
	})
}

func TestSettingsThatNobodyReadsEndTheRun(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		sink := &testSink{}
		err := l.fromFile(sink, baseFile+"[target]\nurl = \"db:1\"\n")
		if ExitCode(err) != 2 || !strings.Contains(fmt.Sprint(err), "target") {
			t.Errorf("got %v, want a configuration error about the table", err)
		}
		same(t, "the connector's life", sink.lifetime(), "initialize shutdown")

		err = l.fromFile(&testSink{initialize: func(_ context.Context, s *Setup) error {
			var none struct{}
			return s.Settings("target", &none)
		}}, baseFile+"[target]\nurl = \"db:1\"\n")
		if ExitCode(err) != 2 || !strings.Contains(fmt.Sprint(err), "url") {
			t.Errorf("got %v, want a configuration error about the key", err)
		}
	})
}
