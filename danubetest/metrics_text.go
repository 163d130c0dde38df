package danubetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// metrics prints what a broker has counted.
func (c *core) metrics(n *node) string {
	owned := 0
	for _, t := range c.sorted() {
		if t.owner == n {
			owned++
			c.meter(t)
		}
	}
	leads := 0
	if c.leader() == n {
		leads = 1
	}
	p := metricsPrinter{broker: n.name()}
	p.gauge("danube_broker_topics_owned", "Topics that the broker serves", owned)
	p.gauge("danube_leader_election_state", "Whether the broker is the leader (1) or not (0)", leads)
	p.topics(&n.meters)
	p.subscriptions(&n.meters)
	return p.String()
}

type metricsPrinter struct {
	strings.Builder
	broker string
}

// series prints one line. Labels are names and values in turn.
func (p *metricsPrinter) series(name string, value any, labels ...string) {
	fmt.Fprintf(p, "%s{broker=%q", name, p.broker)
	for i := 0; i < len(labels); i += 2 {
		fmt.Fprintf(p, ",%s=\"%s\"", labels[i], labelEscape.Replace(labels[i+1]))
	}
	fmt.Fprintf(p, "} %v\n", value)
}

var labelEscape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// begin prints what is before the lines of a metric. Each has one line without further
// labels, which the real broker prints to say that there is such a metric.
func (p *metricsPrinter) begin(name, help, kind string, value any) {
	if p.Len() > 0 {
		p.WriteByte('\n')
	}
	fmt.Fprintf(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	p.series(name, value)
}

func (p *metricsPrinter) gauge(name, help string, value int) { p.begin(name, help, "gauge", value) }

func (p *metricsPrinter) topics(m *meters) {
	names := slices.Sorted(maps.Keys(m.topics))
	counter := func(name, help string, of func(*topicMeter) uint64, labels ...string) {
		p.begin(name, help, "counter", 0)
		for _, t := range names {
			if n := of(m.topics[t]); n > 0 {
				p.series(name, n, append([]string{"topic", t}, labels...)...)
			}
		}
	}
	gauge := func(name, help string, of func(*topicMeter) (int, bool)) {
		p.gauge(name, help, 0)
		for _, t := range names {
			if n, ok := of(m.topics[t]); ok {
				p.series(name, n, "topic", t)
			}
		}
	}
	counter("danube_topic_messages_in_total", "Messages published to the topic", func(t *topicMeter) uint64 { return t.messages })
	counter("danube_topic_bytes_in_total", "Bytes of payload published to the topic", func(t *topicMeter) uint64 { return t.bytes })
	counter("danube_producer_send_total", "Messages of producers that were taken", func(t *topicMeter) uint64 { return t.sent }, "result", "ok", "error_code", "OK")
	gauge("danube_topic_active_producers", "Producers of the topic", func(t *topicMeter) (int, bool) { return t.producers, t.produced })
	gauge("danube_topic_active_consumers", "Consumers of the topic", func(t *topicMeter) (int, bool) { return t.consumers, len(t.subs) > 0 })
	gauge("danube_topic_active_subscriptions", "Subscriptions of the topic", func(t *topicMeter) (int, bool) { return t.subscriptions, len(t.subs) > 0 })

	const checked = "danube_schema_validation_total"
	p.begin(checked, "Messages that were checked against the topic's schema", "counter", 0)
	for _, t := range names {
		for policy, n := range m.topics[t].checked {
			if n > 0 {
				p.series(checked, n, "topic", t, "policy", SchemaPolicy(policy).title())
			}
		}
	}
}

func (p *metricsPrinter) subscriptions(m *meters) {
	each := func(show func(s *subMeter, labels []string)) {
		for _, t := range slices.Sorted(maps.Keys(m.topics)) {
			for _, name := range slices.Sorted(maps.Keys(m.topics[t].subs)) {
				show(m.topics[t].subs[name], []string{"topic", t, "subscription", name})
			}
		}
	}
	counter := func(name, help string, all uint64, of func(*subMeter) uint64) {
		p.begin(name, help, "counter", all)
		each(func(s *subMeter, labels []string) {
			if n := of(s); n > 0 {
				p.series(name, n, labels...)
			}
		})
	}
	gauge := func(name, help string, of func(*subMeter) (uint64, bool)) {
		p.gauge(name, help, 0)
		each(func(s *subMeter, labels []string) {
			if n, ok := of(s); ok {
				p.series(name, n, labels...)
			}
		})
	}
	byPolicy := func(name, help string, of func(*subMeter) [3]uint64) {
		p.begin(name, help, "counter", 0)
		each(func(s *subMeter, labels []string) {
			for policy, n := range of(s) {
				if n > 0 {
					p.series(name, n, append(slices.Clone(labels), "poison_policy", Poison(policy).label())...)
				}
			}
		})
	}
	counter("danube_consumer_messages_out_total", "Messages handed to consumers", 0, func(s *subMeter) uint64 { return s.messages })
	counter("danube_consumer_bytes_out_total", "Bytes of payload handed to consumers", 0, func(s *subMeter) uint64 { return s.bytes })
	counter("danube_subscription_nack_total", "Nacks of messages in flight", m.keyNacks, func(s *subMeter) uint64 { return s.nacked })
	counter("danube_subscription_redelivery_total", "Messages that were sent again", m.keyRedelivered, func(s *subMeter) uint64 { return s.redelivered })
	counter("danube_subscription_ack_timeout_total", "Ack timeouts", m.keyTimeouts, func(s *subMeter) uint64 { return s.timeouts })
	byPolicy("danube_subscription_retry_exhausted_total", "Messages that were tried as often as they may be", func(s *subMeter) [3]uint64 { return s.exhausted })
	byPolicy("danube_subscription_dlq_total", "Messages that went to the dead letter topic", func(s *subMeter) [3]uint64 { return s.buried })
	gauge("danube_subscription_active_consumers", "Consumers of the subscription", func(s *subMeter) (uint64, bool) { return uint64(s.consumers), true })
	gauge("danube_subscription_lag_messages", "Messages between the subscription's acks and the end of the topic", func(s *subMeter) (uint64, bool) { return s.lag, s.reports })
	gauge("danube_subscription_pending_redelivery", "Messages that wait to be sent again", func(s *subMeter) (uint64, bool) { return uint64(s.again), s.window })
	gauge("danube_subscription_terminal_blocked", "Exhausted messages that block the subscription", func(s *subMeter) (uint64, bool) { return uint64(s.blocked), s.window })
}

// label is the policy's name in metrics.
func (p Poison) label() string {
	return map[Poison]string{Block: "block", Drop: "drop", DeadLetter: "dead_letter"}[p]
}
