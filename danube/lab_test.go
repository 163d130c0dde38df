package danube_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// lab is where a scenario runs: an embedded broker on the time of a bubble, or the
// real one that DANUBE_SERVICE_URL names.
type lab struct {
	*testing.T
	broker *danubetest.Broker // nil on the real one
	url    string
	dial   []grpc.DialOption
	// realTime is set where the embedded broker is not in a bubble.
	realTime bool
}

// onBoth runs a scenario on the embedded broker and, where there is one, on the real.
func onBoth(t *testing.T, scenario func(*lab), opts ...danubetest.Option) {
	t.Run("embedded", func(t *testing.T) { embedded(t, scenario, opts...) })
	t.Run("real", func(t *testing.T) { onReal(t, scenario) })
}

func onReal(t *testing.T, scenario func(*lab)) {
	url := os.Getenv("DANUBE_SERVICE_URL")
	if url == "" {
		t.Skip("DANUBE_SERVICE_URL is not set: not run against a real broker")
	}
	scenario(&lab{T: t, url: url})
}

// overTCP runs a scenario on the embedded broker behind a port, in real time, and
// looks for goroutines that it left behind.
func overTCP(t *testing.T, scenario func(*lab), opts ...danubetest.Option) {
	checkLeaks(t)
	b := danubetest.Run(t, opts...)
	scenario(&lab{T: t, broker: b, url: b.URL(), dial: []grpc.DialOption{b.DialOption()}, realTime: true})
}

// checkLeaks fails the test when it ends with more goroutines of this module than it
// began with. A bubble does the same by itself.
func checkLeaks(t *testing.T) {
	before := ownGoroutines()
	t.Cleanup(func() {
		var left []string
		for wait := time.Millisecond; wait < 5*time.Second; wait *= 2 {
			if left = ownGoroutines(); len(left) <= len(before) {
				return
			}
			<-time.After(wait)
		}
		t.Errorf("%d goroutines before, %d after:\n%s", len(before), len(left), strings.Join(left, "\n\n"))
	})
}

// ownGoroutines returns the stacks of the goroutines that run this module's code, or
// gRPC's.
func ownGoroutines() (list []string) {
	buf := make([]byte, 1<<20)
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "testing.tRunner") {
			continue
		}
		if strings.Contains(g, "danube-connect-go/") || strings.Contains(g, "google.golang.org/grpc") {
			list = append(list, g)
		}
	}
	return list
}

// embedded runs a scenario that needs faults or a look inside.
func embedded(t *testing.T, scenario func(*lab), opts ...danubetest.Option) {
	synctest.Test(t, func(t *testing.T) {
		b := danubetest.Run(t, append([]danubetest.Option{danubetest.WithBufconn(), danubetest.WithClusterCreate()}, opts...)...)
		scenario(&lab{T: t, broker: b, url: b.URL(), dial: []grpc.DialOption{b.DialOption()}})
	})
}

var topics atomic.Int64

// topic returns a name that nobody else uses, and that begins no other: a real broker
// mixes up such topics.
func (l *lab) topic() string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, l.Name())
	return fmt.Sprintf("/default/%s_%d_%d_%04dx", name, os.Getpid(), time.Now().UnixNano(), topics.Add(1))
}

// open opens a client that is closed with the test.
func (l *lab) open(change ...func(*danube.Config)) *danube.Client {
	l.Helper()
	cfg := danube.Config{
		Seeds:       []string{l.url},
		DialOptions: l.dial,
		Logger:      slog.New(slog.NewTextHandler(l.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&cfg)
	}
	c, err := danube.Open(cfg)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			l.Logf("closing the client: %v", err)
		}
	})
	return c
}

// within bounds a step.
func (l *lab) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	l.Cleanup(cancel)
	return ctx
}

func (l *lab) soon() context.Context { return l.within(30 * time.Second) }

// pass lets time pass: in the bubble it costs none.
func (l *lab) pass(d time.Duration) {
	<-l.within(d).Done()
	if l.broker != nil && !l.realTime {
		synctest.Wait()
	}
}

func (l *lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// want checks that an error has a reason and says something.
func (l *lab) want(err, reason error, say ...string) {
	l.Helper()
	if !errors.Is(err, reason) {
		l.Fatalf("got %v, want %v", err, reason)
	}
	for _, s := range say {
		if !strings.Contains(err.Error(), s) {
			l.Errorf("%q is not in: %v", s, err)
		}
	}
}

// producer opens a producer of topic.
func (l *lab) producer(c *danube.Client, topic string, change ...func(*danube.ProducerConfig)) *danube.Producer {
	l.Helper()
	cfg := danube.ProducerConfig{Topic: topic, Name: "p"}
	for _, f := range change {
		f(&cfg)
	}
	p, err := c.NewProducer(l.soon(), cfg)
	l.must(err)
	return p
}

// consumer opens a consumer of topic.
func (l *lab) consumer(c *danube.Client, topic string, change ...func(*danube.ConsumerConfig)) *danube.Consumer {
	l.Helper()
	cfg := danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c", CreateTopic: true}
	for _, f := range change {
		f(&cfg)
	}
	con, err := c.NewConsumer(l.soon(), cfg)
	l.must(err)
	return con
}

// send publishes payloads one after the other.
func (l *lab) send(p *danube.Producer, payloads ...string) {
	l.Helper()
	for _, s := range payloads {
		if _, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte(s)}); err != nil {
			l.Fatalf("send %q: %v", s, err)
		}
	}
}

// post hands payloads over without waiting for the broker.
func (l *lab) post(p *danube.Producer, payloads ...string) {
	l.Helper()
	for _, s := range payloads {
		l.must(p.SendAsync(l.soon(), &danube.Outgoing{Payload: []byte(s)}, func(_ danube.Receipt, err error) {
			if err != nil {
				l.Errorf("publishing %q: %v", s, err)
			}
		}))
	}
}

// receive takes messages and checks their payloads, in order.
func (l *lab) receive(c *danube.Consumer, want ...string) []*danube.Message {
	l.Helper()
	var list []*danube.Message
	for _, w := range want {
		m, err := c.Receive(l.soon())
		if err != nil {
			l.Fatalf("waiting for %q: %v", w, err)
		}
		if string(m.Payload) != w {
			l.Fatalf("got %q at offset %d, want %q", m.Payload, m.Offset, w)
		}
		list = append(list, m)
	}
	return list
}

// ack acknowledges messages and waits until the broker has answered.
func (l *lab) ack(c *danube.Consumer, list ...*danube.Message) {
	l.Helper()
	for _, m := range list {
		if err := c.Ack(m); err != nil {
			l.Fatalf("ack of %d: %v", m.Offset, err)
		}
	}
	l.must(c.Flush(l.soon()))
}

// silent checks that nothing comes for a while.
func (l *lab) silent(c *danube.Consumer, d time.Duration) {
	l.Helper()
	if m, err := c.Receive(l.within(d)); err == nil {
		l.Fatalf("%q came at offset %d, want nothing", m.Payload, m.Offset)
	} else if !errors.Is(err, context.DeadlineExceeded) {
		l.Fatal(err)
	}
}

// series is n payloads of one name.
func series(name string, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("%s-%d", name, i))
	}
	return list
}

// sessions records what OnSession says and checks what must hold of it.
type sessions struct {
	mu   sync.Mutex
	list []danube.SessionEvent
}

func (s *sessions) add(e danube.SessionEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, e)
}

// of returns the states of one topic on the wire.
func (s *sessions) of(wire string) (states []danube.SessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.list {
		if e.Topic == wire {
			states = append(states, e.State)
		}
	}
	return states
}

// check verifies that per topic on the wire Ready follows only what is not Ready,
// nothing follows Failed, and an error is there exactly when it is not Ready.
func (s *sessions) check(l *lab) {
	l.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	last := map[string]danube.SessionEvent{}
	for _, e := range s.list {
		before, any := last[e.Topic]
		if any && (before.State == danube.Failed || before.State == danube.Ready && e.State == danube.Ready) {
			l.Errorf("%s: %v after %v", e.Topic, e.State, before.State)
		}
		if (e.Err == nil) != (e.State == danube.Ready) {
			l.Errorf("%s: %v with error %v", e.Topic, e.State, e.Err)
		}
		last[e.Topic] = e
	}
}

// wantStates checks the states of a topic, several Connecting in a row taken as one,
// and those before the first session left out unless they are wanted: making a topic
// takes more than one attempt.
func (s *sessions) wantStates(l *lab, wire string, want ...danube.SessionState) {
	l.Helper()
	s.check(l)
	got := slices.Compact(s.of(wire))
	if len(got) > 1 && got[0] == danube.Connecting && want[0] == danube.Ready {
		got = got[1:]
	}
	if !slices.Equal(got, want) {
		l.Errorf("sessions of %s: got %v, want %v", wire, got, want)
	}
}
