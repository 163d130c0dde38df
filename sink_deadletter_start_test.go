package connect

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// startSink runs a sink that is not expected to get ready.
func (l *lab) startSink(c SinkConnector, change ...func(*Config)) *run {
	rt := l.newSink(c, l.config(change...))
	return l.start(rt.core, rt.Run)
}

func TestSinkDeadLetterFileThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{"a directory": dir, "in no directory": filepath.Join(dir, "none", "dead.jsonl")} {
		t.Run(name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				l.topic("t", 0)
				err := l.startSink(&testSink{}, func(c *Config) { c.DeadLetterFile = path }).wait()
				same(t, "exit code", ExitCode(err), 2)
				if err == nil || !strings.Contains(err.Error(), path) {
					t.Errorf("%v does not name the file", err)
				}
				same(t, "consumers", len(l.b.Consumers()), 0)
			})
		})
	}
	t.Run("nobody wants it", func(t *testing.T) {
		onFake(t, func(t *testing.T, l *lab) {
			l.topic("t", 0)
			path := filepath.Join(dir, "unused")
			l.sink(&testSink{}, func(c *Config) { c.DeadLetterFile, c.OnError = path, OnErrorSkip }).stopped()
			if _, err := os.Stat(path); !os.IsNotExist(err) {
				t.Errorf("the file was made although on_error is skip (%v)", err)
			}
		})
	})
}

func TestSinkDeadLettersMustNotComeBack(t *testing.T) {
	routes := func(configs ...ConsumerConfig) SinkConnector {
		return topicsSink{&testSink{}, func(context.Context) ([]ConsumerConfig, error) { return configs, nil }}
	}
	for _, tc := range []struct {
		name   string
		sink   SinkConnector
		change func(*Config)
	}{
		{"its own topic", routes(ConsumerConfig{Topic: "/default/a"}), func(c *Config) { c.DeadLetterTopic = "/default/a" }},
		{"another topic that it reads", routes(ConsumerConfig{Topic: "/default/a"}, ConsumerConfig{Topic: "/default/b", OnError: OnErrorSkip}), func(c *Config) { c.DeadLetterTopic = "/default/b" }},
		{"a partition of its topic", routes(ConsumerConfig{Topic: "/default/a"}), func(c *Config) { c.DeadLetterTopic = "/default/a-part-3" }},
		{"by the default name", routes(ConsumerConfig{Topic: "/default/a"}, ConsumerConfig{Topic: "/default/dlq_s_a"}), func(c *Config) { c.OnError = OnErrorDeadLetter }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onProfiles(t, func(t *testing.T, l *lab) {
				err := l.startSink(tc.sink, tc.change).wait()
				same(t, "exit code", ExitCode(err), 2)
				if err == nil || !strings.Contains(err.Error(), "come back for ever") {
					t.Errorf("got %v", err)
				}
				same(t, "consumers", len(l.b.Consumers()), 0)
				same(t, "topics", len(l.b.Topics()), 0)
			})
		})
	}
	t.Run("in the configuration", func(t *testing.T) {
		onProfiles(t, func(t *testing.T, l *lab) {
			_, err := NewSinkRuntime(&testSink{}, l.options(l.config(func(c *Config) { c.DeadLetterTopic = c.SourceTopic }))...)
			var problems ConfigErrors
			if !errors.As(err, &problems) || problems[0].Key != "dead_letter_topic" {
				t.Errorf("got %v", err)
			}
		})
	})
	t.Run("a name that only begins so", func(t *testing.T) {
		onProfiles(t, func(t *testing.T, l *lab) {
			l.topic("t", 0)
			l.sink(&testSink{}, func(c *Config) { c.DeadLetterTopic = "/default/t-part-x" }).stopped()
		})
	})
}

func TestSinkDeadLetterTopicByDefault(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 3)
		r := l.sink(fails("2", InvalidDataf("no")), func(c *Config) { c.OnError = OnErrorDeadLetter })
		// There at the start, and a reader's subscription with it.
		sub, there := l.b.Subscription("/default/dlq_s_t", deadLetterSubscription)
		if !there || sub.Type != danubetest.Shared {
			t.Errorf("subscription %v %+v", there, sub)
		}
		l.publish(topic, numbers(1, 3)...)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 3))
		r.stopped()
		l.b.CheckPayloads(t, "/default/dlq_s_t", "2")
		sub, _ = l.b.Subscription("/default/dlq_s_t", deadLetterSubscription)
		same(t, "for whoever reads it", sub.Pending, 1)
	})
}

func TestSinkDefaultPolicy(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Config)
		dead   bool
	}{
		{"no target", func(*Config) {}, false},
		{"a topic", func(c *Config) { c.DeadLetterTopic = "/default/dead" }, true},
		{"a file", func(c *Config) { c.DeadLetterFile = "FILE" }, true},
		{"both", func(c *Config) { c.DeadLetterTopic, c.DeadLetterFile = "/default/dead", "FILE" }, true},
		{"by name", func(c *Config) { c.OnError, c.DeadLetterFile = OnErrorAuto, "FILE" }, true},
		{"stop although there is one", func(c *Config) { c.OnError, c.DeadLetterTopic = OnErrorStop, "/default/dead" }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				path := filepath.Join(t.TempDir(), "dead.jsonl")
				r := l.sink(fails("1", InvalidDataf("no")), tc.change, func(c *Config) {
					if c.DeadLetterFile != "" {
						c.DeadLetterFile = path
					}
				})
				l.publish(topic, "1", "2")
				if !tc.dead {
					same(t, "exit code", ExitCode(r.wait()), 5)
					same(t, "acked", l.acked(), 0)
					return
				}
				l.must(l.b.WaitAcked(t.Context(), topic, "s", 2))
				file, inTopic := r.cfg.DeadLetterFile != "", r.cfg.DeadLetterTopic != ""
				r.stopped()
				if file {
					same(t, "in the file", len(filed(t, path)), 1)
				}
				if inTopic {
					l.b.CheckPayloads(t, "/default/dead", "1")
				}
				if _, there := l.b.Subscription("/default/dlq_s_t", deadLetterSubscription); there {
					t.Error("the default topic was made beside the target")
				}
			})
		})
	}
}

// Topics may have policies of their own.
func TestSinkPolicyOfOneTopic(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		a, b := l.topic("a", 0), l.topic("b", 0)
		sink := topicsSink{fails("bad", InvalidDataf("no")), func(context.Context) ([]ConsumerConfig, error) {
			return []ConsumerConfig{{Topic: a, OnError: OnErrorSkip}, {Topic: b, OnError: OnErrorAuto}}, nil
		}}
		r := l.sink(sink, l.deadTopic)
		l.publish(a, "bad", "good")
		l.publish(b, "bad", "good")
		l.must(l.b.WaitAcked(t.Context(), a, "s", 2))
		l.must(l.b.WaitAcked(t.Context(), b, "s", 2))
		r.stopped()
		same(t, "skipped", r.metric("messages_skipped_total", "topic="+a), 1)
		same(t, "dead-lettered", r.metric("messages_dead_lettered_total", "topic="+b), 1)
		same(t, "dead letters", len(l.b.Messages(l.name("dead"))), 1)
	})
}

func TestSinkTopicOfItsOwnThatIsNone(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		sink := topicsSink{&testSink{}, func(context.Context) ([]ConsumerConfig, error) { return []ConsumerConfig{{Topic: "orders"}}, nil }}
		err := l.startSink(sink, func(c *Config) { c.OnError = OnErrorDeadLetter }).wait()
		same(t, "exit code", ExitCode(err), 2)
		if err == nil || !strings.Contains(err.Error(), `"orders"`) {
			t.Errorf("got %v", err)
		}
	})
}

// One route that can never be opened ends the wait of the others.
func TestSinkRouteThatCannotBeOpened(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		a := l.topic("a", 0)
		l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSubscribe}, Topic: a, Err: errDenied})
		sink := topicsSink{&testSink{}, func(context.Context) ([]ConsumerConfig, error) {
			return []ConsumerConfig{{Topic: l.name("missing")}, {Topic: a}}, nil
		}}
		start := time.Now()
		err := l.startSink(sink).wait()
		same(t, "exit code", ExitCode(err), 2)
		if !strings.Contains(err.Error(), a) || time.Since(start) > time.Minute {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}
