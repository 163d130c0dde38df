package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestConfigsOfTheConnector(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func() ([]ConsumerConfig, error)
		code int
		text string
	}{
		{"none", func() ([]ConsumerConfig, error) { return nil, nil }, 2, "no topic"},
		{"twice", func() ([]ConsumerConfig, error) {
			return []ConsumerConfig{{Topic: "/default/t"}, {Topic: "/default/t"}}, nil
		}, 2, "twice"},
		{"twice, once by default", func() ([]ConsumerConfig, error) {
			return []ConsumerConfig{{Topic: "/default/t"}, {}}, nil
		}, 2, "twice"},
		{"a partition beside its topic", func() ([]ConsumerConfig, error) {
			return []ConsumerConfig{{Topic: "/default/a-part-2", Subscription: "x"}, {Topic: "/default/a"}}, nil
		}, 2, "/default/a and /default/a-part-2 overlap"},
		{"impossible topic", func() ([]ConsumerConfig, error) { return []ConsumerConfig{{Topic: "t"}}, nil }, 2, "topic"},
		{"unknown type", func() ([]ConsumerConfig, error) { return []ConsumerConfig{{Type: "shraed"}}, nil }, 2, "shraed"},
		{"error", func() ([]ConsumerConfig, error) { return nil, errors.New("no routes") }, 1, "no routes"},
		{"panic", func() ([]ConsumerConfig, error) { panic("oh no") }, 1, "oh no"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onProfiles(t, func(t *testing.T, l *lab) {
				l.topic("t", 0)
				sink := topicsSink{&testSink{}, func(context.Context) ([]ConsumerConfig, error) { return tc.make() }}
				err := l.begin(sink).wait()
				if ExitCode(err) != tc.code || !strings.Contains(fmt.Sprint(err), tc.text) {
					t.Errorf("got %v (%d), want %q (%d)", err, ExitCode(err), tc.text, tc.code)
				}
				same(t, "the connector's life", sink.lifetime(), "initialize shutdown")
			})
		})
	}
}

func TestProducerConfigsOfTheConnector(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func() ([]ProducerConfig, error)
		code int
		text string
	}{
		{"none", func() ([]ProducerConfig, error) { return nil, nil }, 2, "no topic"},
		{"twice", func() ([]ProducerConfig, error) {
			return []ProducerConfig{{Topic: "/default/t"}, {Topic: "/default/u"}, {Topic: "/default/t"}}, nil
		}, 2, "twice"},
		{"impossible topic", func() ([]ProducerConfig, error) { return []ProducerConfig{{Topic: "t"}}, nil }, 2, "topic"},
		{"other dispatch", func() ([]ProducerConfig, error) {
			return []ProducerConfig{{Topic: "/default/t", NonReliable: true}}, nil
		}, 2, "dispatch strategy"},
		{"error", func() ([]ProducerConfig, error) { return nil, errors.New("no routes") }, 1, "no routes"},
		{"panic", func() ([]ProducerConfig, error) { panic("oh no") }, 1, "oh no"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				l.topic("t", 0)
				source := declaring{&committing{testSource: &testSource{}}, func(context.Context) ([]ProducerConfig, error) { return tc.make() }}
				err := l.source(source).wait()
				if ExitCode(err) != tc.code || !strings.Contains(fmt.Sprint(err), tc.text) {
					t.Errorf("got %v (%d), want %q (%d)", err, ExitCode(err), tc.text, tc.code)
				}
				same(t, "the connector's life", source.lifetime(), "initialize shutdown")
			})
		})
	}
}

func TestProducerConfigsMakePartitions(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.name("parts")
		source := declaring{&committing{testSource: once()}, func(context.Context) ([]ProducerConfig, error) {
			return []ProducerConfig{{Topic: topic, Partitions: 3}}, nil
		}}
		r := l.source(source).ready()
		check := topicsSink{&testSink{}, func(context.Context) ([]ConsumerConfig, error) {
			return []ConsumerConfig{{Topic: topic}}, nil
		}}
		sink := l.sink(check)
		sink.stopped()
		r.stopped()
		if l.b != nil {
			same(t, "topics", len(l.b.Topics()), 3)
		}
	})
}
