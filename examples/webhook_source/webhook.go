package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

const (
	readTime   = 10 * time.Second // for a request to arrive as a whole
	maxHeaders = 64 << 10
)

// webhook is the connector.
type webhook struct {
	settings settings
	log      *slog.Logger
	listener net.Listener
	server   *http.Server
	served   chan error // what ended the server

	emitter  atomic.Pointer[connect.Emitter] // while the stream runs
	inFlight chan struct{}
}

var _ connect.StreamConnector = (*webhook)(nil)

// Initialize listens at once, so that an address that is taken is an error at start.
// Requests are answered with 503 until the broker is there.
func (w *webhook) Initialize(_ context.Context, setup *connect.Setup) error {
	if drain := setup.Config().DrainTimeout; readTime+w.settings.Timeout >= drain {
		return connect.InvalidConfigf("publish_timeout is %v: with the %v that a request may take to arrive it must be less than drain_timeout_ms, which is %v, because a stop waits for the requests under way; make it shorter or drain_timeout_ms longer",
			w.settings.Timeout, readTime, drain)
	}
	w.log = setup.Logger()
	w.inFlight = make(chan struct{}, w.settings.MaxInFlight)
	var err error
	w.listener, err = net.Listen("tcp", w.settings.Listen)
	if err != nil {
		return connect.InvalidConfigf("listen_addr: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST "+w.settings.Path, w)
	w.server = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: readTime,
		ReadTimeout:       readTime,
		WriteTimeout:      2*readTime + w.settings.Timeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeaders,
		ErrorLog:          slog.NewLogLogger(w.log.Handler(), slog.LevelDebug), // what clients do wrong
	}
	w.served = make(chan error, 1)
	go func() { w.served <- w.server.Serve(w.listener) }()
	w.log.Info("listening", "address", w.listener.Addr().String(), "path", w.settings.Path)
	return nil
}

// Stream lets requests through until the runtime stops, and waits for the answers to
// those under way.
func (w *webhook) Stream(ctx context.Context, e *connect.Emitter) error {
	w.emitter.Store(e)
	defer w.emitter.Store(nil)
	select {
	case err := <-w.served:
		return connect.Fatalf("the HTTP server has ended: %w", err)
	case <-ctx.Done():
	}
	// No new connections; what has arrived is still published and answered.
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime+w.settings.Timeout)
	defer cancel()
	if err := w.server.Shutdown(stop); err != nil {
		w.log.Warn("not every request was answered", "error", err)
	}
	return nil
}

// Shutdown closes what is open.
func (w *webhook) Shutdown(context.Context) error {
	if w.server == nil {
		return nil
	}
	if err := w.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
