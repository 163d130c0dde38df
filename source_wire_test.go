package connect

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// wire sees every publish of a lab's client, and may keep it from the broker or the
// broker's answer from the client. So a scenario with trouble runs on a real broker as
// it does on danubetest.
type wire struct {
	mu   sync.Mutex
	hook func(ctx context.Context, p publish, send func() error) error

	release chan struct{}
}

// publish is one attempt to publish.
type publish struct {
	topic   string // on the wire
	payload string
	request uint64
}

// onWire runs a scenario as onBoth does, with a client whose publishes a hook sees.
func onWire(t *testing.T, scenario func(*testing.T, *lab, *wire)) {
	t.Helper()
	onBoth(t, func(t *testing.T, l *lab) {
		w := &wire{}
		cfg := danube.Config{Logger: slog.New(l.log), DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(w.intercept)}}
		if l.b != nil {
			cfg.Seeds = []string{l.b.URL()}
			cfg.DialOptions = append(cfg.DialOptions, l.b.DialOption())
		} else {
			cfg.Seeds = []string{os.Getenv("DANUBE_SERVICE_URL")}
		}
		l.topic("t", 0) // by the lab's own client
		c, err := danube.Open(cfg)
		l.must(err)
		plain := l.client
		l.client = c
		defer func() {
			l.client = plain
			w.let() // what a scenario that failed has held
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_ = c.Close(ctx)
		}()
		scenario(t, l, w)
	})
}

func (w *wire) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	send := func() error { return invoke(ctx, method, req, reply, cc, opts...) }
	m, ok := req.(*danubepb.StreamMessage)
	if !ok {
		return send()
	}
	w.mu.Lock()
	hook := w.hook
	w.mu.Unlock()
	if hook == nil {
		return send()
	}
	return hook(ctx, publish{m.GetMsgId().GetTopicName(), string(m.GetPayload()), m.GetRequestId()}, send)
}

// set makes a hook see all publishes from now on.
func (w *wire) set(hook func(ctx context.Context, p publish, send func() error) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook = hook
}

// hold keeps publishes from the broker, those that match, until let.
func (w *wire) hold(match func(publish) bool) {
	w.mu.Lock()
	release := make(chan struct{})
	w.release = release
	w.mu.Unlock()
	w.set(func(ctx context.Context, p publish, send func() error) error {
		if match(p) {
			select {
			case <-release:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return send()
	})
}

// let ends a hold.
func (w *wire) let() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.release != nil {
		close(w.release)
		w.release = nil
	}
}

func all(publish) bool { return true }

// payload matches the publishes of one payload.
func payload(text string) func(publish) bool {
	return func(p publish) bool { return p.payload == text }
}
