package connect

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/conf"
)

// configKeys is Config as the file and the environment have it.
type configKeys struct {
	ServiceURL       string `toml:"danube_service_url" env:"DANUBE_SERVICE_URL"`
	AdminURL         string `toml:"danube_admin_url" env:"DANUBE_ADMIN_URL"`
	BrokerMetricsURL string `toml:"danube_metrics_url" env:"DANUBE_METRICS_URL"`
	Token            Secret `toml:"danube_token" env:"DANUBE_TOKEN"`
	TokenFile        string `toml:"danube_token_file" env:"DANUBE_TOKEN_FILE"`
	CAFile           string `toml:"danube_ca_file" env:"DANUBE_CA_FILE"`
	CertFile         string `toml:"danube_cert_file" env:"DANUBE_CERT_FILE"`
	KeyFile          string `toml:"danube_key_file" env:"DANUBE_KEY_FILE"`
	ConnectorName    string `toml:"connector_name" env:"CONNECTOR_NAME"`
	SourceTopic      string `toml:"source_topic" env:"DANUBE_TOPIC"`
	DestinationTopic string `toml:"destination_topic" env:"DANUBE_TOPIC"`
	SubscriptionName string `toml:"subscription_name" env:"SUBSCRIPTION_NAME"`
	SubscriptionType string `toml:"subscription_type" env:"SUBSCRIPTION_TYPE"`
	ReliableDispatch bool   `toml:"reliable_dispatch" env:"RELIABLE_DISPATCH"`
	UndeclaredTopics string `toml:"undeclared_topics" env:"UNDECLARED_TOPICS"`

	MaxRetries     *int  `toml:"max_retries" env:"MAX_RETRIES"`
	RetryBackoffMs int64 `toml:"retry_backoff_ms" env:"RETRY_BACKOFF_MS"`
	MaxBackoffMs   int64 `toml:"max_backoff_ms" env:"MAX_BACKOFF_MS"`

	BatchSize      int    `toml:"batch_size" env:"BATCH_SIZE"`
	BatchBytes     int    `toml:"batch_bytes" env:"BATCH_BYTES"`
	BatchTimeoutMs int64  `toml:"batch_timeout_ms" env:"BATCH_TIMEOUT_MS"`
	PollIntervalMs int64  `toml:"poll_interval_ms" env:"POLL_INTERVAL_MS"`
	DrainTimeoutMs int64  `toml:"drain_timeout_ms" env:"DRAIN_TIMEOUT_MS"`
	OnError        string `toml:"on_error" env:"ON_ERROR"`
	OnExhausted    string `toml:"on_exhausted" env:"ON_EXHAUSTED"`
	NackDelayMs    int64  `toml:"nack_delay_ms" env:"NACK_DELAY_MS"`
	Ordering       string `toml:"ordering" env:"ORDERING"`
	Concurrency    int    `toml:"concurrency" env:"CONCURRENCY"`
	OnGap          string `toml:"on_gap" env:"ON_GAP"`
	Dedupe         string `toml:"dedupe" env:"DEDUPE"`
	RateLimit      int    `toml:"rate_limit" env:"RATE_LIMIT"`
	AckTimeoutMs   int64  `toml:"ack_timeout_ms" env:"ACK_TIMEOUT_MS"`
	CommitLagMs    int64  `toml:"commit_lag_ms" env:"COMMIT_LAG_MS"`
	Stamps         bool   `toml:"stamps" env:"STAMPS"`
	MetricsAddr    string `toml:"metrics_addr" env:"METRICS_ADDR"`
	MetricsPort    int    `toml:"metrics_port" env:"METRICS_PORT"`
	AdminEndpoints bool   `toml:"admin_endpoints" env:"ADMIN_ENDPOINTS"`
	LogLevel       string `toml:"log_level" env:"LOG_LEVEL"`

	HealthIntervalMs int64 `toml:"health_check_interval_ms" env:"HEALTH_CHECK_INTERVAL_MS"`
	HealthThreshold  int   `toml:"health_check_failure_threshold" env:"HEALTH_CHECK_FAILURE_THRESHOLD"`

	DeadLetterTopic string `toml:"dead_letter_topic" env:"DEAD_LETTER_TOPIC"`
	DeadLetterFile  string `toml:"dead_letter_file" env:"DEAD_LETTER_FILE"`
	CheckpointFile  string `toml:"checkpoint_file" env:"CHECKPOINT_FILE"`
}

// The tables that take part of the keys. A key may stand in its table or at the
// top; a file that has it in both must say the same.
var configTables = map[string][]string{
	"retry": {"max_retries", "retry_backoff_ms", "max_backoff_ms"},
	"processing": {
		"batch_size", "batch_bytes", "batch_timeout_ms", "poll_interval_ms", "drain_timeout_ms",
		"on_error", "on_exhausted", "nack_delay_ms", "ordering", "concurrency", "on_gap", "dedupe", "rate_limit", "ack_timeout_ms", "commit_lag_ms", "stamps",
		"metrics_addr", "metrics_port", "admin_endpoints", "log_level",
		"health_check_interval_ms", "health_check_failure_threshold",
	},
}

// schemasTable is the list of tables that have no variables in the environment.
const schemasTable = "schemas"

func knownConfigKeys() []string { return conf.Names(&configKeys{}) }

// isConfigKey reports whether the SDK owns a name at the top of the file.
func isConfigKey(name string) bool {
	return name == schemasTable || configTables[name] != nil || slices.Contains(knownConfigKeys(), name)
}

func (c Config) keys() configKeys {
	return configKeys{
		ServiceURL:       c.ServiceURL,
		AdminURL:         c.AdminURL,
		BrokerMetricsURL: c.BrokerMetricsURL,
		Token:            c.Token,
		TokenFile:        c.TokenFile,
		CAFile:           c.CAFile,
		CertFile:         c.CertFile,
		KeyFile:          c.KeyFile,
		ConnectorName:    c.ConnectorName,
		SourceTopic:      c.SourceTopic,
		DestinationTopic: c.DestinationTopic,
		SubscriptionName: c.SubscriptionName,
		SubscriptionType: string(c.SubscriptionType),
		ReliableDispatch: c.ReliableDispatch,
		UndeclaredTopics: string(or(c.UndeclaredTopics, TopicsAuto)),
		MaxRetries:       c.MaxRetries,
		RetryBackoffMs:   c.RetryBackoff.Milliseconds(),
		MaxBackoffMs:     c.MaxBackoff.Milliseconds(),
		BatchSize:        c.BatchSize,
		BatchBytes:       c.BatchBytes,
		BatchTimeoutMs:   c.BatchTimeout.Milliseconds(),
		PollIntervalMs:   c.PollInterval.Milliseconds(),
		DrainTimeoutMs:   c.DrainTimeout.Milliseconds(),
		OnError:          string(or(c.OnError, OnErrorAuto)),
		OnExhausted:      string(or(c.OnExhausted, OnErrorAuto)),
		NackDelayMs:      c.NackDelay.Milliseconds(),
		Ordering:         string(or(c.Ordering, OrderPartition)),
		Concurrency:      c.Concurrency,
		OnGap:            string(or(c.OnGap, OnGapReport)),
		Dedupe:           string(or(c.Dedupe, DedupeStamp)),
		RateLimit:        c.RateLimit,
		AckTimeoutMs:     c.AckTimeout.Milliseconds(),
		CommitLagMs:      c.CommitLag.Milliseconds(),
		Stamps:           c.Stamps,
		MetricsAddr:      c.MetricsAddr,
		MetricsPort:      c.MetricsPort,
		AdminEndpoints:   c.AdminEndpoints,
		HealthIntervalMs: c.HealthInterval.Milliseconds(),
		HealthThreshold:  c.HealthThreshold,
		LogLevel:         levelName(c.LogLevel),
		DeadLetterTopic:  c.DeadLetterTopic,
		DeadLetterFile:   c.DeadLetterFile,
		CheckpointFile:   c.CheckpointFile,
	}
}

// config makes the keys a Config. What does not convert is reported by its key
// and left at its default.
func (k configKeys) config(report func(key, value, problem string)) Config {
	c := DefaultConfig()
	c.ServiceURL, c.AdminURL, c.BrokerMetricsURL = k.ServiceURL, k.AdminURL, k.BrokerMetricsURL
	c.Token, c.TokenFile = k.Token, k.TokenFile
	c.CAFile, c.CertFile, c.KeyFile = k.CAFile, k.CertFile, k.KeyFile
	c.ConnectorName = k.ConnectorName
	c.SourceTopic = k.SourceTopic
	c.DestinationTopic = k.DestinationTopic
	c.SubscriptionName = k.SubscriptionName
	c.ReliableDispatch = k.ReliableDispatch
	c.MaxRetries = k.MaxRetries
	c.BatchSize = k.BatchSize
	c.BatchBytes = k.BatchBytes
	c.Concurrency = k.Concurrency
	c.RateLimit = k.RateLimit
	c.Stamps = k.Stamps
	c.DeadLetterTopic = k.DeadLetterTopic
	c.DeadLetterFile = k.DeadLetterFile
	c.CheckpointFile = k.CheckpointFile
	c.MetricsAddr = k.MetricsAddr
	c.MetricsPort = k.MetricsPort
	c.AdminEndpoints = k.AdminEndpoints
	c.HealthThreshold = k.HealthThreshold

	duration := func(dst *time.Duration, key string, ms int64) {
		if ms < 0 || ms > math.MaxInt32 { // which is 24 days, and keeps sums from overflowing
			report(key, fmt.Sprint(ms), fmt.Sprintf("expected milliseconds from 0 to %d", math.MaxInt32))
			return
		}
		*dst = time.Duration(ms) * time.Millisecond
	}
	duration(&c.RetryBackoff, "retry_backoff_ms", k.RetryBackoffMs)
	duration(&c.MaxBackoff, "max_backoff_ms", k.MaxBackoffMs)
	duration(&c.BatchTimeout, "batch_timeout_ms", k.BatchTimeoutMs)
	duration(&c.PollInterval, "poll_interval_ms", k.PollIntervalMs)
	duration(&c.DrainTimeout, "drain_timeout_ms", k.DrainTimeoutMs)
	duration(&c.NackDelay, "nack_delay_ms", k.NackDelayMs)
	duration(&c.AckTimeout, "ack_timeout_ms", k.AckTimeoutMs)
	duration(&c.HealthInterval, "health_check_interval_ms", k.HealthIntervalMs)
	duration(&c.CommitLag, "commit_lag_ms", k.CommitLagMs)

	parsed(&c.SubscriptionType, "subscription_type", k.SubscriptionType, parseSubscriptionType, expectedSubscriptionTypes, report)
	parsed(&c.UndeclaredTopics, "undeclared_topics", k.UndeclaredTopics, parseTopicPolicy, expectedTopicPolicies, report)
	parsed(&c.OnError, "on_error", k.OnError, parseErrorPolicy, expectedPolicies, report)
	parsed(&c.OnExhausted, "on_exhausted", k.OnExhausted, parseExhaustedPolicy, expectedExhaustedPolicies, report)
	parsed(&c.Dedupe, "dedupe", k.Dedupe, parseDedupe, expectedDedupe, report)
	parsed(&c.OnGap, "on_gap", k.OnGap, parseGapPolicy, expectedGapPolicies, report)
	parsed(&c.Ordering, "ordering", k.Ordering, parseOrdering, expectedOrderings, report)
	parsed(&c.LogLevel, "log_level", k.LogLevel, parseLevel, expectedLevels, report)
	return c
}

func parsed[T any](dst *T, key, text string, parse func(string) (T, bool), expected string, report func(key, value, problem string)) {
	v, ok := parse(text)
	if !ok {
		report(key, text, expected)
		return
	}
	*dst = v
}
