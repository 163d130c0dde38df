package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

const topic = "/default/webhooks"

// hook is the source at work.
type hook struct {
	t      *testing.T
	ctx    context.Context
	broker *danubetest.Broker
	addr   string
	stop   context.CancelFunc
	code   chan int // the exit code
}

// start runs the source as its main does, and waits until it takes requests.
func start(t *testing.T, env map[string]string, opts ...danubetest.Option) *hook {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hook{t: t, broker: danubetest.Run(t, opts...), addr: l.Addr().String(), code: make(chan int, 1)}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var cancel context.CancelFunc
	h.ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	var run context.Context
	run, h.stop = context.WithCancel(h.ctx)
	go func() { h.code <- h.run(run, env) }()
	for ready := false; !ready; {
		select {
		case code := <-h.code:
			t.Fatalf("it ended at once, with exit code %d", code)
		case <-time.After(10 * time.Millisecond):
		}
		resp, err := http.Get("http://" + h.addr + "/ready?")
		ready = err == nil && resp.StatusCode == http.StatusMethodNotAllowed && h.broker.WaitCalls(h.ctx, danubetest.MethodCreateProducer, 1) == nil
	}
	headers := []string{"Authorization", "Bearer " + env["AUTH_TOKEN"], "X-Signature", sign(env["HMAC_SECRET"], "")}
	for h.post("/ready", "", headers...).StatusCode == http.StatusServiceUnavailable { // until the stream runs
	}
	return h
}

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

func (h *hook) run(ctx context.Context, more map[string]string) int {
	env := map[string]string{"DANUBE_SERVICE_URL": h.broker.URL(), "LISTEN_ADDR": h.addr, "METRICS_PORT": "0", "LOG_LEVEL": "off"}
	for k, v := range more {
		env[k] = v
	}
	source, settings, defaults := newSource()
	return connect.SourceMain(ctx, nil, source, settings, defaults, connect.WithoutSignals(),
		connect.WithLookupEnv(func(name string) (string, bool) { v, ok := env[name]; return v, ok }))
}

// answer is the response to a request.
type answer struct {
	*http.Response
	body string
}

func (h *hook) post(path, body string, headers ...string) answer {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.ctx, http.MethodPost, "http://"+h.addr+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{resp, string(text)}
}

func (h *hook) want(a answer, status int, part string) {
	h.t.Helper()
	if a.StatusCode != status || !strings.Contains(a.body, part) {
		h.t.Errorf("got %s: %s, want %d and %q", a.Status, a.body, status, part)
	}
	if again := a.Header.Get("Retry-After"); (again != "") != (status == http.StatusServiceUnavailable) {
		h.t.Errorf("%s with Retry-After %q", a.Status, again)
	}
}

// published returns what the topic holds, except for what start has sent.
func (h *hook) published() (list []danubetest.Message) {
	for _, m := range h.broker.Messages(topic) {
		if m.Attributes["path"] != "/ready" {
			list = append(list, m)
		}
	}
	return list
}

// hang keeps the broker from answering.
func (h *hook) hang() *danubetest.FaultHandle {
	return h.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSendMessage}, Hang: true, Count: -1})
}

func (h *hook) stopped() {
	h.t.Helper()
	h.stop()
	if code := <-h.code; code != 0 {
		h.t.Errorf("exit code %d", code)
	}
}
