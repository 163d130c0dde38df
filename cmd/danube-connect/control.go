package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// control is the HTTP interface of an embedded broker, for programs and tests in any
// language: JSON in and out, errors as {"error": "..."}.
type control struct {
	b      *danubetest.Broker
	public bool // answers to any Host

	mu     sync.Mutex
	faults map[int]*danubetest.FaultHandle
	next   int
}

// maxBody is the largest request that control reads, and maxPublish the largest sum of
// payloads that one publishes, in bytes.
const (
	maxBody    = 16 << 20
	maxPublish = 256 << 20
)

// listenControl opens the listener. Whoever reaches it can do anything with the broker, so
// it is only for this machine unless public says otherwise.
func listenControl(addr string, public bool) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	if !public && !loopback(host) {
		return nil, fmt.Errorf("control: %q is not this machine alone: want 127.0.0.1, ::1 or localhost, or the flag -control-public", host)
	}
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	return lis, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && a.IsLoopback()
}

// serve answers until ctx ends. Requests that wait end then too.
func (c *control) serve(ctx context.Context, lis net.Listener) {
	srv := &http.Server{
		Handler:           c.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(lis) // ends with the server
	}()
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if srv.Shutdown(stop) != nil {
		srv.Close()
	}
	<-done
}

// answer is what a handler has to say: a value for JSON, a text, or nothing.
type answer func(r *http.Request) (any, error)

// badRequest is the client's mistake; other errors are CONFLICT: the broker's state does
// not allow it.
type badRequest struct{ error }

func bad(format string, args ...any) error { return badRequest{fmt.Errorf(format, args...)} }

var errNoFault = errors.New("there is no such fault")

func (c *control) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, f := range map[string]answer{
		"POST /fault":          c.addFault,
		"GET /fault/{id}":      c.fault,
		"GET /fault/{id}/wait": c.waitFault,
		"DELETE /fault/{id}":   c.removeFault,
		"GET /dump":            c.dump,
		"GET /wait/acked":      c.waitAcked,
		"GET /messages":        c.messages,
		"GET /subscription":    c.subscription,
		"POST /topics":         c.createTopic,
		"POST /subscriptions":  c.createSubscription,
		"POST /publish":        c.publish,
		"POST /move":           c.move,
		"POST /kill":           c.kill,
		"POST /start":          c.start,
		"POST /restart":        c.restart,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { c.reply(w, r, f) })
	}
	return mux
}

// reply runs a handler and writes what it says.
func (c *control) reply(w http.ResponseWriter, r *http.Request, f answer) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if !c.public && !loopback(host) { // a web page that has a name of its own for this machine
		write(w, http.StatusForbidden, problem(fmt.Errorf("host %q is not this machine", host)))
		return
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		write(w, http.StatusBadRequest, problem(fmt.Errorf("parameters: %w", err)))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	v, err := f(r)
	var wait *danubetest.WaitError
	switch {
	case err == nil:
		write(w, http.StatusOK, v)
	case errors.Is(err, errNoFault):
		write(w, http.StatusNotFound, problem(err))
	case errors.As(err, &badRequest{}):
		write(w, http.StatusBadRequest, problem(err))
	case errors.As(err, &wait):
		write(w, http.StatusGatewayTimeout, problem(fmt.Errorf("waiting for %s: %w", wait.What, wait.Err)))
	default:
		write(w, http.StatusConflict, problem(err))
	}
}

func problem(err error) any {
	return map[string]string{"error": strings.TrimPrefix(err.Error(), "danubetest: ")}
}

func write(w http.ResponseWriter, code int, v any) {
	if text, ok := v.(string); ok {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		io.WriteString(w, text) // a client that is gone needs no answer
		return
	}
	if v == nil {
		v = struct{}{}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(v)
}

// read reads the body of a request into v. A body may be left out where nothing in it is
// needed.
func read(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return bad("body: %w", err)
	}
	if err := d.Decode(new(json.RawMessage)); !errors.Is(err, io.EOF) { // d.More says no at a bracket
		return bad("body: there is more than one value")
	}
	return nil
}
