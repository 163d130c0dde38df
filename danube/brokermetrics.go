package danube

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// subscriptionKey names a subscription in a broker's metrics.
type subscriptionKey struct{ topic, subscription string }

// subscriptionMetrics is what a broker says of one subscription. What it does not say
// is 0.
type subscriptionMetrics struct {
	// lag is danube_subscription_lag_messages: the topic's newest offset less the
	// highest one up to which everything delivered was acknowledged, so with what is
	// delivered and not acknowledged. Seen on 0.15.1: it is set twice a second by the
	// subscription's dispatcher, so it keeps its last value, or was never set, once a
	// dispatcher hangs; it is 0 until the first ack after the dispatcher began; and it is
	// 0 after a restart for as long as the log is shorter than the subscription's old
	// position.
	lag uint64
	// out is danube_consumer_messages_out_total: what went to any consumer of the
	// subscription, copies as well.
	out uint64
	// consumers is danube_subscription_active_consumers: 0 at a broker that the topic has
	// left, whose lag stays as it was.
	consumers uint64
	// taken and stored are the topic's danube_topic_messages_in_total and
	// danube_producer_send_total with result "ok". The first counts a message before it is
	// in the log, and also one that does not get there; the second when it is, maybe long
	// after it was delivered.
	taken, stored uint64
}

// brokerMetrics is what one broker said of the subscriptions that it was asked about.
type brokerMetrics map[subscriptionKey]*subscriptionMetrics

const (
	// maxMetrics bounds what is read of one broker, which has about 4 KiB for a topic.
	maxMetrics = 64 << 20
	// maxMetricsLine bounds one line of it.
	maxMetricsLine = 64 << 10
)

// parseMetrics reads a broker's metrics in the text format of Prometheus and keeps what
// is about the subscriptions given. Lines that it cannot read it passes over.
func parseMetrics(r io.Reader, about map[subscriptionKey]struct{}) (brokerMetrics, error) {
	found := brokerMetrics{}
	topics := map[string]*subscriptionMetrics{}
	for k := range about {
		topics[k.topic] = &subscriptionMetrics{}
	}
	left := &io.LimitedReader{R: r, N: maxMetrics + 1}
	lines := bufio.NewScanner(left)
	lines.Buffer(nil, maxMetricsLine)
	ours := false
	for lines.Scan() {
		name, labels, value, ok := metricsLine(lines.Text())
		ours = ours || strings.HasPrefix(name, "danube_")
		if !ok {
			continue
		}
		topic := metricsLabel(labels, "topic")
		t := topics[topic]
		switch {
		case t == nil:
			continue
		case name == metricTaken:
			t.taken = value
			continue
		case name == metricSent:
			if metricsLabel(labels, "result") == "ok" {
				t.stored = value
			}
			continue
		}
		k := subscriptionKey{topic, metricsLabel(labels, "subscription")}
		if _, wanted := about[k]; !wanted {
			continue
		}
		m := found[k]
		if m == nil {
			m = &subscriptionMetrics{}
			found[k] = m
		}
		switch name {
		case metricLag:
			m.lag = value
		case metricOut:
			m.out = value
		case metricConsumers:
			m.consumers = value
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("a line of the metrics has more than %d bytes", maxMetricsLine)
	case err != nil:
		return nil, err
	case left.N <= 0:
		return nil, fmt.Errorf("the metrics have more than %d bytes", maxMetrics)
	case !ours:
		return nil, errors.New("these are not a broker's metrics: no name in them begins with danube_")
	}
	for k, m := range found {
		m.taken, m.stored = topics[k.topic].taken, topics[k.topic].stored
	}
	return found, nil
}

const (
	metricLag       = "danube_subscription_lag_messages"
	metricOut       = "danube_consumer_messages_out_total"
	metricConsumers = "danube_subscription_active_consumers"
	metricTaken     = "danube_topic_messages_in_total"
	metricSent      = "danube_producer_send_total"
)

// metricsLine takes one line apart. ok is for a line with one of the names above and a
// value that counts something.
func metricsLine(line string) (name, labels string, value uint64, ok bool) {
	end := strings.IndexAny(line, "{ ")
	if end < 0 || line[0] == '#' {
		return "", "", 0, false
	}
	name = line[:end]
	switch name {
	case metricLag, metricOut, metricConsumers, metricTaken, metricSent:
	default:
		return name, "", 0, false
	}
	labels, rest, ok := cutLabels(line[end:])
	if !ok {
		return name, "", 0, false
	}
	number, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ") // a timestamp may follow
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f >= 1<<63 {
		return name, "", 0, false
	}
	return name, labels, uint64(f), true
}

// cutLabels divides what follows a name into what is between its braces and the rest.
func cutLabels(s string) (labels, rest string, ok bool) {
	if s[0] != '{' {
		return "", s, true
	}
	quoted := false
	for i := 1; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && s[i] == '}':
			return s[1:i], s[i+1:], true
		}
	}
	return "", "", false
}

// metricsLabel returns the value of a label, "" without it.
func metricsLabel(labels, name string) string {
	for labels != "" {
		key, rest, ok := strings.Cut(labels, `="`)
		if !ok {
			return ""
		}
		value, rest, ok := cutQuoted(rest)
		if !ok {
			return ""
		}
		if strings.Trim(key, " ,") == name {
			return value
		}
		labels = rest
	}
	return ""
}

var unescape = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n")

// cutQuoted divides what follows an opening quote into the value and the rest.
func cutQuoted(s string) (value, rest string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return unescape.Replace(s[:i]), s[i+1:], true
		}
	}
	return "", "", false
}
