package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Grace is how long after its limit a call into a connector makes the process
// count as not alive.
const Grace = 10 * time.Second

// Server serves /metrics, /healthz and /readyz.
type Server struct {
	http *http.Server
	addr net.Addr
	done chan struct{}
}

// Listen finds an address to serve on. A port that was asked for and is taken is an
// error; where the port is only the default, the next free one of ten is taken.
func Listen(host string, port int, asked bool, log *slog.Logger) (net.Listener, error) {
	var first error
	for p := port; p < port+10 && p <= 65535; p++ {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(p)))
		if err == nil {
			if p != port {
				log.Warn("the default metrics port is taken, using another", "default", port, "port", p)
			}
			return l, nil
		}
		if first == nil {
			first = err
		}
		if asked || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, fmt.Errorf("metrics, health and readiness: %w", first)
}

// Serve starts to serve on l.
func Serve(l net.Listener, b *Board, g prometheus.Gatherer, actions map[string]func(), log *slog.Logger) *Server {
	s := &Server{
		http: &http.Server{Handler: Handler(b, g, actions), ReadHeaderTimeout: 10 * time.Second},
		addr: l.Addr(),
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics, health and readiness are no longer served", "error", err)
		}
	}()
	return s
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.addr }

// Close stops the server; requests under way get until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close() // what did not end in time
	}
	<-s.done
	return err
}

// Handler answers for a board and a registry, and carries out actions, by name, when
// they are posted to.
func Handler(b *Board, g prometheus.Gatherer, actions map[string]func()) http.Handler {
	mux := http.NewServeMux()
	for name, do := range actions {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, _ *http.Request) {
			do()
			w.WriteHeader(http.StatusNoContent)
		})
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		reasons := map[string]string{}
		for name, took := range b.Overdue(time.Now(), Grace) {
			reasons[name] = fmt.Sprintf("a call has not come back for %v", took.Round(time.Millisecond))
		}
		answer(w, "alive", reasons)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, "ready", b.NotReady())
	})
	return mux
}

func answer(w http.ResponseWriter, what string, reasons map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	body := map[string]any{what: len(reasons) == 0}
	if len(reasons) > 0 {
		body["reasons"] = reasons
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(body) // the client is gone
}
