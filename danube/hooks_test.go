package danube_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// hooked records what hooks hear, and carries a value of the context.
type hooked struct {
	mu    sync.Mutex
	list  []string
	calls map[string]int
}

func (h *hooked) add(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, fmt.Sprintf(format, args...))
}

// took returns what was heard since the last call.
func (h *hooked) took() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.list
	h.list = nil
	return list
}

func (h *hooked) want(l *lab, want ...string) {
	l.Helper()
	if got := h.took(); !slices.Equal(got, want) {
		l.Errorf("heard\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func reason(err error) string {
	for _, r := range []error{danube.ErrTooLarge, danube.ErrNotSent, danube.ErrOutcomeUnknown} {
		if errors.Is(err, r) {
			return r.Error()
		}
	}
	if err != nil {
		return status.Code(err).String()
	}
	return "ok"
}

func (h *hooked) hooks() danube.Hooks {
	return danube.Hooks{
		Published: func(e danube.PublishEvent) {
			h.add("published %s %d: %d bytes, %d attempts, ambiguous %v, %v, %s", e.Producer, e.Partition, e.Bytes, e.Attempts, e.Ambiguous, e.Latency.Round(time.Second), reason(e.Err))
		},
		Received: func(m *danube.Message) { h.add("received %s", m.Payload) },
		Acked: func(e danube.AckEvent) {
			h.add("acked %s %d: %v, %s", e.Subscription, e.Offset, e.Latency.Round(time.Second), reason(e.Err))
		},
		Nacked:  func(e danube.AckEvent) { h.add("nacked %s %d: %s", e.Subscription, e.Offset, reason(e.Err)) },
		Session: func(w danube.Who, e danube.SessionEvent) { h.add("%v is %v", w, e.State) },
		Anomaly: func(w danube.Who, a danube.Anomaly) { h.add("%v: %v", w, a) },
	}
}

func TestHooks(t *testing.T) {
	embedded(t, func(l *lab) {
		var h hooked
		topic := l.topic()
		l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
		client := l.open(func(c *danube.Config) { c.Hooks, c.Timeouts.Send = h.hooks(), 3*time.Second })
		con, p := l.consumer(client, topic), l.producer(client, topic)
		h.want(l, "{ c s} is ready", "{p  } is ready")

		l.send(p, "a")
		list := l.receive(con, "a")
		l.ack(con, list...)
		// The answer of the broker and the delivery run apart.
		got := h.took()
		slices.Sort(got)
		if want := []string{"acked s 0: 0s, ok", "published p -1: 1 bytes, 1 attempts, ambiguous false, 0s, ok", "received a"}; !slices.Equal(got, want) {
			t.Errorf("heard %q, want %q", got, want)
		}

		l.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSendMessage}, Err: status.Error(codes.Unavailable, "busy"), Count: 2})
		l.send(p, "bb")
		list = l.receive(con, "bb")
		if got := h.took(); !slices.Contains(got, "published p -1: 2 bytes, 3 attempts, ambiguous true, 0s, ok") {
			t.Errorf("heard %q", got)
		}
		_, err := p.Send(l.soon(), &danube.Outgoing{Payload: make([]byte, 5<<20)})
		l.want(err, danube.ErrTooLarge)
		h.want(l, "published p -1: 5242880 bytes, 0 attempts, ambiguous false, 0s, "+danube.ErrTooLarge.Error())

		l.must(con.Nack(l.soon(), list[0], 0, "no"))
		h.want(l, "nacked s 1: ok")
		list = l.receive(con, "bb")
		l.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodAck}, Err: status.Error(codes.Unavailable, "busy"), Count: 1})
		l.ack(con, list...)
		h.want(l, "received bb", "acked s 1: 0s, Unavailable", "acked s 1: 0s, ok")

		l.broker.DropStreams(danubetest.StreamUnavailable)
		l.pass(2 * time.Second)
		h.want(l, "{ c s} is connecting", "{ c s} is ready")
	})
}

// Anomalies reach the hook and, after it, OnAnomaly.
func TestHookOfAnomalies(t *testing.T) {
	withStalling(t, func(s *stalling) {
		var h hooked
		s.consume(s.watched(func(c *danube.Config) { c.Hooks = h.hooks() }))
		h.took()
		s.pages.set(pageA, page(s.topic, 3, 3, 0))
		s.pass(time.Minute)
		h.want(s.lab, "{ c s}: /default/t: the broker has 3 messages and delivers none")
		s.expect("delivers none")
	})
}

// Of what was accepted and never published, hooks hear as well.
func TestHookOfMessagesGivenUp(t *testing.T) {
	embedded(t, func(l *lab) {
		var h hooked
		topic, client := l.topic(), l.open(func(c *danube.Config) { c.Hooks.Published = h.hooks().Published })
		p := l.producer(client, topic)
		l.broker.Stop()
		for range 2 {
			l.must(p.SendAsync(l.soon(), &danube.Outgoing{Payload: []byte("x")}, func(danube.Receipt, error) {}))
		}
		l.pass(5 * time.Second)
		if err := p.Close(l.within(2 * time.Second)); err == nil {
			t.Error("Close says nothing of what was left")
		}
		got := h.took()
		if len(got) != 2 || !strings.HasSuffix(got[1], "7s, "+danube.ErrNotSent.Error()) {
			t.Errorf("heard %q", got)
		}
	})
}

type traceKey struct{}

// Inject and Extract carry one value, as a tracer would.
func (h *hooked) Inject(ctx context.Context, attributes map[string]string) {
	if v, ok := ctx.Value(traceKey{}).(string); ok {
		attributes["trace"] = v
	}
}

func (h *hooked) Extract(ctx context.Context, attributes map[string]string) context.Context {
	return context.WithValue(ctx, traceKey{}, attributes["trace"])
}

// What a sender's context holds travels with the message, and the sender's own
// attributes stay as they are.
func TestPropagator(t *testing.T) {
	embedded(t, func(l *lab) {
		var h hooked
		topic := l.topic()
		client, plain := l.open(func(c *danube.Config) { c.Hooks.Propagator = &h }), l.open()
		con, p := l.consumer(client, topic), l.producer(client, topic, func(c *danube.ProducerConfig) { c.Stamp = true })
		attributes := map[string]string{"a": "b"}
		for _, m := range []*danube.Outgoing{{Payload: []byte("m"), Attributes: attributes}, {Payload: []byte("m")}} {
			_, err := p.Send(context.WithValue(l.soon(), traceKey{}, "t-1"), m)
			l.must(err)
		}
		for i, m := range l.receive(con, "m", "m") {
			if m.Attributes["trace"] != "t-1" || i == 0 && m.Attributes["a"] != "b" || m.Attributes[danube.AttrStamp] == "" {
				t.Errorf("attributes %v", m.Attributes)
			}
			if v := client.MessageContext(l.Context(), m).Value(traceKey{}); v != "t-1" {
				t.Errorf("got %v", v)
			}
			if ctx := plain.MessageContext(l.Context(), m); ctx != l.Context() {
				t.Error("a client without a propagator makes another context")
			}
		}
		if len(attributes) != 1 {
			t.Errorf("the sender's attributes: %v", attributes)
		}
	})
}

func (h *hooked) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calls == nil {
		h.calls = map[string]int{}
	}
	h.calls[info.FullMethodName]++
	return ctx
}

func (h *hooked) HandleRPC(context.Context, stats.RPCStats)                         {}
func (h *hooked) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (h *hooked) HandleConn(context.Context, stats.ConnStats)                       {}

func TestStatsHandler(t *testing.T) {
	embedded(t, func(l *lab) {
		var h hooked
		topic, client := l.topic(), l.open(func(c *danube.Config) { c.Hooks.StatsHandler = &h })
		con, p := l.consumer(client, topic), l.producer(client, topic)
		l.send(p, "a")
		l.ack(con, l.receive(con, "a")...)
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, method := range []string{"Discovery/TopicLookup", "ProducerService/SendMessage", "ConsumerService/ReceiveMessages", "ConsumerService/Ack"} {
			if h.calls["/danube."+method] == 0 {
				t.Errorf("no call of %s: %v", method, h.calls)
			}
		}
	})
}
