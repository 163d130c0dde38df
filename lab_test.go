package connect

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// A lab is a broker and a client on it. A scenario is a function of it: onFake
// runs it in a bubble, on danubetest and in virtual time; onProfiles runs it there with
// both profiles; onBoth does that, and runs it on a real broker as well, in real time,
// where DANUBE_SERVICE_URL names one.
type lab struct {
	t      *testing.T
	b      *danubetest.Broker // nil on a real broker
	client *danube.Client
	log    *logBook
	bubble bool

	cursors bool // dead letter topics get their marker, which most tests would only count

	traps  bool   // the profile Real
	suffix string // makes names unique on a broker that others use too

	requests atomic.Uint64

	mu        sync.Mutex
	producers map[string]*danube.Producer
}

func onFake(t *testing.T, scenario func(*testing.T, *lab), opts ...danubetest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := danubetest.Run(t, append([]danubetest.Option{danubetest.WithBufconn()}, opts...)...)
		l := &lab{t: t, b: b, bubble: true}
		l.open(danube.Config{Seeds: []string{b.URL()}, DialOptions: []grpc.DialOption{b.DialOption()}})
		scenario(t, l)
	})
}

// onProfiles runs a scenario on danubetest as it is, and with its traps.
func onProfiles(t *testing.T, scenario func(*testing.T, *lab), opts ...danubetest.Option) {
	t.Helper()
	t.Run("danubetest", func(t *testing.T) { onFake(t, scenario, opts...) })
	t.Run("danubetest with traps", func(t *testing.T) { onTraps(t, scenario, opts...) })
}

// onTraps runs a scenario on danubetest with everything that surprises clients of a real
// broker.
func onTraps(t *testing.T, scenario func(*testing.T, *lab), opts ...danubetest.Option) {
	t.Helper()
	onFake(t, func(t *testing.T, l *lab) {
		l.traps = true
		scenario(t, l)
	}, append([]danubetest.Option{danubetest.WithProfile(danubetest.Real)}, opts...)...)
}

// onTCP runs a scenario on danubetest in real time, for what needs sockets.
func onTCP(t *testing.T, scenario func(*testing.T, *lab), opts ...danubetest.Option) {
	t.Helper()
	b := danubetest.Run(t, opts...)
	l := &lab{t: t, b: b}
	l.open(danube.Config{Seeds: []string{b.URL()}})
	scenario(t, l)
}

func onBoth(t *testing.T, scenario func(*testing.T, *lab)) {
	t.Helper()
	onProfiles(t, scenario)
	t.Run("broker", func(t *testing.T) {
		url := os.Getenv("DANUBE_SERVICE_URL")
		if url == "" {
			t.Skip("DANUBE_SERVICE_URL is not set: not run on a real broker")
		}
		l := &lab{t: t, suffix: "_" + rand.Text()[:10] + "_z"}
		l.open(danube.Config{Seeds: []string{url}})
		scenario(t, l)
	})
}

// open opens the client and closes it when the test ends: in a bubble, what it
// leaves behind fails the test.
func (l *lab) open(cfg danube.Config) {
	l.t.Helper()
	l.log = &logBook{start: time.Now()}
	l.producers = make(map[string]*danube.Producer)
	cfg.Logger = slog.New(l.log)
	c, err := danube.Open(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	l.client = c
	l.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = c.Close(ctx) // the scenario has ended; what it left is its own affair
		if l.t.Failed() {
			l.t.Log("the log:\n" + l.log.text())
		}
	})
}

// name makes a name of this lab's own.
func (l *lab) name(s string) string { return "/default/" + s + l.suffix }

// topic makes a topic exist, with partitions unless 0.
func (l *lab) topic(s string, partitions int) string {
	l.t.Helper()
	name := l.name(s)
	if l.b != nil {
		l.must(l.b.CreateTopic(name, danubetest.TopicConfig{Partitions: partitions}))
		return name
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	p, err := l.client.NewProducer(ctx, danube.ProducerConfig{Topic: name, Name: "lab", Partitions: partitions})
	l.must(err)
	l.mu.Lock()
	l.producers[name] = p
	l.mu.Unlock()
	return name
}

// publish puts messages into a topic that topic has made.
func (l *lab) publish(topic string, payloads ...string) {
	l.t.Helper()
	for _, p := range payloads {
		l.publishKey(topic, "", p)
	}
}

func (l *lab) publishKey(topic, key, payload string) {
	l.t.Helper()
	if l.b != nil {
		_, err := l.b.Publish(topic, []byte(payload), danubetest.PubOpts{Key: key, RequestID: l.requests.Add(1)})
		l.must(err)
		if l.traps && l.requests.Load()%50 == 0 {
			synctest.Wait() // what is 256 messages behind is lost
		}
		return
	}
	l.mu.Lock()
	p := l.producers[topic]
	l.mu.Unlock()
	_, err := p.Send(l.t.Context(), &danube.Outgoing{Payload: []byte(payload), Key: key})
	l.must(err)
}

// numbers returns the texts of from to to, for payloads.
func numbers(from, to int) []string {
	var list []string
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

// until waits for something to become true.
func (l *lab) until(what string, cond func() bool) {
	l.t.Helper()
	limit, every := time.Minute, 10*time.Millisecond
	if l.bubble {
		limit = 10 * time.Minute
	}
	end := time.Now().Add(limit)
	for !l.settle(cond) {
		if time.Now().After(end) {
			l.t.Fatalf("after %v: still not %s", limit, what)
		}
		l.pause(every)
	}
}

// settle asks a condition, in a bubble when everything that can run has run.
func (l *lab) settle(cond func() bool) bool {
	if l.bubble {
		synctest.Wait()
	}
	return cond()
}

// pause lets time pass, virtual time in a bubble.
func (l *lab) pause(d time.Duration) { <-time.After(d) }

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// config is a configuration on the lab's topic t.
func (l *lab) config(change ...func(*Config)) Config {
	c := DefaultConfig()
	c.ConnectorName = "c"
	c.SourceTopic, c.DestinationTopic, c.SubscriptionName = l.name("t"), l.name("t"), "s"
	c.MetricsPort = 0
	for _, f := range change {
		f(&c)
	}
	return c
}

func (l *lab) options(cfg Config, more ...Option) []Option {
	return append([]Option{WithConfig(cfg), WithClient(DanubeClient(l.client)), WithoutSignals(), WithLogger(slog.New(l.log))}, more...)
}
