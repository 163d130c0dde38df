package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestRequestsBecomeRecords(t *testing.T) {
	h := start(t, map[string]string{"FORWARD_HEADERS": "X-Event,X-Absent", "KEY_HEADER": "X-Customer"})
	h.want(h.post("/orders/new?x=1", `{"order":1}`, "Content-Type", "application/json", "X-Event", "created", "X-Customer", "anna"), 200, topic)
	h.want(h.post("/caf%E9", "\xff\x00", "X-Event", "caf\xe9", "X-Customer", "caf\xe9"), 200, topic) // which no attribute can be
	list := h.published()
	if len(list) != 2 {
		t.Fatalf("%d messages", len(list))
	}
	m := list[0]
	if string(m.Payload) != `{"order":1}` || m.Key != "anna" || m.Attributes["path"] != "/orders/new" || m.Attributes["x-event"] != "created" || m.Attributes["content-type"] != "application/json" {
		t.Errorf("%q, key %q, attributes %q", m.Payload, m.Key, m.Attributes)
	}
	m = list[1]
	if !bytes.Equal(m.Payload, []byte("\xff\x00")) || m.Key != "caf�" || m.Attributes["path"] != "/caf%E9" || m.Attributes["x-event"] != "caf�" {
		t.Errorf("%q, key %q, attributes %q", m.Payload, m.Key, m.Attributes)
	}
	h.stopped()
}

func TestTheAnswerComesWhenTheBrokerHasTheRecord(t *testing.T) {
	h := start(t, nil)
	fault := h.hang()
	answered := make(chan answer, 1)
	go func() { answered <- h.post("/", "1") }()
	if err := fault.Wait(h.ctx, 1); err != nil {
		t.Fatal(err)
	}
	select {
	case a := <-answered:
		t.Fatalf("answered with %s before the broker has the record", a.Status)
	default:
	}
	fault.Remove()
	h.want(<-answered, 200, topic)
	if n := len(h.published()); n != 1 {
		t.Errorf("%d messages", n)
	}
	h.stopped()
}

func TestABrokerThatDoesNotAnswer(t *testing.T) {
	h := start(t, map[string]string{"PUBLISH_TIMEOUT": "50ms"})
	fault := h.hang()
	h.want(h.post("/", "1"), 503, "may have been published")
	h.want(h.post("/", "2"), 503, "may have been published")
	fault.Remove()
	for h.post("/", "3").StatusCode == 503 { // as a sender does
	}
	if n := len(h.published()); n < 3 {
		t.Errorf("%d messages: what was accepted is published, whatever was answered", n)
	}
	h.stopped()
}

// A full window takes nothing more until there is room.
func TestBackPressure(t *testing.T) {
	h := start(t, map[string]string{"PUBLISH_TIMEOUT": "50ms", "MAX_BODY_BYTES": "3000000"})
	fault := h.hang()
	large := strings.Repeat("x", 3_000_000)
	for range 6 { // one on its way, and 16 MiB behind it
		h.want(h.post("/", large), 503, "may have been published")
	}
	h.want(h.post("/", large), 503, "was not published")
	fault.Remove()
	h.stopped()
	if n := len(h.published()); n != 6 {
		t.Errorf("%d messages", n)
	}
}

func TestTooManyRequests(t *testing.T) {
	h := start(t, map[string]string{"MAX_IN_FLIGHT": "2"})
	fault := h.hang()
	answers := make(chan answer, 10)
	for range 10 {
		go func() { answers <- h.post("/", "1") }()
	}
	for range 8 {
		h.want(<-answers, 503, "too many requests")
	}
	fault.Remove()
	h.want(<-answers, 200, topic)
	h.want(<-answers, 200, topic)
	h.want(h.post("/", "3"), 200, topic)
	h.stopped()
}

func TestRequestsThatAreRefused(t *testing.T) {
	h := start(t, map[string]string{"MAX_BODY_BYTES": "20", "WEBHOOK_PATH": "/ready"}, danubetest.WithMaxMessageSize(10))
	h.want(h.post("/ready", strings.Repeat("x", 21)), 413, "20 bytes")
	h.want(h.post("/ready", strings.Repeat("x", 20)), 422, "cannot be published") // by the broker
	h.want(h.post("/ready", strings.Repeat("x", 10)), 200, topic)
	h.want(h.post("/", "x"), 404, "")
	h.want(h.post("/ready/x", "x"), 404, "")
	resp, err := http.Get("http://" + h.addr + "/ready")
	if err != nil || resp.StatusCode != 405 || resp.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %v %v", resp, err)
	}
	h.stopped()
}

// The sender is told, and where somebody wants it the record is kept as well.
func TestDeadLetters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	h := start(t, map[string]string{"DEAD_LETTER_FILE": path}, danubetest.WithMaxMessageSize(10))
	h.want(h.post("/", "more than ten bytes"), 422, "cannot be published")
	h.want(h.post("/", "ten bytes"), 200, topic)
	h.stopped()
	text, err := os.ReadFile(path)
	if n := strings.Count(string(text), "\n"); err != nil || n != 1 {
		t.Errorf("%d dead letters in %q (%v), want 1", n, text, err)
	}
}

func TestWhoMayPost(t *testing.T) {
	h := start(t, map[string]string{"AUTH_TOKEN": "s3cret", "HMAC_SECRET": "key", "HMAC_HEADER": "X-Signature"})
	signature := sign("key", "body")
	const auth = "Authorization"
	a := h.post("/", "body", "X-Signature", signature)
	h.want(a, 401, "token")
	if a.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("headers %v", a.Header)
	}
	h.want(h.post("/", "body", auth, "Bearer s3cret"), 401, "signature")
	h.want(h.post("/", "Body", auth, "Bearer s3cret", "X-Signature", signature), 401, "signature")
	h.want(h.post("/", "body", auth, "Bearer s3cret", "X-Hub-Signature-256", signature), 401, "signature")
	h.want(h.post("/", "body", auth, "Bearer s3cret", "X-Signature", signature), 200, topic)
	if n := len(h.published()); n != 1 {
		t.Errorf("%d messages", n)
	}
	h.stopped()
}

// A stop lets nobody in and answers those who are there.
func TestStop(t *testing.T) {
	h := start(t, nil, danubetest.WithTopic(topic, danubetest.TopicConfig{Partitions: 3}))
	fault := h.hang()
	answers := make(chan answer, 3)
	for range 3 {
		go func() { answers <- h.post("/", "1") }()
	}
	if err := fault.Wait(h.ctx, 3); err != nil { // each on a partition of its own
		t.Fatal(err)
	}
	h.stop()
	for { // until it has closed the door
		conn, err := net.Dial("tcp", h.addr)
		if err != nil {
			break
		}
		_ = conn.Close() // it was only a question
	}
	fault.Remove()
	for range 3 {
		h.want(<-answers, 200, topic)
	}
	if code := <-h.code; code != 0 || len(h.published()) != 3 {
		t.Errorf("exit code %d, %d published", code, len(h.published()))
	}
}

func TestWrongConfiguration(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h := &hook{t: t, broker: danubetest.Run(t), addr: l.Addr().String()}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for name, env := range map[string]map[string]string{
		"the address is taken":       nil,
		"open to everybody":          {"LISTEN_ADDR": ":0"},
		"a signature without header": {"HMAC_SECRET": "x", "HMAC_HEADER": "", "MAX_IN_FLIGHT": "0"},
		"longer than a stop":         {"LISTEN_ADDR": "127.0.0.1:0", "PUBLISH_TIMEOUT": "10s"}, // and 10 s for the request
		"a stop that is too short":   {"LISTEN_ADDR": "127.0.0.1:0", "DRAIN_TIMEOUT_MS": "18000"},
		"a secret that is not there": {"LISTEN_ADDR": "127.0.0.1:0", "AUTH_TOKEN": "file:/no/such/file"},
	} {
		if code := h.run(ctx, env); code != 2 {
			t.Errorf("%s: exit code %d, want 2", name, code)
		}
	}
}
