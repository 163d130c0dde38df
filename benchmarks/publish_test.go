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
	ask, tell, end := newPublisher(t)
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
	tell("c 1 7")
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
	end()
}

// newPublisher runs the publisher's half in this process.
func newPublisher(t *testing.T) (ask func(o order, answer any), tell func(line string), end func()) {
	in, commands := io.Pipe()
	answers, out := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- servePublisher(in, out) }()
	lines := bufio.NewScanner(answers)
	tell = func(line string) {
		t.Helper()
		if _, err := fmt.Fprintln(commands, line); err != nil {
			t.Fatal(err)
		}
	}
	ask = func(o order, answer any) {
		t.Helper()
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		tell(string(data))
		if !lines.Scan() {
			t.Fatal("no answer")
		}
		if err := json.Unmarshal(lines.Bytes(), answer); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
	}
	return ask, tell, func() {
		t.Helper()
		_ = commands.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}

// TestPublisherWithACount runs what -mode loss asks for: senders that nobody holds back
// publish what they have, and then one message each.
func TestPublisherWithACount(t *testing.T) {
	b := danubetest.Run(t)
	ask, _, end := newPublisher(t)
	const topic = "/default/burst"
	var ok struct{}
	ask(order{Op: "open", Open: &orderOpen{URL: b.URL(), Topic: topic, Size: 16, Senders: 3, Count: 200, Keys: 2}}, &ok)
	ask(order{Op: "start"}, &ok)
	var got published
	ask(order{Op: "more"}, &got)
	if got.Count != 603 {
		t.Errorf("%d messages, want 603", got.Count)
	}
	l := newLedger()
	keys := map[string]int{}
	for _, m := range b.Messages(topic) {
		l.got(m.Payload)
		keys[m.Key]++
	}
	if came, _ := l.count(); came != 603 {
		t.Errorf("%d different messages on the broker, want 603", came)
	}
	if len(keys) != 2 || keys["key-0"] == 0 || keys["key-1"] == 0 {
		t.Errorf("keys %v, want two", keys)
	}
	ask(order{Op: "stop"}, &ok)
	end()
}
