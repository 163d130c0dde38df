package deadletter

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

func letter(payload []byte) *Letter {
	return &Letter{
		Message: &danube.Message{
			Topic: "/default/t", WireTopic: "/default/t-part-2", Partition: 2, Offset: 7, ProducerID: 1 << 63, ProducerName: "p",
			RequestID: 9, BrokerAddr: "http://b:6650", PublishTime: time.UnixMilli(1000), Payload: payload,
			Attributes: map[string]string{"a": "1"}, Key: "k", Schema: &danube.SchemaID{ID: 3, Version: 4},
		},
		Connector: "c", Subscription: "s", Stage: "process", Class: "invalid_data", Reason: "no\nsuch field", Attempts: 2,
		FirstFailure: time.UnixMilli(2000), LastFailure: time.UnixMilli(3000),
	}
}

func read(t *testing.T, path string) []line {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []line
	for text := range strings.Lines(string(data)) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Logf("not a line of ours: %q", text)
			continue
		}
		lines = append(lines, l)
	}
	return lines
}

func TestALetterKeepsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	binary := []byte{0xff, 0, '\n'}
	if err := f.Write(letter([]byte(`{"x":1}`)), letter(binary)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(letter(nil)); err == nil {
		t.Error("Write after Close succeeded")
	}
	lines := read(t, path)
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2", len(lines))
	}
	if got := lines[0]; *got.Payload != `{"x":1}` || got.Key != "k" || got.Attributes["a"] != "1" || *got.SchemaID != 3 || *got.SchemaVersion != 4 {
		t.Errorf("got %+v", got)
	}
	if !bytes.Equal(lines[1].PayloadBase64, binary) {
		t.Errorf("the binary payload came back as %q", lines[1].PayloadBase64)
	}
	for name, want := range map[string]string{
		HeaderTopic: "/default/t-part-2", HeaderOffset: "7", HeaderProducerID: "9223372036854775808", HeaderAttempts: "2",
		HeaderReason: "no\nsuch field", HeaderPublishTime: "1970-01-01T00:00:01Z", HeaderLastFailure: "1970-01-01T00:00:03Z", HeaderClass: "invalid_data",
	} {
		if got := lines[0].Headers[name]; got != want {
			t.Errorf("header %s: got %q, want %q", name, got, want)
		}
	}
}

func TestALineThatACrashCutOffSpoilsNoOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	if err := os.WriteFile(path, []byte(`{"headers":{"x-or`), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Write(letter([]byte("after"))); err != nil {
		t.Fatal(err)
	}
	if lines := read(t, path); len(lines) != 1 || *lines[0].Payload != "after" {
		t.Errorf("got %+v, want the letter written after the crash", lines)
	}
}

func TestLongReasonsAreCut(t *testing.T) {
	l := letter(nil)
	l.Reason = strings.Repeat("x", 1<<20)
	if n := len(l.Headers()[HeaderReason]); n > maxReason+3 {
		t.Errorf("the reason has %d bytes", n)
	}
}

func TestAFileThatCannotBeOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "dead.jsonl")
	if _, err := OpenFile(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error with the path", err)
	}
}
