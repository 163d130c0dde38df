package connect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// letter is a dead letter as a test finds it in a topic or in a file.
type letter struct {
	Headers    map[string]string
	Attributes map[string]string
	Key        string
	Payload    string
}

// deadTopic makes a sink send dead letters to the lab's topic dead.
func (l *lab) deadTopic(c *Config) { c.DeadLetterTopic = l.name("dead") }

// letters reads the next n dead letters of a topic, as a tool would.
func (l *lab) letters(topic string, n int) (list []*danube.Message) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	c, err := l.client.NewConsumer(ctx, danube.ConsumerConfig{Topic: topic, Subscription: deadLetterSubscription, Name: "reader", Type: danube.Shared})
	l.must(err)
	for range n {
		m, err := c.Receive(ctx)
		l.must(err)
		l.must(c.Ack(m))
		list = append(list, m)
	}
	l.must(c.Close(ctx))
	return list
}

// filed reads a file of dead letters.
func filed(t *testing.T, path string) (list []letter) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	for line := range bytes.Lines(data) {
		var f letter
		must(t, json.Unmarshal(line, &f))
		list = append(list, f)
	}
	return list
}

func TestSinkDeadLetterKeepsTheRecordAndSaysWhy(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		path := filepath.Join(t.TempDir(), "dead.jsonl")
		sink := fails("bad", fmt.Errorf("column 3: %w", InvalidDataf("no such customer")))
		r := l.sink(sink, l.deadTopic, func(c *Config) { c.DeadLetterFile = path })
		ctx := t.Context()
		p, err := l.client.NewProducer(ctx, danube.ProducerConfig{Topic: topic, Name: "publisher"})
		l.must(err)
		attributes := map[string]string{"trace": "12", "empty": ""}
		out := &danube.Outgoing{Payload: []byte("bad"), Key: "k", Attributes: attributes, Schema: &danube.SchemaID{ID: 7, Version: 2}, PublishTime: time.UnixMilli(1e12)}
		before := time.Now()
		receipt, err := p.Send(ctx, out)
		l.must(err)
		_, err = p.Send(ctx, &danube.Outgoing{Payload: []byte("good")})
		l.must(err)
		l.until("both dealt with", func() bool { return r.metric("messages_processed_total") == 1 })
		r.stopped()
		l.must(p.Close(ctx))
		same(t, "dead-lettered", r.metric("messages_dead_lettered_total"), 1)
		same(t, "failed", r.metric("messages_failed_total", "error_type=invalid_data"), 1)
		same(t, "in flight", r.metric("inflight_messages"), 0)
		if l.b != nil {
			l.b.CheckNoUnacked(t, topic, "s")
		}

		m := l.letters(l.name("dead"), 1)[0]
		same(t, "payload", string(m.Payload), "bad")
		same(t, "key", m.Key, "k")
		same(t, "schema", *m.Schema, danube.SchemaID{ID: 7, Version: 2})
		f := filed(t, path)[0]
		same(t, "in the file", f.Payload+" "+f.Key, "bad k")
		same(t, "attributes in the file", f.Attributes, attributes)
		for name, want := range map[string]string{
			"trace": "12", "empty": "",
			"x-original-topic": topic, "x-original-subscription": "s", "x-original-topic-offset": "0", "x-poison-policy": "dead_letter",
			"x-delivery-attempt": "1", "x-failure-reason": "column 3: invalid data: no such customer",
			"x-connect-connector": "c", "x-connect-stage": "process", "x-connect-error-class": "invalid_data",
			"x-connect-original-partition": "-1", "x-connect-original-producer": "publisher",
			"x-connect-original-request-id": fmt.Sprint(receipt.RequestID), "x-connect-original-publish-time": "2001-09-09T01:46:40Z",
		} {
			if got, there := m.Attributes[name]; got != want || !there {
				t.Errorf("attribute %s: got %q, want %q", name, got, want)
			}
			if got := f.Headers[name]; strings.HasPrefix(name, "x-") && got != want {
				t.Errorf("header %s in the file: got %q, want %q", name, got, want)
			}
		}
		for _, name := range []string{"x-connect-first-failure", "x-connect-last-failure"} {
			at, err := time.Parse(time.RFC3339Nano, m.Attributes[name])
			if err != nil || at.Before(before) || at.After(time.Now()) {
				t.Errorf("attribute %s: got %q", name, m.Attributes[name])
			}
		}
		for _, name := range []string{"x-original-producer-id", "x-original-broker-addr"} {
			if m.Attributes[name] == "" {
				t.Errorf("attribute %s is missing", name)
			}
		}
		same(t, "attributes", len(m.Attributes), len(attributes)+len(f.Headers))
	})
}

func TestSinkDeadLetterClasses(t *testing.T) {
	for _, tc := range []struct {
		name, class string
		attempts    string
		fail        func() error
	}{
		{"invalid data", "invalid_data", "1", func() error { return InvalidDataf("no") }},
		{"panic", "panic", "1", func() error { panic("oh no") }},
		{"retries used up", "retryable", "3", func() error { return errors.New("no") }},
		{"asks for more time than there is", "retryable", "1", func() error { return RetryableAfter(errors.New("no"), time.Hour) }},
	} {
		for _, batches := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, batches %v", tc.name, batches), func(t *testing.T) {
				onProfiles(t, func(t *testing.T, l *lab) {
					topic := l.topic("t", 0)
					sink := &testSink{process: func(_ context.Context, p processed) error {
						if p.payload == "3" {
							return tc.fail()
						}
						return nil
					}}
					var c SinkConnector = sink
					if batches {
						c = FromBatch(inBatches{sink})
					}
					r := l.sink(c, l.deadTopic, func(c *Config) { c.MaxRetries = new(2) })
					l.publish(topic, numbers(1, 6)...)
					l.must(l.b.WaitAcked(t.Context(), topic, "s", 6))
					r.stopped()
					l.b.CheckPayloads(t, l.name("dead"), "3")
					m := l.b.Messages(l.name("dead"))[0]
					same(t, "class", m.Attributes["x-connect-error-class"], tc.class)
					same(t, "attempts", m.Attributes["x-delivery-attempt"], tc.attempts)
					same(t, "failed", r.metric("messages_failed_total", "error_type="+tc.class), tc.attempts)
					same(t, "processed", r.metric("messages_processed_total"), 5)
					same(t, "in flight", r.metric("inflight_messages"), 0)
				})
			})
		}
	}
}

// inBatches makes a batch connector that fails records by name as Process does.
type inBatches struct{ *testSink }

func (s inBatches) ProcessBatch(ctx context.Context, b *Batch) error {
	for _, rec := range b.Records() {
		if err := protect(func() error { return s.Process(ctx, rec) }); err != nil {
			if err := b.Fail(rec, err); err != nil {
				return Fatal(err)
			}
		}
	}
	return nil
}

// whole makes a batch connector that only says that a batch failed.
type whole struct{ *testSink }

func (s whole) ProcessBatch(ctx context.Context, b *Batch) error {
	for _, rec := range b.Records() {
		if err := s.process(ctx, processed{rec: rec, payload: string(rec.Payload())}); err != nil {
			return err
		}
	}
	for _, rec := range b.Records() {
		s.enter(rec)
	}
	return nil
}

// Of a batch that fails as a whole, the record that spoils it is found, whatever the
// kind of its error.
func TestSinkDeadLetterOfABatchIsOnlyThePoisonRecord(t *testing.T) {
	for _, tc := range []struct {
		name string
		fail func() error
	}{
		{"invalid data", func() error { return InvalidDataf("no") }},
		{"panic", func() error { panic("oh no") }},
		{"retryable", func() error { return errors.New("constraint violated") }},
	} {
		for _, bad := range []string{"1", "4", "9"} {
			t.Run(tc.name+" "+bad, func(t *testing.T) {
				onProfiles(t, func(t *testing.T, l *lab) {
					topic := l.topic("t", 0)
					sink := &testSink{process: func(_ context.Context, p processed) error {
						if p.payload == bad {
							return tc.fail()
						}
						return nil
					}}
					r := l.sink(FromBatch(whole{sink}), l.deadTopic, func(c *Config) { c.BatchSize = 8 })
					l.publish(topic, numbers(1, 12)...)
					l.must(l.b.WaitAcked(t.Context(), topic, "s", 12))
					r.stopped()
					l.b.CheckPayloads(t, l.name("dead"), bad)
					want := slices.DeleteFunc(numbers(1, 12), func(s string) bool { return s == bad })
					same(t, "written", sink.payloads(), want)
				})
			})
		}
	}
}
