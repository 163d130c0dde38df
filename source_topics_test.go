package connect

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// declaring is a source that declares its topics.
type declaring struct {
	*committing
	configs func(context.Context) ([]ProducerConfig, error)
}

func (s declaring) ProducerConfigs(ctx context.Context) ([]ProducerConfig, error) {
	return s.configs(ctx)
}

func topics(names ...string) func(context.Context) ([]ProducerConfig, error) {
	return func(context.Context) ([]ProducerConfig, error) {
		var list []ProducerConfig
		for _, n := range names {
			list = append(list, ProducerConfig{Topic: n})
		}
		return list, nil
	}
}

func TestSourceBadRecordsGoByPolicy(t *testing.T) {
	huge := string(make([]byte, 5<<20))
	for _, tc := range []struct {
		name   string
		bad    func(l *lab) *SourceRecord
		policy ErrorPolicy
	}{
		{"undeclared topic, stop", func(l *lab) *SourceRecord { return FromString(l.name("other"), "bad") }, OnErrorStop},
		{"undeclared topic, skip", func(l *lab) *SourceRecord { return FromString(l.name("other"), "bad") }, OnErrorSkip},
		{"oversized, stop", func(*lab) *SourceRecord { return FromString("", huge) }, OnErrorStop},
		{"oversized, skip", func(*lab) *SourceRecord { return FromString("", huge) }, OnErrorSkip},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				source := declaring{&committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
					if n > 1 {
						return nil, io.EOF
					}
					list := offsets("p", 1, 3)
					return slices.Insert(list, 1, tc.bad(l).WithOffset(Offset{"p", "bad"})), nil
				}}}, topics(topic)}
				r := l.source(source, func(c *Config) { c.OnError = tc.policy })
				err := r.wait()
				same(t, "failed", r.metric("messages_failed_total", "error_type=invalid_data"), 1)
				same(t, "in flight", r.metric("inflight_messages"), 0)
				if tc.policy == OnErrorStop {
					same(t, "exit code", ExitCode(err), 5)
					if !IsInvalidData(err) {
						t.Errorf("%v is not invalid data", err)
					}
					same(t, "committed", source.all(), "[p@1]")
					same(t, "skipped", r.metric("messages_skipped_total"), 0)
					if strings.HasPrefix(tc.name, "undeclared") {
						l.b.CheckPayloads(t, topic, "p1") // what is behind it comes at the next start
					}
					return
				}
				l.must(err)
				same(t, "committed", source.all(), "[p@1 p@bad p@2 p@3]")
				same(t, "skipped", r.metric("messages_skipped_total"), 1)
				same(t, "processed", r.metric("messages_processed_total"), 3)
				l.b.CheckPayloads(t, topic, "p1", "p2", "p3")
			})
		})
	}
}

func TestSourceOpensTopicsAsRecordsName(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		a, b := l.topic("a", 0), l.topic("größe", 0)
		check := topicsSink{&testSink{}, func(context.Context) ([]ConsumerConfig, error) {
			return []ConsumerConfig{{Topic: a}, {Topic: b}}, nil
		}}
		sink := l.sink(check)
		source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			return []*SourceRecord{FromString(a, "1"), FromString(b, "2"), FromString(a, "3")}, io.EOF
		}}
		r := l.source(source, func(c *Config) { c.DestinationTopic = a })
		if err := r.wait(); err != nil {
			t.Errorf("Run: %v", err)
		}
		l.until("all arrived", func() bool { return len(check.seen()) == 3 })
		sink.stopped()
		got := map[string]string{}
		for _, c := range check.seen() {
			got[c.rec.Topic()] += c.payload
		}
		same(t, "arrived at a", got[a], "13")
		same(t, "arrived at b", got[b], "2")
		same(t, "processed for b", r.metric("messages_processed_total", "topic="+b), 1)
	})
}

func TestSourceUndeclaredTopics(t *testing.T) {
	for _, tc := range []struct {
		policy   TopicPolicy
		declares bool
		created  bool
	}{
		{TopicsAuto, false, true}, {TopicsAuto, true, false}, {"", true, false},
		{TopicsCreate, false, true}, {TopicsCreate, true, true},
		{TopicsRefuse, false, false}, {TopicsRefuse, true, false},
	} {
		t.Run(fmt.Sprintf("%q, declares %v", tc.policy, tc.declares), func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				var source SourceConnector = between(FromString("/default/other", "bad"))
				if tc.declares {
					source = declaring{source.(*committing), topics(topic)}
				}
				r := l.source(source, func(c *Config) { c.UndeclaredTopics, c.OnError = tc.policy, OnErrorSkip })
				l.must(r.wait())
				l.b.CheckPayloads(t, topic, "p1", "p2", "p3", "p4")
				same(t, "skipped", r.metric("messages_skipped_total") == 0, tc.created)
				same(t, "in the other topic", len(l.b.Messages("/default/other")) == 1, tc.created)
			})
		})
	}
}

// A topic's name may come from the data: a bad one is the record's fault, and must
// not leave a series behind.
func TestSourceRecordWithAnImpossibleTopicIsBad(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			return []*SourceRecord{FromString("no/slash at all", "1"), FromString("", "2")}, io.EOF
		}}
		r := l.source(source, func(c *Config) { c.OnError = OnErrorSkip })
		if err := r.wait(); err != nil {
			t.Errorf("Run: %v", err)
		}
		same(t, "skipped", r.metric("messages_skipped_total"), 1)
		families, err := r.registry.Gather()
		l.must(err)
		if strings.Contains(fmt.Sprint(families), "no/slash") {
			t.Error("the bad topic is a label")
		}
		l.b.CheckPayloads(t, l.name("t"), "2")
	})
}

func TestSourceKeysChoosePartitions(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		l.topic("t", 4)
		check := &testSink{}
		sink := l.sink(check)
		source := &testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			var list []*SourceRecord
			for i := range 100 {
				list = append(list, FromString("", fmt.Sprint(i)).WithKey(fmt.Sprint("k", i%10)))
			}
			return list, io.EOF
		}}
		if err := l.source(source).wait(); err != nil {
			t.Errorf("Run: %v", err)
		}
		l.until("all arrived", func() bool { return len(check.seen()) == 100 })
		sink.stopped()
		partition, last := map[string]int32{}, map[string]int{}
		for _, c := range check.seen() {
			key, n := c.rec.Key(), 0
			_, err := fmt.Sscan(c.payload, &n)
			l.must(err)
			if p, ok := partition[key]; ok && p != c.rec.Partition() {
				t.Errorf("key %s is in partitions %d and %d", key, p, c.rec.Partition())
			}
			if l, ok := last[key]; ok && l > n {
				t.Errorf("key %s: %d came after %d", key, n, l)
			}
			partition[key], last[key] = c.rec.Partition(), n
		}
		if len(partition) != 10 {
			t.Errorf("%d keys, want 10", len(partition))
		}
	})
}
