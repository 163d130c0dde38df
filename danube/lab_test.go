package danube_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
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
