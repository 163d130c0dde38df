package danubetest_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// get reads a page.
func get(t testing.TB, c *http.Client, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
	return string(text)
}

// measured are the series that the scenarios write down.
var measured = []string{
	"topic_messages_in_total", "topic_bytes_in_total", "consumer_messages_out_total", "consumer_bytes_out_total",
	"subscription_nack_total", "subscription_redelivery_total", "subscription_ack_timeout_total",
	"subscription_retry_exhausted_total", "subscription_dlq_total", "schema_validation_total",
	"subscription_lag_messages", "subscription_pending_redelivery", "subscription_terminal_blocked",
	"topic_active_subscriptions", "topic_active_producers",
}

// measure writes down what the broker says of a topic, once the heartbeats have been.
func (l *lab) measure(what, topic string, only ...string) {
	l.sleep(1200 * time.Millisecond)
	if only == nil {
		only = measured
	}
	var got []string
	for _, line := range strings.Split(l.scrape(), "\n") {
		name, rest, ok := strings.Cut(strings.TrimPrefix(line, "danube_"), "{")
		_, rest, _ = strings.Cut(rest, ",") // without the broker
		labels, value, _ := strings.Cut(rest, "} ")
		if ok && slices.Contains(only, name) && strings.Contains(labels, `topic="`+topic+`"`) {
			labels = strings.ReplaceAll(strings.ReplaceAll(labels, `topic="`+topic+`"`, ""), `subscription="s"`, "s")
			got = append(got, name+"{"+strings.Trim(labels, ",")+"} "+value)
		}
	}
	slices.Sort(got)
	l.log("%s: %s", what, strings.Join(got, " | "))
}

const lag, again, blocked = "subscription_lag_messages", "subscription_pending_redelivery", "subscription_terminal_blocked"

// metricScenarios are about what the broker says of itself.
var metricScenarios = []scenario{
	{name: "metrics: lag", run: func(l *lab) {
		if l.scrape == nil || l.topics == nil {
			return
		}
		p := l.ready(l.topic("lag"))
		l.measure("a producer", p.topic)
		p.send("before")
		c := l.open(p.topic, "s", "c", exclusive)
		l.measure("a consumer", p.topic)
		p.send(numbers(0, 5)...)
		c.offsets(5)
		l.measure("5 in flight", p.topic)
		c.ack(1)
		l.measure("the first of 5 acked", p.topic, lag)
		c.ack(3)
		l.measure("one in the middle acked", p.topic, lag)
		c.cancel()
		l.until(func() bool { return l.check(asCons, c.id) == closed })
		p.send(numbers(0, 10)...)
		l.measure("gone, 10 more sent", p.topic, lag, again)
		c = l.open(p.topic, "s", "c", exclusive)
		c.offsets(10)
		l.measure("back", p.topic, lag, again)
		c.ack(2, 4, 5)
		l.measure("acked", p.topic, lag, again)
		c.cancel()
		l.until(func() bool { return l.check(asCons, c.id) == closed })
		l.measure("gone again", p.topic)
		_, err := l.topics.Unsubscribe(l.t.Context(), &adminpb.SubscriptionRequest{Topic: p.topic, Subscription: "s"})
		must(l.t, err)
		p.send("x")
		l.measure("unsubscribed", p.topic)
		_, err = l.topics.DeleteTopic(l.t.Context(), &adminpb.TopicRequest{Name: p.topic})
		must(l.t, err)
		l.until(func() bool { return l.check(asProd, p.id) == closed })
		l.measure("deleted", p.topic)
	}, want: []string{
		`a producer: topic_active_producers{} 1`,
		`a consumer: schema_validation_total{policy="Warn"} 1 | subscription_lag_messages{s} 0 | topic_active_producers{} 1 | topic_active_subscriptions{} 1 | topic_bytes_in_total{} 6 | topic_messages_in_total{} 1`,
		`5 in flight: consumer_bytes_out_total{s} 5 | consumer_messages_out_total{s} 5 | schema_validation_total{policy="Warn"} 6 | subscription_lag_messages{s} 0 | subscription_pending_redelivery{s} 0 | subscription_terminal_blocked{s} 0 | topic_active_producers{} 1 | topic_active_subscriptions{} 1 | topic_bytes_in_total{} 11 | topic_messages_in_total{} 6`,
		`the first of 5 acked: subscription_lag_messages{s} 4`,
		`one in the middle acked: subscription_lag_messages{s} 4`,
		`gone, 10 more sent: subscription_lag_messages{s} 14 | subscription_pending_redelivery{s} 3`,
		`back: subscription_lag_messages{s} 14 | subscription_pending_redelivery{s} 0`,
		`acked: subscription_lag_messages{s} 10 | subscription_pending_redelivery{s} 0`,
		`gone again: consumer_bytes_out_total{s} 18 | consumer_messages_out_total{s} 18 | schema_validation_total{policy="Warn"} 16 | subscription_lag_messages{s} 10 | subscription_pending_redelivery{s} 10 | subscription_redelivery_total{s} 3 | subscription_terminal_blocked{s} 0 | topic_active_producers{} 1 | topic_active_subscriptions{} 1 | topic_bytes_in_total{} 21 | topic_messages_in_total{} 16`,
		`unsubscribed: consumer_bytes_out_total{s} 18 | consumer_messages_out_total{s} 18 | schema_validation_total{policy="Warn"} 17 | subscription_lag_messages{s} 10 | subscription_pending_redelivery{s} 10 | subscription_redelivery_total{s} 3 | subscription_terminal_blocked{s} 0 | topic_active_producers{} 1 | topic_active_subscriptions{} 0 | topic_bytes_in_total{} 22 | topic_messages_in_total{} 17`,
		`deleted: consumer_bytes_out_total{s} 18 | consumer_messages_out_total{s} 18 | schema_validation_total{policy="Warn"} 17 | subscription_lag_messages{s} 10 | subscription_pending_redelivery{s} 10 | subscription_redelivery_total{s} 3 | subscription_terminal_blocked{s} 0 | topic_active_producers{} 0 | topic_active_subscriptions{} 0 | topic_bytes_in_total{} 22 | topic_messages_in_total{} 17`,
	}},

	{name: "metrics: failures", run: func(l *lab) {
		if l.scrape == nil || l.topics == nil {
			return
		}
		dead := l.topic("dead")
		l.ready(dead)
		for i, poison := range []adminpb.SubscriptionPoisonPolicy{
			adminpb.SubscriptionPoisonPolicy_Block, adminpb.SubscriptionPoisonPolicy_Drop, adminpb.SubscriptionPoisonPolicy_DeadLetter,
		} {
			p := l.ready(l.topic(strings.ToLower(poison.String())))
			policy := &adminpb.SubscriptionFailurePolicy{MaxRedeliveryCount: 1, AckTimeoutMs: 1000, BaseRedeliveryDelayMs: 1, MaxRedeliveryDelayMs: 1, PoisonPolicy: poison}
			if poison == adminpb.SubscriptionPoisonPolicy_DeadLetter {
				policy.DeadLetterTopic = &dead
			}
			_, err := l.topics.SetSubscriptionFailurePolicy(l.t.Context(), &adminpb.SetSubscriptionFailurePolicyRequest{Topic: p.topic, Subscription: "s", FailurePolicy: policy})
			must(l.t, err)
			c := l.open(p.topic, "s", "c", []pb.ConsumerRequest_SubscriptionType{exclusive, shared, exclusive}[i])
			p.send("0")
			c.offsets(1)
			c.nack(0, 0)
			c.offsets(1) // a second time
			l.sleep(2 * time.Second)
			p.send("1")
			if poison != adminpb.SubscriptionPoisonPolicy_Block {
				c.ack(c.offsets(1)...)
			}
			l.measure(poison.String(), p.topic)
		}
		l.measure("the dead letters", dead, "topic_messages_in_total", "topic_bytes_in_total", "producer_send_total")
	}, want: []string{
		`Block: consumer_bytes_out_total{s} 2 | consumer_messages_out_total{s} 2 | schema_validation_total{policy="Warn"} 2 | subscription_ack_timeout_total{s} 1 | subscription_lag_messages{s} 0 | subscription_nack_total{s} 1 | subscription_pending_redelivery{s} 0 | subscription_redelivery_total{s} 1 | subscription_retry_exhausted_total{s,poison_policy="block"} 1 | subscription_terminal_blocked{s} 1 | topic_active_producers{} 1 | topic_active_subscriptions{} 1 | topic_bytes_in_total{} 2 | topic_messages_in_total{} 2`,
		`Drop: consumer_bytes_out_total{s} 3 | consumer_messages_out_total{s} 3 | schema_validation_total{policy="Warn"} 2 | subscription_ack_timeout_total{s} 1 | subscription_lag_messages{s} 0 | subscription_nack_total{s} 1 | subscription_pending_redelivery{s} 0 | subscription_redelivery_total{s} 1 | subscription_retry_exhausted_total{s,poison_policy="drop"} 1 | subscription_terminal_blocked{s} 0 | topic_active_producers{} 1 | topic_active_subscriptions{} 1 | topic_bytes_in_total{} 2 | topic_messages_in_total{} 2`,
		`DeadLetter: consumer_bytes_out_total{s} 3 | consumer_messages_out_total{s} 3 | schema_validation_total{policy="Warn"} 2 | subscription_ack_timeout_total{s} 1 | subscription_dlq_total{s,poison_policy="dead_letter"} 1 | subscription_lag_messages{s} 0 | subscription_nack_total{s} 1 | subscription_pending_redelivery{s} 0 | subscription_redelivery_total{s} 1 | subscription_retry_exhausted_total{s,poison_policy="dead_letter"} 1 | subscription_terminal_blocked{s} 0 | topic_active_producers{} 1 | topic_active_subscriptions{} 1 | topic_bytes_in_total{} 2 | topic_messages_in_total{} 2`,
		`the dead letters: producer_send_total{result="ok",error_code="OK"} 1 | topic_bytes_in_total{} 1 | topic_messages_in_total{} 1`,
	}},

	{name: "metrics: types", run: func(l *lab) {
		if l.scrape == nil {
			return
		}
		for typ := pb.ConsumerRequest_Shared; typ <= pb.ConsumerRequest_KeyShared; typ++ {
			p := l.ready(l.topic("metered" + typ.String()))
			c := l.open(p.topic, "s", "c", typ)
			p.send(numbers(0, 30)...)
			l.measure(typ.String(), p.topic, lag, again, blocked)
			c.ack(c.offsets(1)...)
			l.measure("the first acked", p.topic, lag, again, blocked)
		}
		loose := l.topic("meteredloose")
		var p *producer
		l.until(func() bool {
			r, err := l.producers.CreateProducer(l.t.Context(), &pb.ProducerRequest{TopicName: loose, ProducerName: "p"})
			p = &producer{s: l.stubs, id: r.GetProducerId(), topic: loose, name: "p"}
			return err == nil
		})
		p.send("nobody")
		l.open(loose, "s", "c", exclusive)
		p.send("0", "1")
		l.measure("NonReliable", loose)
		l.measure("sent", loose, "producer_send_total")
	}, want: []string{
		`Shared: subscription_lag_messages{s} 0 | subscription_pending_redelivery{s} 0 | subscription_terminal_blocked{s} 0`,
		`the first acked: subscription_lag_messages{s} 29 | subscription_pending_redelivery{s} 0 | subscription_terminal_blocked{s} 0`,
		`Failover: subscription_lag_messages{s} 0 | subscription_pending_redelivery{s} 0 | subscription_terminal_blocked{s} 0`,
		`the first acked: subscription_lag_messages{s} 29 | subscription_pending_redelivery{s} 0 | subscription_terminal_blocked{s} 0`,
		`KeyShared: subscription_lag_messages{s} 0`,
		`the first acked: subscription_lag_messages{s} 29`,
		`NonReliable: consumer_bytes_out_total{s} 2 | consumer_messages_out_total{s} 2 | schema_validation_total{policy="Warn"} 3 | topic_active_producers{} 1 | topic_active_subscriptions{} 1 | topic_bytes_in_total{} 8 | topic_messages_in_total{} 3`,
		`sent: producer_send_total{result="ok",error_code="OK"} 3`,
	}},
}
