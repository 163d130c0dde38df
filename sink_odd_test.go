package connect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// stubClient hands a sink messages that no broker would send.
type stubClient struct {
	mu    sync.Mutex
	cfg   danube.ConsumerConfig
	acked []*danube.Message
	done  chan struct{}
	open  chan struct{}
}

func newStubClient() *stubClient {
	return &stubClient{done: make(chan struct{}), open: make(chan struct{})}
}

func (c *stubClient) NewProducer(context.Context, danube.ProducerConfig) (Producer, error) {
	return nil, danube.ErrPermission
}

func (c *stubClient) NewConsumer(_ context.Context, cfg danube.ConsumerConfig) (Consumer, error) {
	c.cfg = cfg
	cfg.OnSession(danube.SessionEvent{Topic: cfg.Topic, Partition: danube.NoPartition, State: danube.Ready})
	close(c.open)
	return c, nil
}

func (c *stubClient) Ack(m *danube.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked = append(c.acked, m)
	return nil
}

func (c *stubClient) Nack(context.Context, *danube.Message, time.Duration, string) error { return nil }
func (c *stubClient) Flush(context.Context) error                                        { return nil }
func (c *stubClient) Pause()                                                             {}
func (c *stubClient) Resume()                                                            {}
func (c *stubClient) Done() <-chan struct{}                                              { return c.done }
func (c *stubClient) Err() error                                                         { return nil }
func (c *stubClient) Close(context.Context) error                                        { close(c.done); return nil }

// Messages that lack everything, or have what nobody knows, are records all the same.
func TestSinkOddMessages(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		client := newStubClient()
		seen := make(chan string, 10)
		sink := SinkFunc(func(_ context.Context, rec *SinkRecord) error {
			schema, there := rec.Schema()
			_, ok := rec.Attribute("x")
			seen <- fmt.Sprintf("%v %d %q %v%v %v %v", rec.ID(), rec.PayloadSize(), rec.Key(), schema, there, ok, rec.HasAttribute(""))
			return nil
		})
		cfg := l.config()
		rt, err := NewSinkRuntime(sink, append(l.options(cfg), WithClient(client))...)
		l.must(err)
		r := l.start(rt.core, rt.Run)
		<-client.open
		messages := []*danube.Message{
			{},
			{Topic: cfg.SourceTopic, Partition: danube.NoPartition, Offset: 1<<64 - 1},
			{Topic: cfg.SourceTopic, Partition: 1 << 30, Schema: &danube.SchemaID{ID: 999, Version: 77}, Attributes: map[string]string{"": "y"}},
			{Topic: cfg.SourceTopic, Payload: make([]byte, 4<<20), PublishTime: time.UnixMilli(-5)},
		}
		for _, m := range messages {
			client.cfg.Handler(m)
		}
		var got []string
		for range messages {
			got = append(got, <-seen)
		}
		slices.Sort(got)
		want := []string{
			"[0]@0 0 \"\" {0 0}false false false",
			"/default/t@18446744073709551615 0 \"\" {0 0}false false false",
			"/default/t[0]@0 4194304 \"\" {0 0}false false false",
			"/default/t[1073741824]@0 0 \"\" {999 77}true false true",
		}
		slices.Sort(want)
		same(t, "records", strings.Join(got, "\n"), strings.Join(want, "\n"))
		l.until("all settled", func() bool { return rt.routes[0].inHand() == 0 })
		r.stopped()
		same(t, "acked", len(client.acked), len(messages))
	})
}

// A record may be kept for as long as somebody likes: nothing of it changes when later
// ones come.
func TestSinkRecordsMayBeKept(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{}
		r := l.sink(sink)
		var want []string
		for i := range 200 {
			want = append(want, strings.Repeat(fmt.Sprint(i, " "), 50))
		}
		l.publish(topic, want...)
		l.until("all written", func() bool { return r.metric("messages_processed_total") == 200 })
		r.stopped()
		for i, c := range sink.seen() { // those that Process has seen first as well
			if string(c.rec.Payload()) != want[i] || c.rec.Offset() != uint64(i) {
				t.Fatalf("record %d has changed: offset %d, %d bytes", i, c.rec.Offset(), c.rec.PayloadSize())
			}
		}
	})
}

// What a connector kept can be called after the end, and nothing breaks.
func TestSinkCallsAfterTheEnd(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		var kept *Batch
		var setup *Setup
		sink := batch(func(_ context.Context, b *Batch, _ int) error {
			kept = b
			return nil
		})
		sink.initialize = func(_ context.Context, s *Setup) error {
			setup = s
			return nil
		}
		rt := l.newSink(FromBatch(sink), l.config())
		r := l.start(rt.core, rt.Run).ready()
		l.publish(topic, "1")
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 1))
		r.stopped()
		if err := kept.Fail(sink.all()[0].records[0], nil); err == nil || !strings.Contains(err.Error(), ErrBatchClosed.Error()) {
			t.Errorf("Fail: got %v", err)
		}
		rt.Pause()
		rt.Resume()
		same(t, "name", setup.Name(), "c")
		same(t, "topic of the configuration", rt.Config().SourceTopic, topic)
		if err := rt.Run(t.Context()); ExitCode(err) != 1 || !strings.Contains(err.Error(), "a runtime runs once") {
			t.Errorf("Run: got %v", err)
		}
	})
}

// A topic that is to be created is there when the sink is ready.
func TestSinkCreatesItsTopic(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		sink := topicsSink{&testSink{}, func(context.Context) ([]ConsumerConfig, error) {
			return []ConsumerConfig{{CreateTopic: true}}, nil
		}}
		r := l.sink(sink)
		topic := l.topicAgain("t")
		l.publish(topic, "1", "2")
		l.until("both written", func() bool { return len(sink.seen()) == 2 })
		r.stopped()
	})
}

// topicAgain is topic for one that is there already.
func (l *lab) topicAgain(s string) string {
	if l.b != nil {
		return l.name(s)
	}
	return l.topic(s, 0)
}
