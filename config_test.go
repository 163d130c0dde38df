package connect

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/conf"
)

// variables makes a LookupEnv of "NAME=value" texts, so that no test reads the
// process's environment.
func variables(list ...string) func(string) (string, bool) {
	m := make(map[string]string)
	for _, v := range list {
		name, value, _ := strings.Cut(v, "=")
		m[name] = value
	}
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

// files makes a ReadFile of one file, a.toml.
func files(text string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if name != "a.toml" {
			return nil, os.ErrNotExist
		}
		return []byte(text), nil
	}
}

func TestDefaultConfig(t *testing.T) {
	c := DefaultConfig()
	c.ConnectorName = "x"
	c.SourceTopic, c.SubscriptionName, c.DestinationTopic = "/default/t", "s", "/default/t"
	for _, role := range []Role{RoleAny, RoleSink, RoleSource} {
		if err := c.Validate(role); err != nil {
			t.Errorf("role %d: the defaults are wrong: %v", role, err)
		}
	}
	loaded, err := LoadConfig(LoadOptions{LookupEnv: variables()})
	if err != nil {
		t.Fatal(err)
	}
	if loaded.String() != DefaultConfig().String() {
		t.Errorf("nothing loaded is not the defaults:\n%v", loaded)
	}
}

// Every key can be set in each place that takes it.
func TestEveryKeyFromEverywhere(t *testing.T) {
	for _, k := range []struct {
		key, variable, value string
		get                  func(Config) any
		want                 any
	}{
		{"danube_service_url", "DANUBE_SERVICE_URL", "http://a:1,http://b:2", func(c Config) any { return c.ServiceURL }, "http://a:1,http://b:2"},
		{"danube_admin_url", "DANUBE_ADMIN_URL", "http://a:1,http://b:2", func(c Config) any { return c.AdminURL }, "http://a:1,http://b:2"},
		{"danube_metrics_url", "DANUBE_METRICS_URL", "http://a:1,http://b:2", func(c Config) any { return c.BrokerMetricsURL }, "http://a:1,http://b:2"},
		{"danube_token", "DANUBE_TOKEN", "t", func(c Config) any { return c.Token.Reveal() }, "t"},
		{"danube_token_file", "DANUBE_TOKEN_FILE", "f", func(c Config) any { return c.TokenFile }, "f"},
		{"danube_ca_file", "DANUBE_CA_FILE", "f", func(c Config) any { return c.CAFile }, "f"},
		{"connector_name", "CONNECTOR_NAME", "n", func(c Config) any { return c.ConnectorName }, "n"},
		{"source_topic", "DANUBE_TOPIC", "/default/a", func(c Config) any { return c.SourceTopic }, "/default/a"},
		{"destination_topic", "DANUBE_TOPIC", "/default/a", func(c Config) any { return c.DestinationTopic }, "/default/a"},
		{"subscription_name", "SUBSCRIPTION_NAME", "s", func(c Config) any { return c.SubscriptionName }, "s"},
		{"subscription_type", "SUBSCRIPTION_TYPE", "FailOver", func(c Config) any { return c.SubscriptionType }, SubscriptionFailover},
		{"reliable_dispatch", "RELIABLE_DISPATCH", "false", func(c Config) any { return c.ReliableDispatch }, false},
		{"max_retries", "MAX_RETRIES", "0", func(c Config) any { return *c.MaxRetries }, 0},
		{"retry_backoff_ms", "RETRY_BACKOFF_MS", "7", func(c Config) any { return c.RetryBackoff }, 7 * time.Millisecond},
		{"max_backoff_ms", "MAX_BACKOFF_MS", "7000", func(c Config) any { return c.MaxBackoff }, 7 * time.Second},
		{"batch_size", "BATCH_SIZE", "7", func(c Config) any { return c.BatchSize }, 7},
		{"batch_bytes", "BATCH_BYTES", "0", func(c Config) any { return c.BatchBytes }, 0},
		{"batch_timeout_ms", "BATCH_TIMEOUT_MS", "0", func(c Config) any { return c.BatchTimeout }, time.Duration(0)},
		{"poll_interval_ms", "POLL_INTERVAL_MS", "7", func(c Config) any { return c.PollInterval }, 7 * time.Millisecond},
		{"drain_timeout_ms", "DRAIN_TIMEOUT_MS", "7", func(c Config) any { return c.DrainTimeout }, 7 * time.Millisecond},
		{"on_error", "ON_ERROR", "skip", func(c Config) any { return c.OnError }, OnErrorSkip},
		{"on_exhausted", "ON_EXHAUSTED", "Stop", func(c Config) any { return c.OnExhausted }, OnErrorStop},
		{"nack_delay_ms", "NACK_DELAY_MS", "7", func(c Config) any { return c.NackDelay }, 7 * time.Millisecond},
		{"ordering", "ORDERING", "Key", func(c Config) any { return c.Ordering }, OrderKey},
		{"concurrency", "CONCURRENCY", "7", func(c Config) any { return c.Concurrency }, 7},
		{"undeclared_topics", "UNDECLARED_TOPICS", "Refuse", func(c Config) any { return c.UndeclaredTopics }, TopicsRefuse},
		{"on_gap", "ON_GAP", "Stop", func(c Config) any { return c.OnGap }, OnGapStop},
		{"dedupe", "DEDUPE", "Source", func(c Config) any { return c.Dedupe }, DedupeSource},
		{"rate_limit", "RATE_LIMIT", "7", func(c Config) any { return c.RateLimit }, 7},
		{"ack_timeout_ms", "ACK_TIMEOUT_MS", "60000", func(c Config) any { return c.AckTimeout }, time.Minute},
		{"commit_lag_ms", "COMMIT_LAG_MS", "6000", func(c Config) any { return c.CommitLag }, 6 * time.Second},
		{"stamps", "STAMPS", "false", func(c Config) any { return c.Stamps }, false},
		{"dead_letter_topic", "DEAD_LETTER_TOPIC", "/default/d", func(c Config) any { return c.DeadLetterTopic }, "/default/d"},
		{"dead_letter_file", "DEAD_LETTER_FILE", "d.jsonl", func(c Config) any { return c.DeadLetterFile }, "d.jsonl"},
		{"checkpoint_file", "CHECKPOINT_FILE", "c", func(c Config) any { return c.CheckpointFile }, "c"},
		{"health_check_interval_ms", "HEALTH_CHECK_INTERVAL_MS", "7", func(c Config) any { return c.HealthInterval }, 7 * time.Millisecond},
		{"health_check_failure_threshold", "HEALTH_CHECK_FAILURE_THRESHOLD", "7", func(c Config) any { return c.HealthThreshold }, 7},
		{"admin_endpoints", "ADMIN_ENDPOINTS", "true", func(c Config) any { return c.AdminEndpoints }, true},
		{"metrics_addr", "METRICS_ADDR", "::1", func(c Config) any { return c.MetricsAddr }, "::1"},
		{"metrics_port", "METRICS_PORT", "0", func(c Config) any { return c.MetricsPort }, 0},
		{"log_level", "LOG_LEVEL", "Trace", func(c Config) any { return c.LogLevel }, LevelTrace},
		{"log_level", "RUST_LOG", "OFF", func(c Config) any { return c.LogLevel }, LevelOff},
	} {
		check := func(where, source string, o LoadOptions) {
			t.Helper()
			c, err := LoadConfig(o)
			if err != nil {
				t.Errorf("%s in the %s: %v", k.key, where, err)
				return
			}
			if got := k.get(c); got != k.want {
				t.Errorf("%s in the %s: got %v, want %v", k.key, where, got, k.want)
			}
			if got := c.source(k.key); got != source {
				t.Errorf("%s in the %s is said to come from %s, not %s", k.key, where, got, source)
			}
		}
		check("environment", "environment variable "+k.variable, LoadOptions{LookupEnv: variables(k.variable + "=" + k.value)})
		value := k.value
		if _, isText := k.want.(string); isText || k.key == "subscription_type" || k.key == "on_error" || k.key == "on_exhausted" || k.key == "ordering" || k.key == "on_gap" || k.key == "dedupe" || k.key == "undeclared_topics" || k.key == "log_level" {
			value = `"` + value + `"`
		}
		line := k.key + " = " + value + "\n"
		check("file", "a.toml:1", LoadOptions{File: "a.toml", ReadFile: files(line), LookupEnv: variables()})
		for table, keys := range configTables {
			if slices.Contains(keys, k.key) {
				text := "[" + table + "]\n" + line
				check("table", "a.toml:2", LoadOptions{File: "a.toml", ReadFile: files(text), LookupEnv: variables()})
			}
		}
	}
}

func TestPrecedence(t *testing.T) {
	const file = "batch_size = 2\nbatch_bytes = 2\npoll_interval_ms = 2\n[processing]\nbatch_size = 2\nlog_level = \"warn\"\n"
	c, err := LoadConfig(LoadOptions{
		ReadFile: files(file),
		LookupEnv: variables("CONNECTOR_CONFIG_PATH=a.toml", "BATCH_BYTES=3", "POLL_INTERVAL_MS=3", "DRAIN_TIMEOUT_MS=",
			"LOG_LEVEL=error", "RUST_LOG=debug"),
		Override: func(c *Config) { c.PollInterval = 4 * time.Millisecond },
	})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"max_retries":      " default", // not set
		"drain_timeout_ms": "20000 default",
		"batch_size":       "2 a.toml:1",
		"batch_bytes":      "3 environment variable BATCH_BYTES",
		"poll_interval_ms": "4 code",
		"log_level":        "debug environment variable RUST_LOG",
		"nonsense":         " ",
	} {
		if text, _ := c.text(key); text+" "+c.source(key) != want {
			t.Errorf("%s: got %s from %s, want %s", key, text, c.source(key), want)
		}
	}
	// The option for the file wins over the variable.
	c, err = LoadConfig(LoadOptions{File: "a.toml", ReadFile: files(file), LookupEnv: variables("CONNECTOR_CONFIG_PATH=b.toml")})
	if err != nil || c.BatchSize != 2 {
		t.Errorf("got %v, %v", c.BatchSize, err)
	}
}

func TestMetricsPortSet(t *testing.T) {
	load := func(vars ...string) Config {
		c, err := LoadConfig(LoadOptions{LookupEnv: variables(vars...)})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	changed := DefaultConfig()
	changed.MetricsPort = 9091
	for i, tt := range []struct {
		c    Config
		want bool
	}{
		{DefaultConfig(), false}, {load(), false}, {load("METRICS_PORT=9090"), true}, {load("METRICS_PORT=1"), true}, {changed, true},
	} {
		if got := tt.c.metricsPortSet(); got != tt.want {
			t.Errorf("%d: got %v", i, got)
		}
	}
}

func TestConfigIsCopied(t *testing.T) {
	a, err := LoadConfig(LoadOptions{LookupEnv: variables("BATCH_SIZE=5", "MAX_RETRIES=5")})
	if err != nil {
		t.Fatal(err)
	}
	b := a
	b.BatchSize, b.MaxRetries = 6, new(6)
	if a.BatchSize != 5 || *a.MaxRetries != 5 || a.source("batch_size") != "environment variable BATCH_SIZE" || b.source("batch_size") != "code" {
		t.Errorf("a copy changed its original: %v", a)
	}
}

func TestSubscriptionType(t *testing.T) {
	for text, want := range map[string]SubscriptionType{
		"exclusive": SubscriptionExclusive, "Shared": SubscriptionShared, "FailOver": SubscriptionFailover, "fail_over": SubscriptionFailover,
		"KeyShared": SubscriptionKeyShared, "key-shared": SubscriptionKeyShared, "KEY_SHARED": SubscriptionKeyShared,
	} {
		if got, err := ParseSubscriptionType(text); got != want || err != nil {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "shraed"} {
		if _, err := ParseSubscriptionType(text); err == nil || !strings.Contains(err.Error(), "key_shared") {
			t.Errorf("%q: got %v", text, err)
		}
	}
	for ours, theirs := range map[SubscriptionType]danube.SubscriptionType{
		"": danube.Exclusive, SubscriptionExclusive: danube.Exclusive, SubscriptionShared: danube.Shared,
		SubscriptionFailover: danube.Failover, SubscriptionKeyShared: danube.KeyShared,
	} {
		if ours.client() != theirs {
			t.Errorf("%s became %v", ours, ours.client())
		}
	}
}

func TestConfigString(t *testing.T) {
	c, err := LoadConfig(LoadOptions{
		File: "a.toml", ReadFile: files("batch_size = 2\nconnector_name = \"x\"\n"), LookupEnv: variables("LOG_LEVEL=trace"),
	})
	if err != nil {
		t.Fatal(err)
	}
	text := c.String()
	for _, want := range []string{
		"danube_service_url = \"http://localhost:6650\" # default\n", "batch_size = 2 # a.toml:1\n",
		"log_level = \"trace\" # environment variable LOG_LEVEL\n", "# max_retries is not set\n", "reliable_dispatch = true # default\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	// What is printed can be read again.
	again, err := LoadConfig(LoadOptions{File: "a.toml", ReadFile: files(text), LookupEnv: variables()})
	if err != nil || again.keys() != c.keys() {
		t.Errorf("read again: %v\n%v", err, again)
	}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "config", c)
	if got := b.String(); !strings.Contains(got, "config.batch_size=2") || strings.Contains(got, "source_topic") {
		t.Errorf("got %s", got)
	}
}

func TestConfigTextIsHarmless(t *testing.T) {
	c := DefaultConfig()
	c.ServiceURL = "http://user:hunter2@a:1, http://b:2,user:hunter2@c"
	c.ConnectorName = "a\"\n\\"
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "config", c)
	b.WriteString(c.String())
	b.WriteString(c.Validate(RoleSink).Error())
	if strings.Contains(b.String(), "hunter2") || !strings.Contains(b.String(), "http://***@a:1") {
		t.Errorf("got %s", &b)
	}
	if f, problem := conf.ParseFile("a.toml", []byte(c.String())); problem != nil || len(f.Top()) == 0 {
		t.Errorf("not TOML: %+v\n%s", problem, c)
	}
}
