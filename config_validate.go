package connect

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	// The broker refuses other characters in topics.
	topicPattern = regexp.MustCompile(`^/[\pL\pN_-]+/[\pL\pN_-]+$`)
	// The broker accepts any name, and some break the paths that it makes of them.
	namePattern = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	hostPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
)

// minAckTimeout leaves time for a retry: they end 5 s before it.
const minAckTimeout = 10 * time.Second

// Validate checks everything that can be checked without a broker, and what role
// requires. The error is [ConfigErrors] with all that is wrong. [LoadConfig] has
// done it; it is for a Config made or changed in code.
func (c Config) Validate(role Role) error {
	return c.validate(role, false).orNil()
}

// validate is Validate for a connector that names its topics itself, if so.
func (c Config) validate(role Role, ownTopics bool) ConfigErrors {
	v := validator{c: c}
	if v.required("danube_service_url", c.ServiceURL, "DANUBE_SERVICE_URL", true) {
		v.urls("danube_service_url", c.ServiceURL)
	}
	if c.AdminURL != "" {
		v.urls("danube_admin_url", c.AdminURL)
	}
	if c.BrokerMetricsURL != "" {
		v.metricsURLs("danube_metrics_url", c.BrokerMetricsURL)
	}
	if v.required("connector_name", c.ConnectorName, "CONNECTOR_NAME", role != RoleAny) {
		v.name("connector_name", c.ConnectorName)
	}
	if role != RoleSource && v.required("source_topic", c.SourceTopic, "DANUBE_TOPIC", role == RoleSink && !ownTopics) {
		v.topic("source_topic", c.SourceTopic)
	}
	if role != RoleSink && v.required("destination_topic", c.DestinationTopic, "DANUBE_TOPIC", role == RoleSource && !ownTopics) {
		v.topic("destination_topic", c.DestinationTopic)
	}
	if v.required("subscription_name", c.SubscriptionName, "SUBSCRIPTION_NAME", role == RoleSink && !ownTopics) {
		v.name("subscription_name", c.SubscriptionName)
	}
	if !c.Token.IsZero() && c.TokenFile != "" {
		v.add("danube_token_file", c.TokenFile, "expected one of danube_token and danube_token_file")
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		v.add("danube_cert_file", c.CertFile, "expected danube_cert_file and danube_key_file together")
	}
	if _, ok := subscriptionTypes[c.SubscriptionType]; !ok {
		v.add("subscription_type", string(c.SubscriptionType), expectedSubscriptionTypes)
	}
	if _, ok := parseErrorPolicy(string(or(c.OnError, OnErrorAuto))); !ok {
		v.add("on_error", string(c.OnError), expectedPolicies)
	}
	if _, ok := parseExhaustedPolicy(string(or(c.OnExhausted, OnErrorAuto))); !ok {
		v.add("on_exhausted", string(c.OnExhausted), expectedExhaustedPolicies)
	}
	if _, ok := parseOrdering(string(or(c.Ordering, OrderPartition))); !ok {
		v.add("ordering", string(c.Ordering), expectedOrderings)
	}
	if _, ok := parseGapPolicy(string(or(c.OnGap, OnGapReport))); !ok {
		v.add("on_gap", string(c.OnGap), expectedGapPolicies)
	}
	if _, ok := parseDedupe(string(or(c.Dedupe, DedupeStamp))); !ok {
		v.add("dedupe", string(c.Dedupe), expectedDedupe)
	}
	if _, ok := parseTopicPolicy(string(or(c.UndeclaredTopics, TopicsAuto))); !ok {
		v.add("undeclared_topics", string(c.UndeclaredTopics), expectedTopicPolicies)
	}
	if c.DeadLetterTopic != "" {
		v.topic("dead_letter_topic", c.DeadLetterTopic)
		if c.DeadLetterTopic == c.SourceTopic {
			v.add("dead_letter_topic", c.DeadLetterTopic, "expected another topic than source_topic: dead letters would come back for ever")
		}
		if role == RoleSource && c.DeadLetterTopic == c.DestinationTopic {
			v.add("dead_letter_topic", c.DeadLetterTopic, "expected another topic than destination_topic")
		}
	}
	if c.OnError == OnErrorNack {
		switch {
		case role == RoleSource:
			v.add("on_error", string(c.OnError), "expected stop, skip or dead_letter for a source: there is nobody to give a record back to")
		case !ownTopics && !nackable(or(c.Ordering, OrderPartition), c.SubscriptionType):
			v.add("on_error", string(c.OnError), wantsNoOrder)
		}
	}
	v.schemas(role)
	if n := c.MaxRetries; n != nil && (*n < 0 || *n > 100) {
		v.add("max_retries", strconv.Itoa(*n), "expected 0 to 100; leave it out to let the time budget alone decide")
	}
	for _, check := range []struct {
		key      string
		ok       bool
		expected string
	}{
		{"retry_backoff_ms", c.RetryBackoff > 0, "expected more than 0: retries without a wait are an attack"},
		{"max_backoff_ms", c.MaxBackoff >= c.RetryBackoff, "expected at least retry_backoff_ms, which is " + v.text("retry_backoff_ms")},
		{"batch_size", c.BatchSize > 0, "expected at least 1"},
		{"batch_bytes", c.BatchBytes >= 0, "expected 0, which is no limit, or more"},
		{"batch_timeout_ms", c.BatchTimeout >= 0, "expected 0, which is no wait, or more"},
		{"poll_interval_ms", c.PollInterval > 0, "expected more than 0: polling without a wait takes a whole core"},
		{"drain_timeout_ms", c.DrainTimeout > 0, "expected more than 0"},
		{"concurrency", c.Concurrency > 0, "expected at least 1"},
		{"rate_limit", c.RateLimit >= 0, "expected 0, which is no limit, or more records a second"},
		{"ack_timeout_ms", c.AckTimeout >= minAckTimeout, "expected at least 10000, which is what the broker should have, too"},
		{"nack_delay_ms", c.NackDelay >= 0 && (c.NackDelay == 0 || c.NackDelay < c.AckTimeout/2), "expected 0, which leaves it to the broker, or more, and less than half of ack_timeout_ms, which is " + v.text("ack_timeout_ms")},
		{"commit_lag_ms", c.CommitLag >= 0 && (c.CommitLag == 0 || c.CommitLag < c.DrainTimeout), "expected 0, which is no lag, or more, and less than drain_timeout_ms, which is " + v.text("drain_timeout_ms") + ": a stop waits for it"},
		{"health_check_interval_ms", c.HealthInterval > 0, "expected more than 0"},
		{"health_check_failure_threshold", c.HealthThreshold > 0, "expected at least 1"},
		{"metrics_port", c.MetricsPort >= 0 && c.MetricsPort <= 65535, "expected 1 to 65535, or 0 for no metrics"},
		{"metrics_addr", isHost(c.MetricsAddr), "expected a host name or an IP address, without a port"},
	} {
		if !check.ok {
			v.add(check.key, v.text(check.key), check.expected)
		}
	}
	return v.problems
}

// wantsNoOrder is why on_error = "nack" is refused.
const wantsNoOrder = `expected another policy, or ordering = "none", or subscription_type = "shared": a record that is given back comes again behind later ones`

func nackable(o Ordering, t SubscriptionType) bool {
	return o == OrderNone || t == SubscriptionShared
}

type validator struct {
	c        Config
	problems ConfigErrors
}

func (v *validator) add(key, value, problem string) {
	e := &ConfigError{Key: key, Value: value, Problem: problem}
	if value != "" {
		e.Source = v.c.source(key)
	}
	v.problems = append(v.problems, e)
}

func (v *validator) text(key string) string {
	text, _ := v.c.text(key)
	return text
}

// required reports whether there is a value to check, and complains when there
// must be one.
func (v *validator) required(key, value, variable string, must bool) bool {
	if value == "" && must {
		v.add(key, "", "required: set it in the file or as the environment variable "+variable)
	}
	return value != ""
}

func (v *validator) name(key, name string) {
	if !namePattern.MatchString(name) {
		v.add(key, name, "expected letters, digits, _ and - only")
	}
}

func (v *validator) topic(key, topic string) {
	if !topicPattern.MatchString(topic) {
		v.add(key, topic, "expected /namespace/name, each of letters, digits, _ and -")
	}
}

func (v *validator) urls(key, list string) {
	for _, s := range addresses(list) {
		if problem := urlProblem(s); problem != "" {
			v.add(key, redactURLs(s), problem)
		}
	}
}

// metricsURLs is urls for addresses that may have the path at which metrics are.
func (v *validator) metricsURLs(key, list string) {
	for _, s := range addresses(list) {
		if problem := urlProblem(strings.TrimSuffix(s, "/metrics")); problem != "" {
			v.add(key, redactURLs(s), problem+", or http://host:port/metrics")
		}
	}
}

func urlProblem(s string) string {
	const form = "expected http://host:port"
	u, err := url.Parse(s)
	switch {
	case s == "":
		return form + "; there is an empty address in the list"
	case err != nil || u.Scheme != "http" && u.Scheme != "https":
		return form
	case u.User != nil:
		return form + " without a user"
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return form + " and nothing after it"
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil || !isHost(host) {
		return form
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "expected a port from 1 to 65535"
	}
	return ""
}

func isHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || hostPattern.MatchString(s)
}
