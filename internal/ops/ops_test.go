package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestBoardCollectsReasons(t *testing.T) {
	b := NewBoard()
	if got := b.NotReady(); got != nil {
		t.Errorf("a new board says %v", got)
	}
	for _, step := range []struct {
		name, reason string
		changed      bool
	}{
		{"a", "starting", true}, {"a", "starting", false}, {"a", "connecting", true},
		{"b", "", false}, {"b", "lost", true}, {"a", "", true}, {"a", "", false},
	} {
		if got := b.Set(step.name, step.reason); got != step.changed {
			t.Errorf("Set(%q, %q) says %v", step.name, step.reason, got)
		}
	}
	got := b.NotReady()
	if !reflect.DeepEqual(got, map[string]string{"b": "lost"}) {
		t.Errorf("not ready: %v", got)
	}
	got["c"] = "x" // a copy
	b.Set("b", "")
	if got := b.NotReady(); got != nil {
		t.Errorf("not ready: %v", got)
	}
}

func TestOverdueCalls(t *testing.T) {
	b := NewBoard()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	x, y := b.NewCall("x"), b.NewCall("y")
	check := func(s int, want map[string]time.Duration) {
		t.Helper()
		if got := b.Overdue(at(s), 10*time.Second); !reflect.DeepEqual(got, want) {
			t.Errorf("after %d s: %v, want %v", s, got, want)
		}
	}
	check(1000, nil) // no call is under way
	x.Enter(at(0), 20*time.Second)
	y.Enter(at(25), 20*time.Second)
	check(30, nil) // its limit and the grace are not over, to the second
	check(31, map[string]time.Duration{"x": 31 * time.Second})
	check(56, map[string]time.Duration{"x": 56 * time.Second, "y": 31 * time.Second})
	x.Leave()
	check(56, map[string]time.Duration{"y": 31 * time.Second})
	x.Enter(at(60), time.Hour)
	y.Close()
	check(70, nil)
	x.Leave()
	check(100000, nil)
}

func TestBoardFromManyGoroutines(t *testing.T) {
	b := NewBoard()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c := b.NewCall("c")
			defer c.Close()
			for i := range 1000 {
				b.Set("a", []string{"", "x"}[i%2])
				c.Enter(time.Now(), time.Second)
				b.NotReady()
				b.Overdue(time.Now(), time.Second)
				c.Leave()
			}
		})
	}
	wg.Wait()
}

func ask(h http.Handler, method, path string) (int, http.Header, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Header(), w.Body.String()
}

func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBoard()
		h := Handler(b, prometheus.NewRegistry(), nil)
		check := func(path string, code int, body string) {
			t.Helper()
			gotCode, header, gotBody := ask(h, "GET", path)
			if gotCode != code || strings.TrimSpace(gotBody) != body || header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %d %s %s, want %d %s", path, gotCode, header.Get("Content-Type"), gotBody, code, body)
			}
			if !json.Valid([]byte(gotBody)) {
				t.Errorf("%s: %s is no JSON", path, gotBody)
			}
		}
		check("/readyz", 200, `{"ready":true}`)
		check("/healthz", 200, `{"alive":true}`)
		b.Set(`subscription of /default/t`, `connecting: "no" route`)
		check("/readyz", 503, `{"ready":false,"reasons":{"subscription of /default/t":"connecting: \"no\" route"}}`)
		check("/healthz", 200, `{"alive":true}`)
		c := b.NewCall("connector at /default/t")
		c.Enter(time.Now(), 25*time.Second)
		time.Sleep(36 * time.Second)
		check("/healthz", 503, `{"alive":false,"reasons":{"connector at /default/t":"a call has not come back for 36s"}}`)
		c.Leave()
		check("/healthz", 200, `{"alive":true}`)
	})
}

func TestHandlerServesNothingElse(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "something_total"}))
	done := 0
	h := Handler(NewBoard(), reg, map[string]func(){"pause": func() { done++ }})
	for _, tc := range []struct {
		method, path string
		code         int
	}{
		{"GET", "/metrics", 200}, {"HEAD", "/readyz", 200},
		{"POST", "/metrics", 405}, {"POST", "/readyz", 405}, {"DELETE", "/healthz", 405},
		{"GET", "/", 404}, {"GET", "/readyz/x", 404}, {"GET", "/debug/pprof/", 404},
		{"GET", "/pause", 405}, {"POST", "/resume", 404},
	} {
		if code, _, _ := ask(h, tc.method, tc.path); code != tc.code {
			t.Errorf("%s %s: %d, want %d", tc.method, tc.path, code, tc.code)
		}
	}
	if done != 0 {
		t.Error("an action was carried out by a GET")
	}
	if code, _, _ := ask(h, "POST", "/pause"); code != 204 || done != 1 {
		t.Errorf("POST /pause: %d, carried out %d times", code, done)
	}
	if _, _, body := ask(h, "GET", "/metrics"); !strings.Contains(body, "something_total 0") {
		t.Errorf("/metrics: %s", body)
	}
}

func TestListen(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	port := busy.Addr().(*net.TCPAddr).Port

	if l, err := Listen("127.0.0.1", port, true, log); err == nil {
		l.Close()
		t.Error("a port that was asked for and is taken: no error")
	}
	l, err := Listen("127.0.0.1", port, false, log)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := l.Addr().(*net.TCPAddr).Port; got <= port || got >= port+10 {
		t.Errorf("got port %d instead of %d", got, port)
	}
	if !strings.Contains(text.String(), "level=WARN") {
		t.Errorf("no warning: %s", text.String())
	}
	if l, err := Listen("256.0.0.1", 0, false, log); err == nil {
		l.Close()
		t.Error("an impossible host: no error")
	}
}

// A scraper that keeps its connection must not keep the server.
func TestCloseDoesNotWaitForEver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	s := Serve(l, NewBoard(), prometheus.NewRegistry(), nil, slog.New(slog.NewTextHandler(&text, nil)))
	resp, err := http.Get("http://" + s.Addr().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	half, err := net.Dial("tcp", s.Addr().String()) // begins a request and says no more
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if _, err := half.Write([]byte("GET /metrics HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_ = s.Close(ctx) // whether in time or not
	if c, err := net.Dial("tcp", s.Addr().String()); err == nil {
		c.Close()
		t.Error("the port is still open")
	}
	if text.Len() > 0 {
		t.Errorf("it logged: %s", text.String())
	}
}
