package danubetest_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

var _ danubetest.TB = testing.TB(nil)

func TestRunFailsOnUnfiredFaults(t *testing.T) {
	tb := new(fakeTB)
	tb.run(func(tb danubetest.TB) {
		b := danubetest.Run(tb)
		b.Fault(danubetest.Fault{Methods: only(mSend), Topic: topic}, danubetest.AckLost("s"))
		b.Fault(danubetest.Fault{Methods: only(mSend), Optional: true})
		p := dial(t, b).producer(topic, "p")
		p.trySend("x")
	})
	if len(tb.errs) != 1 || !strings.Contains(tb.errs[0], "fault 2 (Ack, subscription=s, answer Unavailable) never fired; it matched 0 times") {
		t.Errorf("errors: %q", tb.errs)
	}
	if len(tb.logs) != 1 || !strings.Contains(tb.logs[0], "topic "+topic) {
		t.Errorf("logs: %q", tb.logs)
	}
}

func TestRunIsQuietWhenAllIsWell(t *testing.T) {
	tb := new(fakeTB)
	tb.run(func(tb danubetest.TB) { danubetest.Run(tb) })
	want(t, "output", [][]string{tb.fatal, tb.errs, tb.logs}, "[[] [] []]")
}

func TestBadOptions(t *testing.T) {
	for _, o := range []danubetest.Option{
		danubetest.WithMaxUnacked(0),
		danubetest.WithMaxUnacked(10_001),
		danubetest.WithFailurePolicy("s", danubetest.FailurePolicy{AckTimeout: -1}),
		danubetest.WithFailurePolicy("s", danubetest.FailurePolicy{BaseDelay: -1}),
		danubetest.WithFailurePolicy("s", danubetest.FailurePolicy{MaxDelay: -1}),
		danubetest.WithFailurePolicy("s", danubetest.FailurePolicy{Backoff: 7}),
		danubetest.WithFailurePolicy("s", danubetest.FailurePolicy{Poison: 7}),
		danubetest.WithNamespaces("a", "b/c"),
		danubetest.WithNamespaces(""),
		danubetest.WithMaxMessageSize(-1),
		danubetest.WithLimits(danubetest.Limits{Producers: -1}),
		danubetest.WithLogger(nil),
		danubetest.WithCallLog(-1),
		danubetest.WithTopic("nonsense", danubetest.TopicConfig{}),
		danubetest.WithTopic("/nowhere/a", danubetest.TopicConfig{}),
		danubetest.WithTopic("/default/a", danubetest.TopicConfig{Partitions: -1}),
		danubetest.WithTopic("/default/a", danubetest.TopicConfig{Dispatch: 7}),
		danubetest.WithTopic("/default/", danubetest.TopicConfig{}),
		danubetest.WithTopic("a/default/b", danubetest.TopicConfig{}),
		danubetest.WithAddr("nonsense"),
	} {
		tb := new(fakeTB)
		tb.run(func(tb danubetest.TB) { danubetest.Run(tb, o) })
		if len(tb.fatal) != 1 || !strings.HasPrefix(tb.fatal[0], "danubetest: ") {
			t.Errorf("got %q", tb.fatal)
		}
	}
	_, err := danubetest.New(danubetest.WithMaxUnacked(0), danubetest.WithCallLog(-1))
	if err == nil || !strings.Contains(err.Error(), "max unacked: 0") || !strings.Contains(err.Error(), "call log: -1") {
		t.Errorf("not all problems: %v", err)
	}
}

func TestOptions(t *testing.T) {
	var logged bytes.Buffer
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		want(t, "url", b.URL(), "http://danubetest:6650")
		s.producer("/default/a-part-1", "p")
		s.producer("/mine/b", "p").send("x")
		_, err := s.tryProducer("/default/c", "p")
		wantStatus(t, err, codes.NotFound, "Unable to find the topic")
		_, err = b.Publish("/default/c", nil)
		if err == nil {
			t.Error("published to nowhere")
		}
		if err := b.CreateSubscription("/default/c", "s", danubetest.SubOpts{}); err == nil {
			t.Error("subscribed to nowhere")
		}
		wantStatus(t, s.producer("/mine/b", "p").trySend("1234"), codes.InvalidArgument, "exceeds maximum allowed")
		want(t, "calls", len(b.Calls(nil)), 0)
		must(t, b.WaitCalls(t.Context(), mSend, 2))
		b.Fault(danubetest.Fault{Methods: only(mSend)})
		s.producer("/mine/b", "p").trySend("x")
		for _, l := range []string{"broker started", "topic created", "fault fired"} {
			if !strings.Contains(logged.String(), l) {
				t.Errorf("not logged: %s", l)
			}
		}
	},
		danubetest.WithAutoCreateTopics(false),
		danubetest.WithNamespaces("mine"),
		danubetest.WithTopic("/default/a", danubetest.TopicConfig{Partitions: 2}),
		danubetest.WithTopic("/mine/b", danubetest.TopicConfig{}),
		danubetest.WithMaxMessageSize(3),
		danubetest.WithCallLog(0),
		danubetest.WithLogger(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))),
	)
}

func TestClusterCreate(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		_, err := s.tryProducer(topic, "p")
		wantStatus(t, err, codes.Unavailable, "topic metadata was created, need to redo the lookup")
		s.producer(topic, "p").send("x")
	}, danubetest.WithClusterCreate())
}

func TestIDsUseAllOfUint64(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		high, low := 0, 0
		for _, name := range numbers(0, 20) {
			if s.producer(topic, name).id >= 1<<63 {
				high++
			} else {
				low++
			}
		}
		if high == 0 || low == 0 {
			t.Errorf("%d high, %d low", high, low)
		}
	})
}

// The same seed gives the same ids, and with them the same shares of keys.
func TestWithSeed(t *testing.T) {
	run := func(opts ...danubetest.Option) (ids []uint64) {
		bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
			ids = append(ids, s.producer(topic, "p").id, s.subscribe(topic, sub, "a", keyShared).id, s.subscribe(topic, sub, "b", keyShared).id)
		}, opts...)
		return ids
	}
	want(t, "again", run(danubetest.WithSeed(7)), run(danubetest.WithSeed(7)))
	for what, other := range map[string][]uint64{"another seed": run(danubetest.WithSeed(8)), "none": run()} {
		if slices.Equal(run(danubetest.WithSeed(7)), other) {
			t.Errorf("%s: the same ids %d", what, other)
		}
	}
	tb := new(fakeTB)
	tb.run(func(tb danubetest.TB) {
		danubetest.Run(tb, danubetest.WithSeed(7))
		tb.Errorf("failed")
	})
	if len(tb.logs) != 1 || !strings.Contains(tb.logs[0], "made with seed 7:") {
		t.Errorf("logs: %q", tb.logs)
	}
}

func TestConn(t *testing.T) {
	tb := new(fakeTB)
	var conn *grpc.ClientConn
	tb.run(func(tb danubetest.TB) {
		b := danubetest.Run(tb)
		conn = b.Conn(tb)
		newStubs(t, conn).producer(topic, "p")
	})
	want(t, "after the test", conn.GetState(), connectivity.Shutdown)
	tb = new(fakeTB)
	tb.run(func(tb danubetest.TB) {
		danubetest.Run(tb).Conn(tb, grpc.WithDefaultServiceConfig("nonsense"))
	})
	if len(tb.fatal) != 1 || !strings.Contains(tb.fatal[0], "danubetest: connect: ") {
		t.Errorf("fatal: %q", tb.fatal)
	}
}

// A helper for tests must not bring the testing package into programs.
func TestDoesNotImportTesting(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Log(string(exit.Stderr))
		}
		t.Fatal(err)
	}
	for _, pkg := range []string{"testing", "github.com/danube-messaging/danube-connect-go/danube", "github.com/danube-messaging/danube-connect-go"} {
		if slices.Contains(strings.Fields(string(out)), pkg) {
			t.Errorf("danubetest depends on %s", pkg)
		}
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	// In bubbles synctest sees to it; this is for TCP.
	before := goroutines()
	for range 3 {
		b, err := danubetest.New()
		must(t, err)
		conn, err := b.Dial()
		must(t, err)
		s := newStubs(t, conn)
		p := s.producer(topic, "p")
		c := s.open(topic, sub, "c", exclusive)
		p.send("x")
		c.offsets(1)
		b.Stop()
		must(t, b.Start())
		must(t, b.Close())
		must(t, conn.Close())
	}
	for deadline := time.Now().Add(5 * time.Second); goroutines() > before; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", goroutines(), before)
		}
		<-time.After(time.Millisecond)
	}
}
