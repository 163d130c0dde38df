package connect

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoadConfigProblems(t *testing.T) {
	tests := map[string]struct {
		text string
		env  []string
		opts LoadOptions
		want string // without "configuration: "
	}{
		"typed wrong": {
			text: "batch_size = \"1000\"", want: `batch_size = "1000" (a.toml:1): expected a whole number, got a text`,
		},
		"fault of the crate: bad values became defaults": {
			env: []string{"RELIABLE_DISPATCH=no", "BATCH_SIZE=1k", "SUBSCRIPTION_TYPE=shraed"},
			want: `3 problems:
  reliable_dispatch = "no" (environment variable RELIABLE_DISPATCH): expected true or false
  batch_size = "1k" (environment variable BATCH_SIZE): expected a whole number
  subscription_type = "shraed" (environment variable SUBSCRIPTION_TYPE): expected exclusive, shared, failover or key_shared`,
		},
		"fault of the connectors: keys of no one": {
			text: "[retry]\ninitial_interval_ms = 1\nmax_interval_ms = 2\n[processing]\nconnector_name = \"x\"\n",
			want: `3 problems:
  retry.initial_interval_ms (a.toml:2): unknown key; known here: max_backoff_ms, max_retries, retry_backoff_ms
  retry.max_interval_ms (a.toml:3): unknown key; known here: max_backoff_ms, max_retries, retry_backoff_ms
  processing.connector_name (a.toml:5): unknown key; connector_name belongs at the top of the file, before the first table`,
		},
		"unknown at the top": {
			text: "bach_size = 1\nlist = [1]\nempty = []\n[own]\nx = 1\n",
			want: `3 problems:
  bach_size (a.toml:1): unknown key; did you mean "batch_size"?
  list (a.toml:2): unknown key
  empty (a.toml:3): unknown key`,
		},
		"said twice": {
			text: "max_retries = 3\nlog_level = \"info\"\n[retry]\nmax_retries = 4\n[processing]\nlog_level = \"info\"\n",
			want: `retry.max_retries = "4" (a.toml:4): max_retries (a.toml:1) says "3"; keep one`,
		},
		"a key where a table is": {
			text: "retry = 3", want: `retry = "3" (a.toml:1): expected a table [retry], got a whole number`,
		},
		"schemas": {
			text: "[[schemas]]\ntopic = \"/default/a\"\n",
			want: `schemas[0].subject: required: the schema's name in the registry`,
		},
		"syntax stops the rest": {
			text: "a = 1\na = 2\n", opts: LoadOptions{Role: RoleSink}, env: []string{"BATCH_SIZE=x"},
			want: `2 problems:
  (a.toml:2): not TOML: Key 'a' has already been defined.
  batch_size = "x" (environment variable BATCH_SIZE): expected a whole number`,
		},
		"values": {
			text: "max_retries = 101\nbatch_timeout_ms = -1\nmax_backoff_ms = 9\nretry_backoff_ms = 10\npoll_interval_ms = 2147483648",
			env:  []string{"ON_ERROR=retry", "ON_EXHAUSTED=nack", "NACK_DELAY_MS=15000"},
			want: `7 problems:
  batch_timeout_ms = "-1" (a.toml:2): expected milliseconds from 0 to 2147483647
  poll_interval_ms = "2147483648" (a.toml:5): expected milliseconds from 0 to 2147483647
  on_error = "retry" (environment variable ON_ERROR): expected auto, stop, skip, dead_letter or nack
  on_exhausted = "nack" (environment variable ON_EXHAUSTED): expected auto, stop or dead_letter
  max_retries = "101" (a.toml:1): expected 0 to 100; leave it out to let the time budget alone decide
  max_backoff_ms = "9" (a.toml:3): expected at least retry_backoff_ms, which is 10
  nack_delay_ms = "15000" (environment variable NACK_DELAY_MS): expected 0, which leaves it to the broker, or more, and less than half of ack_timeout_ms, which is 30000`,
		},
		"RUST_LOG with filters": {
			env:  []string{"RUST_LOG=info,danube=debug", "LOG_LEVEL=info"},
			want: `log_level = "info,danube=debug" (environment variable RUST_LOG): expected trace, debug, info, warn, error or off; filters by module are for Rust programs; to use LOG_LEVEL, leave RUST_LOG out`,
		},
		"a sink's needs": {
			opts: LoadOptions{Role: RoleSink},
			want: `3 problems:
  connector_name: required: set it in the file or as the environment variable CONNECTOR_NAME
  source_topic: required: set it in the file or as the environment variable DANUBE_TOPIC
  subscription_name: required: set it in the file or as the environment variable SUBSCRIPTION_NAME`,
		},
		"a source's needs": {
			opts: LoadOptions{Role: RoleSource}, env: []string{"CONNECTOR_NAME=x"},
			want: `destination_topic: required: set it in the file or as the environment variable DANUBE_TOPIC`,
		},
		"not missing, but wrong": {
			text: "source_topic = 5", opts: LoadOptions{Role: RoleSink}, env: []string{"CONNECTOR_NAME=x", "SUBSCRIPTION_NAME=s"},
			want: `source_topic = "5" (a.toml:1): expected a text in quotes, got a whole number`,
		},
		"empty": {
			text: "danube_service_url = \"\"\nsubscription_type = \"\"",
			want: `2 problems:
  subscription_type (a.toml:2): expected exclusive, shared, failover or key_shared
  danube_service_url: required: set it in the file or as the environment variable DANUBE_SERVICE_URL`,
		},
		"code": {
			opts: LoadOptions{Override: func(c *Config) { c.BatchSize = 0; c.PollInterval = 0 }},
			want: `2 problems:
  batch_size = "0" (code): expected at least 1
  poll_interval_ms = "0" (code): expected more than 0: polling without a wait takes a whole core`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := tt.opts
			o.File, o.ReadFile, o.LookupEnv = "a.toml", files(tt.text), variables(tt.env...)
			c, err := LoadConfig(o)
			if err == nil {
				t.Fatal("no error")
			}
			if got := strings.TrimPrefix(err.Error(), "configuration: "); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if c.String() != (Config{}).String() {
				t.Errorf("with an error came %v", c)
			}
			if _, ok := errors.AsType[ConfigErrors](err); !ok || KindOf(err) != KindConfig {
				t.Errorf("a %T of kind %v", err, KindOf(err))
			}
		})
	}
}

func TestLoadConfigMissingFile(t *testing.T) {
	for want, o := range map[string]LoadOptions{
		`(b.toml): the configuration file cannot be read: file does not exist`: {File: "b.toml", LookupEnv: variables()},
		`"c.toml" (environment variable CONNECTOR_CONFIG_PATH): the configuration file cannot be read: file does not exist`: {
			LookupEnv: variables("CONNECTOR_CONFIG_PATH=c.toml"),
		},
	} {
		o.ReadFile, o.Role = files(""), RoleSink
		if _, err := LoadConfig(o); err == nil || err.Error() != "configuration: "+want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestLoadConfigReadsFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.toml")
	if err := os.WriteFile(path, []byte("batch_size = 7"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := LoadConfig(LoadOptions{File: path, LookupEnv: variables()})
	if err != nil || c.BatchSize != 7 {
		t.Errorf("got %d, %v", c.BatchSize, err)
	}
}

func TestOwnTopics(t *testing.T) {
	for _, role := range []Role{RoleSink, RoleSource} {
		o := LoadOptions{Role: role, OwnTopics: true, LookupEnv: variables("CONNECTOR_NAME=x")}
		if _, err := LoadConfig(o); err != nil {
			t.Errorf("role %d: %v", role, err)
		}
	}
}

func TestValidateRules(t *testing.T) {
	text := func(set func(*Config, string), values ...string) func(*testing.T, bool) {
		return func(t *testing.T, valid bool) {
			for _, v := range values {
				c := DefaultConfig()
				set(&c, v)
				if err := c.Validate(RoleAny); (err == nil) != valid {
					t.Errorf("%q: %v", v, err)
				}
			}
		}
	}
	url := func(c *Config, v string) { c.ServiceURL = v }
	topic := func(c *Config, v string) { c.SourceTopic = v }
	target := func(c *Config, v string) { c.DestinationTopic = v }
	name := func(c *Config, v string) { c.ConnectorName = v }
	subscription := func(c *Config, v string) { c.SubscriptionName = v }
	addr := func(c *Config, v string) { c.MetricsAddr = v }
	for _, check := range []func(*testing.T, bool){
		text(url, "http://localhost:6650", "https://broker-1.example.org:443/", "http://[::1]:1", "http://10.0.0.1:65535 , http://b:2"),
		text(topic, "/default/orders", "/my-ns/a_b-C1", "/default/größe"),
		text(target, "/default/orders"),
		text(name, "a", "A-b_9"),
		text(subscription, "a", "A-b_9"),
		text(addr, "0.0.0.0", "127.0.0.1", "::", "fe80::1%eth0", "localhost", "metrics.internal"),
	} {
		check(t, true)
	}
	for _, check := range []func(*testing.T, bool){
		text(url, "localhost:6650", "http://localhost", "http://:6650", "http://a:0", "http://a:65536", "http://a:x", "ftp://a:1",
			"http://a:1/path", "http://a:1?q", "http://a:1#f", "http://u:p@a:1", "http://a:1,", "http://a b:1", "://", "\n"),
		text(topic, "orders", "/orders", "/default/", "//", "//x", "/default/a/b", "/default/a.b", "/default/a b", "default/a", "/default/a\n"),
		text(target, "orders"),
		text(name, "a b", "a/b", "a.b", "a\n", "ä"),
		text(subscription, "a b", "a/b", "a.b"),
		text(addr, "", "a:1", "127.0.0.1:9090", "-a", "a-", "a b"),
	} {
		check(t, false)
	}
	for i, set := range []func(*Config){
		func(c *Config) { c.MaxRetries = new(-1) },
		func(c *Config) { c.MaxRetries = new(101) },
		func(c *Config) { c.RetryBackoff = 0 },
		func(c *Config) { c.RetryBackoff = time.Minute },
		func(c *Config) { c.BatchSize = -1 },
		func(c *Config) { c.BatchBytes = -1 },
		func(c *Config) { c.BatchTimeout = -1 },
		func(c *Config) { c.PollInterval = -1 },
		func(c *Config) { c.DrainTimeout = 0 },
		func(c *Config) { c.MetricsPort = -1 },
		func(c *Config) { c.MetricsPort = 65536 },
		func(c *Config) { c.SubscriptionType = "x" },
		func(c *Config) { c.SubscriptionType = "" },
		func(c *Config) { c.OnError = "x" },
		func(c *Config) { c.ServiceURL = "" },
	} {
		c := DefaultConfig()
		set(&c)
		if problems, ok := errors.AsType[ConfigErrors](c.Validate(RoleAny)); !ok || len(problems) != 1 {
			t.Errorf("%d: got %v", i, problems)
		}
	}
}

func TestValidateReportsEverything(t *testing.T) {
	err := (Config{}).Validate(RoleSink)
	problems, _ := errors.AsType[ConfigErrors](err)
	keys := make(map[string]bool)
	for _, p := range problems {
		keys[p.Key] = true
	}
	for _, key := range []string{
		"danube_service_url", "connector_name", "source_topic", "subscription_name", "subscription_type", "concurrency", "ack_timeout_ms",
		"retry_backoff_ms", "batch_size", "poll_interval_ms", "drain_timeout_ms", "metrics_addr",
	} {
		if !keys[key] {
			t.Errorf("nothing about %s in %v", key, err)
		}
	}
}

// No input makes loading panic, every error is a ConfigErrors, and what loads is
// valid, prints as TOML and loads again to the same.
func FuzzLoadConfig(f *testing.F) {
	f.Add("batch_size = 1\n[retry]\nmax_retries = 2\n[own]\nx = \"y\"\n", "BATCH_SIZE", "5")
	f.Add("[[schemas]]\n[a.b]\nc = [1, {d = 2}]\n", "RUST_LOG", "debug")
	f.Add("text = 'x'\n[sub]\nn = 1\nd = '1s'\n[[list]]\nn = 1\n", "SUB_D", "2s")
	f.Add("processing.log_level = 'off'\nretry = { max_retries = 0 }\n\"\" = 1", "DANUBE_SERVICE_URL", "http://a:1,http://b:2")
	f.Add("connector_name = \"a\\\"\\n\"", "DANUBE_TOPIC", "/default/\x80")
	f.Fuzz(func(t *testing.T, text, name, value string) {
		type sub struct {
			N int            `toml:"n" env:"N"`
			D time.Duration  `toml:"d" env:"D" envDefault:"1s"`
			M map[string]int `toml:"m" env:"M"`
		}
		var flat struct {
			Text string `toml:"text" env:"TEXT,required"`
			Sub  *sub   `toml:"sub" envPrefix:"SUB_"`
			List []sub  `toml:"list"`
		}
		var own struct {
			X any `toml:"x"`
			S sub `toml:"s" envPrefix:"SUB_"`
		}
		flat.Text = "x"
		c, err := LoadConfig(LoadOptions{
			File: "a.toml", ReadFile: files(text), LookupEnv: variables(name + "=" + value),
			Settings: []Settings{{Dst: &flat}, {Table: "own", Dst: &own}},
		})
		if err != nil {
			problems, ok := errors.AsType[ConfigErrors](err)
			if !ok || len(problems) == 0 || KindOf(err) != KindConfig {
				t.Fatalf("a %T: %v", err, err)
			}
			for _, p := range problems {
				if p.Problem == "" || strings.Contains(p.Error(), "\n") && !strings.Contains(p.Key+p.Hint+p.Problem, "\n") {
					t.Fatalf("%+v", *p)
				}
			}
			return
		}
		if err := c.Validate(RoleAny); err != nil {
			t.Fatal(err)
		}
		for _, table := range c.unreadTables() {
			var dst map[string]any
			var list []map[string]any
			if c.decodeSettings(table, &dst) != nil && c.decodeSettings(table, &list) != nil {
				t.Fatalf("table %q fits neither a map nor a list", table)
			}
		}
		if c.checkUnread() != nil {
			t.Fatal("a table that was read counts as unread")
		}
		again, err := LoadConfig(LoadOptions{File: "a.toml", ReadFile: files(c.String()), LookupEnv: variables()})
		if err != nil || fmt.Sprint(again.entries()) != fmt.Sprint(c.entries()) {
			t.Fatalf("%v\n%v\n%v", err, c, again)
		}
	})
}
