package connect

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// between is a source that commits, of good records with the given ones among them.
func between(bad ...*SourceRecord) *committing {
	return &committing{testSource: &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
		if n > 1 {
			return nil, io.EOF
		}
		list := offsets("p", 1, 2)
		for i, r := range bad {
			list = append(list, r.WithOffset(Offset{"p", fmt.Sprint("bad", i)}))
		}
		return append(list, offsets("p", 3, 4)...), nil
	}}}
}

func TestSourceDeadLetterKeepsTheRecordAndSaysWhy(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		check := &testSink{}
		sink := l.sink(check)
		path := filepath.Join(t.TempDir(), "dead.jsonl")
		undeclared := FromString(l.name("other"), "undeclared").WithKey("k").WithAttribute("a", "1")
		noText := FromString("", "no text").WithKey("k\xff").WithAttribute("b", "\xfe").WithAttribute("c", "3")
		before := time.Now()
		source := declaring{between(undeclared, noText), topics(topic)}
		r := l.source(source, l.deadTopic, func(c *Config) { c.DeadLetterFile = path })
		l.must(r.wait())
		same(t, "committed", source.all(), "[p@1 p@2 p@bad0 p@bad1 p@3 p@4]")
		same(t, "dead letters", r.metric("messages_dead_lettered_total"), 2)
		same(t, "failed", r.metric("messages_failed_total", "error_type=invalid_data"), 2)
		same(t, "processed", r.metric("messages_processed_total"), 4)
		if n := l.log.count("a record is among the dead letters", "offset=p@bad0"); n != 1 {
			t.Errorf("%d lines of the log name the record, want 1", n)
		}
		l.until("all arrived", func() bool { return len(check.seen()) == 4 })
		sink.stopped()

		file := filed(t, path)
		stored := l.letters(l.name("dead"), 2)
		if len(file) != 2 {
			t.Fatalf("%d dead letters in the file, want 2", len(file))
		}
		slices.SortFunc(stored, func(a, b *danube.Message) int { // by the record
			return strings.Compare(a.Attributes[danube.AttrSource], b.Attributes[danube.AttrSource])
		})
		same(t, "payload", file[0].Payload, "undeclared")
		same(t, "key", file[0].Key, "k")
		same(t, "payload in the topic", string(stored[0].Payload), "undeclared")
		same(t, "key in the topic", stored[0].Key, "k")
		same(t, "the record's own attribute", file[0].Attributes["a"]+stored[0].Attributes["a"], "11")
		same(t, "payload", file[1].Payload+" "+string(stored[1].Payload), "no text no text")
		same(t, "key in the topic", stored[1].Key, "")
		same(t, "attributes that are text", file[1].Attributes, map[string]string{"c": "3"})
		b64 := base64.StdEncoding.EncodeToString
		want := []map[string]string{{
			"x-original-topic": l.name("other"), "x-connect-source": "c/p@bad0#0", "x-connect-stage": "topic", "x-delivery-attempt": "0",
		}, {
			"x-original-topic": topic, "x-connect-source": "c/p@bad1#0", "x-connect-stage": "publish", "x-delivery-attempt": "0",
			"x-connect-original-key-base64":        b64([]byte("k\xff")),
			"x-connect-original-attributes-base64": b64([]byte("b")) + ":" + b64([]byte("\xfe")),
		}}
		for i, headers := range want {
			headers["x-connect-connector"], headers["x-connect-error-class"], headers["x-poison-policy"] = "c", "invalid_data", "dead_letter"
			for name, value := range headers {
				same(t, fmt.Sprint(name, " of ", i), file[i].Headers[name], value)
				same(t, fmt.Sprint(name, " of ", i, " in the topic"), stored[i].Attributes[name], value)
			}
			for _, name := range []string{"x-original-subscription", "x-original-topic-offset", "x-original-broker-addr"} {
				if v, ok := file[i].Headers[name]; ok {
					t.Errorf("a source's letter has %s = %q", name, v)
				}
			}
			failed, err := time.Parse(time.RFC3339Nano, file[i].Headers["x-connect-last-failure"])
			if err != nil || failed.Before(before.Truncate(time.Second)) {
				t.Errorf("failed at %v (%v)", failed, err)
			}
		}
		same(t, "reason", strings.Contains(file[0].Headers["x-failure-reason"], "declared"), true)
	})
}

// A topic takes what other topics take, so a record that is too large needs the file.
func TestSourceDeadLetterOfARecordThatIsTooLarge(t *testing.T) {
	huge := func() *SourceRecord { return NewRecord("", make([]byte, 5<<20)) }
	t.Run("with a file", func(t *testing.T) {
		onFake(t, func(t *testing.T, l *lab) {
			topic := l.topic("t", 0)
			path := filepath.Join(t.TempDir(), "dead.jsonl")
			source := between(huge())
			l.must(l.source(source, l.deadTopic, func(c *Config) { c.DeadLetterFile = path }).wait())
			file := filed(t, path)
			same(t, "letters", len(file), 1)
			same(t, "bytes", len(file[0].Payload), 5<<20)
			for _, size := range []string{fmt.Sprint(4 << 20), fmt.Sprint(5 << 20)} {
				if !strings.Contains(file[0].Headers["x-failure-reason"], size) {
					t.Errorf("the reason %q does not name %s", file[0].Headers["x-failure-reason"], size)
				}
			}
			same(t, "committed", source.last("p"), "p@4")
			same(t, "in the topic", len(l.b.Messages(l.name("dead"))), 0)
			l.b.CheckPayloads(t, topic, "p1", "p2", "p3", "p4")
		})
	})
	t.Run("with a topic only", func(t *testing.T) {
		onFake(t, func(t *testing.T, l *lab) {
			l.topic("t", 0)
			source := between(huge())
			err := l.source(source, l.deadTopic).wait()
			same(t, "exit code", ExitCode(err), 5)
			if !errors.Is(err, danube.ErrTooLarge) || !strings.Contains(fmt.Sprint(err), "dead_letter_file") {
				t.Errorf("%v does not name the way out", err)
			}
			same(t, "committed", source.last("p"), "p@2")
		})
	})
}

// Nothing is committed past a record whose dead letter is not stored.
func TestSourceDeadLetterThatWaits(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		f := publishes(danubetest.Fault{Hang: true})
		f.Topic = l.name("dead")
		h := l.b.Fault(f)
		source := declaring{between(FromString("/default/other", "bad")), topics(topic)}
		r := l.source(source, l.deadTopic)
		l.must(h.Wait(t.Context(), 1))
		l.pause(10 * time.Second)
		same(t, "committed", source.last("p"), "p@2")
		l.b.CheckPayloads(t, topic, "p1", "p2", "p3", "p4")
		h.Remove()
		l.must(r.wait())
		same(t, "committed", source.all(), "[p@1 p@2 p@bad0 p@3 p@4]")
	})
}

// A source with nothing but bad records must not fill the memory while their dead
// letters cannot be stored, and a stop leaves them uncommitted.
func TestSourceDeadLettersThatCannotBeStored(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/full")
	}
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		var accepted atomic.Int64
		stored := make(chan error, 1)
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			for {
				err := e.EmitAsync(ctx, FromString("/default/other", "bad").WithOffset(OffsetInt("p", accepted.Load())), func(_ Receipt, err error) {
					select {
					case stored <- err:
					default:
					}
				})
				if err != nil {
					return err
				}
				accepted.Add(1)
			}
		})
		done := committingStream{source, &committing{testSource: source.testSource}}
		r := l.source(FromStream(declaringStream{done, topics(topic)}), func(c *Config) { c.DeadLetterFile = "/dev/full" })
		l.pause(10 * time.Second)
		same(t, "accepted", accepted.Load(), maxBuried)
		if reason := fmt.Sprint(r.board.NotReady()); !strings.Contains(reason, "no space left") {
			t.Errorf("not ready because of %s", reason)
		}
		err, _ := r.stop()
		same(t, "exit code", ExitCode(err), 4)
		if !strings.Contains(fmt.Sprint(err), fmt.Sprint(maxBuried, " records were not published")) {
			t.Errorf("%v does not say what is left", err)
		}
		if err := <-stored; err == nil {
			t.Error("the first record counts as stored")
		}
		same(t, "committed", len(done.all()), 0)
	})
}

// declaringStream is a stream that declares its topics.
type declaringStream struct {
	StreamConnector
	configs func(context.Context) ([]ProducerConfig, error)
}

func (s declaringStream) ProducerConfigs(ctx context.Context) ([]ProducerConfig, error) {
	return s.configs(ctx)
}

func (s declaringStream) Unwrap() any { return s.StreamConnector }

func TestSourceDeadLetterTopicByDefaultAndInTheWay(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		source := declaring{between(FromString("/default/other", "bad")), topics(topic)}
		l.must(l.source(source, func(c *Config) { c.OnError = OnErrorDeadLetter }).wait())
		l.b.CheckPayloads(t, "/default/dlq_c_t", "bad")

		err := l.source(declaring{between(), topics(topic, l.name("dead"))}, l.deadTopic).wait()
		same(t, "exit code", ExitCode(err), 2)
		if !strings.Contains(fmt.Sprint(err), "publishes to") {
			t.Errorf("got %v", err)
		}
	})
	_, err := NewSourceRuntime(&testSource{}, WithConfig(func() Config {
		c := DefaultConfig()
		c.ConnectorName, c.DestinationTopic, c.DeadLetterTopic = "c", "/default/t", "/default/t"
		return c
	}()))
	if err == nil || !strings.Contains(err.Error(), "another topic than destination_topic") {
		t.Errorf("got %v", err)
	}
}

// Who emitted a record hears of it once it is among the dead letters.
func TestEmitOfARecordForTheDeadLetters(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		path := filepath.Join(t.TempDir(), "dead.jsonl")
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			_, err := e.Emit(ctx, FromString("/default/other", "bad"))
			if !IsInvalidData(err) || errors.Is(err, ErrStoppedByPolicy) {
				t.Errorf("got %v, want invalid data", err)
			}
			same(t, "letters", len(filed(t, path)), 1)
			return nil
		})
		l.must(l.source(FromStream(declaringStream{source, topics(topic)}), func(c *Config) { c.DeadLetterFile = path }).wait())
	})
}
