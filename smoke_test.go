package connect

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestSmoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := danubetest.Run(t, danubetest.WithBufconn(), danubetest.WithTopic("/default/t", danubetest.TopicConfig{}))
		log := slog.New(slog.NewTextHandler(testWriter{t}, nil))
		c, err := danube.Open(danube.Config{Seeds: []string{b.URL()}, DialOptions: []grpc.DialOption{b.DialOption()}, Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		cfg := DefaultConfig()
		cfg.ConnectorName, cfg.SourceTopic, cfg.DestinationTopic, cfg.SubscriptionName = "c", "/default/t", "/default/t", "s"
		cfg.MetricsPort = 0
		var got atomic.Int64
		sink, err := NewSinkRuntime(SinkFunc(func(ctx context.Context, r *SinkRecord) error {
			got.Add(1)
			return nil
		}), WithConfig(cfg), WithClient(DanubeClient(c)), WithoutSignals(), WithLogger(log))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- sink.Run(ctx) }()
		if err := b.WaitConsumers(ctx, "/default/t", "s", 1); err != nil {
			t.Fatal(err)
		}
		n := 0
		src, err := NewSourceRuntime(SourceFunc(func(ctx context.Context) ([]*SourceRecord, error) {
			var rs []*SourceRecord
			for range 10 {
				n++
				rs = append(rs, FromString("", fmt.Sprint(n)))
			}
			if n >= 1000 {
				return rs, io.EOF
			}
			return rs, nil
		}), WithConfig(cfg), WithClient(DanubeClient(c)), WithoutSignals(), WithLogger(log))
		if err != nil {
			t.Fatal(err)
		}
		if err := src.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if err := b.WaitAcked(ctx, "/default/t", "s", 1000); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got.Load() != 1000 {
			t.Fatal(got.Load())
		}
		if err := c.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	})
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) { w.t.Log(string(p)); return len(p), nil }
