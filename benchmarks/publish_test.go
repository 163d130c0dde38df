package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/bare"
)

// TestPublisherStaysBehindItsCredit runs the publisher's half of the closed loop: it
// sends what it may be ahead and not one message more, goes on when it is told how
// far the sink is, and says at the end how many it were.
func TestPublisherStaysBehindItsCredit(t *testing.T) {
	b := danubetest.Run(t)
	in, commands := io.Pipe()
	answers, out := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- servePublisher(in, out) }()
	lines := bufio.NewScanner(answers)
	ask := func(o order, answer any) {
		t.Helper()
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(commands, "%s\n", data); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() {
			t.Fatal("no answer")
		}
		if err := json.Unmarshal(lines.Bytes(), answer); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
	}
	waitPublished := func(topic string, n int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := b.WaitPublished(ctx, topic, n); err != nil {
			t.Fatal(err)
		}
	}

	var failed struct{ Error string }
	ask(order{Op: "start"}, &failed)
	if failed.Error == "" {
		t.Error("start before open: no error")
	}
	const topic = "/default/feed"
	var ok struct{}
	ask(order{Op: "open", Open: &orderOpen{URL: b.URL(), Topic: topic, Partitions: 2, Size: 20, Senders: 3, Ahead: 5}}, &ok)
	ask(order{Op: "start"}, &ok)
	wire := bare.WireTopics(topic, 2)
	waitPublished(wire[0], 5)
	waitPublished(wire[1], 5)
	if _, err := fmt.Fprintln(commands, "c 1 7"); err != nil {
		t.Fatal(err)
	}
	waitPublished(wire[1], 12)
	var got published
	ask(order{Op: "stop"}, &got)
	if got.Count != 17 || got.Waited <= 0 {
		t.Errorf("stopped with %+v, want 17 messages and some waiting", got)
	}
	if n := len(b.Messages(topic)); n != 17 {
		t.Errorf("%d messages on the broker, want 17", n)
	}
	for _, m := range b.Messages(topic) {
		if len(m.Payload) != 20 {
			t.Fatalf("payload of %d bytes, want 20", len(m.Payload))
		}
	}
	_ = commands.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
