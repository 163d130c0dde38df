package connect

import (
	"log/slog"
	"strings"
	"time"
)

// Config is everything that configures a connector. [LoadConfig] makes one from
// defaults, a TOML file, the environment and code, each over the one before;
// [DefaultConfig] starts one in code. Copies are independent of each other, apart
// from what MaxRetries points to and the elements of Schemas.
//
// The key of each field in the file and its environment variable stand in its
// comment. A file may have all keys at its top, or those marked so in the tables
// [retry] and [processing]. Times are milliseconds there, durations here.
type Config struct {
	// ServiceURL is where brokers are: "http://host:port", several separated
	// by commas. One is enough while it lives.
	// danube_service_url, DANUBE_SERVICE_URL. Default: http://localhost:6650.
	ServiceURL string
	// AdminURL is where the brokers' admin ports are, several separated by commas, for
	// what only they know: a sink asks for the ack timeout of its subscription, which
	// then takes the place of AckTimeout. Any broker's will do. Danube's default port
	// for it is 50051.
	// danube_admin_url, DANUBE_ADMIN_URL. Default: none.
	AdminURL string
	// BrokerMetricsURL is where all brokers of the cluster serve their metrics, several
	// separated by commas: a sink compares what they say is waiting for it with what
	// arrives, since nothing else shows a broker that has silently stopped to deliver.
	// Danube's default port for them is 9040.
	// danube_metrics_url, DANUBE_METRICS_URL. Default: none, and nothing is noticed.
	BrokerMetricsURL string
	// Token is the JWT that says who the connector is, where brokers want to know. It
	// is sent with TLS only: https addresses. Or "file:/path", read once at start.
	// danube_token, DANUBE_TOKEN. Default: none.
	Token Secret
	// TokenFile is a file with the token, which is read again when it changes.
	// danube_token_file, DANUBE_TOKEN_FILE. Default: none.
	TokenFile string
	// CAFile is a PEM file with the authorities to trust for https addresses.
	// danube_ca_file, DANUBE_CA_FILE. Default: the system's.
	CAFile string
	// CertFile and KeyFile are PEM files with a certificate of the connector's own and
	// its key, read again when they change.
	// danube_cert_file, DANUBE_CERT_FILE and danube_key_file, DANUBE_KEY_FILE.
	// Default: none.
	CertFile, KeyFile string
	// ConnectorName names this connector in the consumers and producers that it
	// opens, in logs and metrics: letters, digits, _ and -. A second process of the
	// same name and subscription takes this one's place.
	// connector_name, CONNECTOR_NAME. Required.
	ConnectorName string

	// SourceTopic is the topic that a sink reads: "/namespace/name".
	// source_topic, DANUBE_TOPIC. Required for a sink that does not name its own.
	SourceTopic string
	// DestinationTopic is the topic that a source writes.
	// destination_topic, DANUBE_TOPIC. Required for a source that does not name its
	// own.
	DestinationTopic string
	// SubscriptionName is the subscription of a sink: letters, digits, _ and -.
	// subscription_name, SUBSCRIPTION_NAME. Required like SourceTopic.
	SubscriptionName string
	// SubscriptionType is how several processes share the subscription.
	// subscription_type, SUBSCRIPTION_TYPE: exclusive, shared, failover or
	// key_shared, in any case. Default: exclusive.
	SubscriptionType SubscriptionType
	// ReliableDispatch makes a source create its topics as reliable ones, which keep
	// messages until they are acknowledged.
	// reliable_dispatch, RELIABLE_DISPATCH. Default: true.
	ReliableDispatch bool
	// UndeclaredTopics is what a source does with a record for a topic that its code did
	// not declare.
	// undeclared_topics, UNDECLARED_TOPICS: create, refuse, or auto, which is refuse for
	// a source that declares topics, else create. Default: auto.
	UndeclaredTopics TopicPolicy

	// MaxRetries is how often a sink tries a record again, at most 100; 0 is never.
	// A nil pointer leaves it to the record's time budget alone, which ends retries
	// in any case. Publishing and connecting are retried without limit.
	// max_retries in [retry], MAX_RETRIES. Default: nil.
	MaxRetries *int
	// RetryBackoff is the wait before the first retry; it doubles for each next one.
	// retry_backoff_ms in [retry], RETRY_BACKOFF_MS. Default: 1 s.
	RetryBackoff time.Duration
	// MaxBackoff is the longest wait, at least RetryBackoff.
	// max_backoff_ms in [retry], MAX_BACKOFF_MS. Default: 30 s.
	MaxBackoff time.Duration

	// BatchSize is the largest number of records in a batch.
	// batch_size in [processing], BATCH_SIZE. Default: 1000.
	BatchSize int
	// BatchBytes is the size of the payloads at which a batch is complete; 0 sets no
	// limit. A single larger record makes a batch of its own.
	// batch_bytes in [processing], BATCH_BYTES. Default: 4 MiB.
	BatchBytes int
	// BatchTimeout is how long a batch waits for more records after its first; 0
	// does not wait.
	// batch_timeout_ms in [processing], BATCH_TIMEOUT_MS. Default: 1 s.
	BatchTimeout time.Duration
	// PollInterval is the wait after a poll of a source that brought nothing.
	// poll_interval_ms in [processing], POLL_INTERVAL_MS. Default: 100 ms.
	PollInterval time.Duration
	// DrainTimeout is the time that a stop gives to what is in work. Let the
	// supervisor wait longer than that: Kubernetes kills after 30 s.
	// drain_timeout_ms in [processing], DRAIN_TIMEOUT_MS. Default: 20 s.
	DrainTimeout time.Duration
	// OnError is what happens to a record that cannot be processed.
	// on_error in [processing], ON_ERROR: stop, skip, dead_letter, nack, or auto, which
	// is dead_letter where a target for dead letters is configured, else stop. nack is
	// for sinks that keep no order: with Ordering none or a shared subscription.
	// Default: auto.
	OnError ErrorPolicy
	// OnExhausted is what follows on_error = "nack" when a record fails at its third
	// delivery to this process.
	// on_exhausted in [processing], ON_EXHAUSTED: stop, dead_letter, or auto, which is
	// as with OnError. Default: auto.
	OnExhausted ErrorPolicy
	// NackDelay is how long the broker waits, with on_error = "nack", before it delivers
	// a record again: at least its own backoff, 1 s and 2 s by default. It must be less
	// than half of AckTimeout: what waits keeps the newest ack back.
	// nack_delay_ms in [processing], NACK_DELAY_MS. Default: 0.
	NackDelay time.Duration

	// Ordering is what a sink processes in the order of the topic.
	// ordering in [processing], ORDERING: partition, key or none. Default: partition.
	Ordering Ordering
	// Concurrency is how many calls into a sink are under way at once for each
	// partition, with ordering key or none. With ordering partition it is always one.
	// concurrency in [processing], CONCURRENCY. Default: 8.
	Concurrency int
	// OnGap is what a sink does when the broker has skipped messages, as the offsets of an
	// exclusive subscription or the stamps of its messages (see Stamps) show, or has
	// started to number a topic anew.
	// on_gap in [processing], ON_GAP: report or stop. Default: report.
	OnGap GapPolicy
	// Dedupe is what a sink drops, of what it has brought to an end before in this
	// process: messages with the stamp of one before, which were published twice because
	// an answer was lost; or also records with the origin of one before, which a source has
	// published again after a crash. See Stamps.
	// dedupe in [processing], DEDUPE: stamp, source or off. Default: stamp.
	Dedupe Dedupe
	// RateLimit is how many records a second a sink processes, or a source publishes,
	// at most on each topic; 0 is no limit.
	// rate_limit in [processing], RATE_LIMIT. Default: 0.
	RateLimit int
	// AckTimeout is the broker's ack timeout: how long after a delivery it delivers a
	// message again. Retries of a record end 5 s before that. With AdminURL the brokers
	// are asked, and this is for when they do not answer.
	// ack_timeout_ms in [processing], ACK_TIMEOUT_MS. Default: 30 s, as the broker's.
	AckTimeout time.Duration

	// DeadLetterTopic is a Danube topic for what a sink cannot process or a source cannot
	// publish. With on_error = "dead_letter" and neither topic nor file given, it is
	// /<namespace>/dlq_<subscription>_<topic>, with the connector's name for a source in
	// place of the subscription. A topic that nobody has read yet keeps
	// only its newest 256 messages, so the file is the safer place.
	// dead_letter_topic, DEAD_LETTER_TOPIC. Default: none.
	DeadLetterTopic string
	// DeadLetterFile is a local file for the same, one line of JSON for each record,
	// on disk before the record is acknowledged or committed. It takes what is too large
	// for any topic.
	// dead_letter_file, DEAD_LETTER_FILE. Default: none.
	DeadLetterFile string

	// CheckpointFile is where a source's committed offsets are kept over restarts.
	// checkpoint_file, CHECKPOINT_FILE. Default: none.
	CheckpointFile string
	// CommitLag keeps a source from committing what the broker has acknowledged so
	// recently that it may not have written it to disk: a broker that is killed loses
	// up to 5 s of that with its default configuration. A stop waits for it, so it must
	// be less than DrainTimeout.
	// commit_lag_ms in [processing], COMMIT_LAG_MS. Default: 0.
	CommitLag time.Duration
	// Stamps adds attributes to what a source publishes, by which a reader can tell
	// losses and duplicates: x-connect-stamp and x-connect-source.
	// stamps in [processing], STAMPS. Default: true.
	Stamps bool

	// Schemas are what a source writes its topics with: the tables [[schemas]], which
	// have no variables in the environment. Default: none.
	Schemas []SchemaConfig

	// MetricsAddr is the host or IP address on which metrics and health are served.
	// There is no authentication: where others reach this host, bind 127.0.0.1 or
	// keep them out. The default lets a probe into the container.
	// metrics_addr in [processing], METRICS_ADDR. Default: 0.0.0.0.
	MetricsAddr string
	// MetricsPort is the port of metrics and health; 0 turns both off. When it was
	// configured and is taken, the connector does not start; when the default is
	// taken, the next free port serves.
	// metrics_port in [processing], METRICS_PORT. Default: 9090.
	MetricsPort int
	// AdminEndpoints adds POST /pause and POST /resume beside metrics and health. There
	// is no authentication: with metrics_addr other than 127.0.0.1, whoever reaches this
	// host can stop the connector from working.
	// admin_endpoints in [processing], ADMIN_ENDPOINTS. Default: false.
	AdminEndpoints bool
	// HealthInterval is the time between two calls of a connector's HealthCheck.
	// health_check_interval_ms in [processing], HEALTH_CHECK_INTERVAL_MS. Default: 30 s.
	HealthInterval time.Duration
	// HealthThreshold is how many of them must fail in a row to make the connector not
	// ready.
	// health_check_failure_threshold in [processing], HEALTH_CHECK_FAILURE_THRESHOLD.
	// Default: 1.
	HealthThreshold int
	// LogLevel is the lowest level that is logged.
	// log_level in [processing], LOG_LEVEL, RUST_LOG: trace, debug, info, warn,
	// error or off. RUST_LOG wins, as with the Rust connectors, and takes these words
	// only, no filters by module. Default: info.
	LogLevel slog.Level

	loaded *loaded // nil when made in code
}

// DefaultConfig returns the defaults. They lack what has none: the connector's
// name, its topic and its subscription.
func DefaultConfig() Config {
	return Config{
		ServiceURL:       "http://localhost:6650",
		SubscriptionType: SubscriptionExclusive,
		ReliableDispatch: true,
		UndeclaredTopics: TopicsAuto,
		RetryBackoff:     time.Second,
		MaxBackoff:       30 * time.Second,
		BatchSize:        1000,
		BatchBytes:       4 << 20,
		BatchTimeout:     time.Second,
		PollInterval:     100 * time.Millisecond,
		DrainTimeout:     20 * time.Second,
		OnError:          OnErrorAuto,
		OnExhausted:      OnErrorAuto,
		Ordering:         OrderPartition,
		Concurrency:      8,
		OnGap:            OnGapReport,
		Dedupe:           DedupeStamp,
		AckTimeout:       30 * time.Second,
		Stamps:           true,
		MetricsAddr:      "0.0.0.0",
		MetricsPort:      9090,
		HealthInterval:   30 * time.Second,
		HealthThreshold:  1,
		LogLevel:         slog.LevelInfo,
	}
}

// ServiceURLs returns the addresses in ServiceURL, one by one.
func (c Config) ServiceURLs() []string {
	return addresses(c.ServiceURL)
}

func addresses(list string) []string {
	urls := strings.Split(list, ",")
	for i := range urls {
		urls[i] = strings.TrimSpace(urls[i])
	}
	return urls
}

// onError resolves OnErrorAuto.
func (c Config) onError() ErrorPolicy { return c.policy(c.OnError) }

func (c Config) policy(p ErrorPolicy) ErrorPolicy {
	if p != OnErrorAuto && p != "" {
		return p
	}
	if c.DeadLetterTopic != "" || c.DeadLetterFile != "" {
		return OnErrorDeadLetter
	}
	return OnErrorStop
}
