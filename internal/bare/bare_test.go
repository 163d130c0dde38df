package bare_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/bare"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

func TestPublishAndConsume(t *testing.T) {
	b := danubetest.Run(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := bare.Dial(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	topic := bare.WireTopics("/default/bare", 1)[0]
	p, err := bare.NewProducer(ctx, conn, topic, "p")
	if err != nil {
		t.Fatal(err)
	}
	streaming, stop := context.WithCancel(ctx)
	defer stop()
	c, err := bare.NewConsumer(streaming, conn, topic, "sub", "c")
	if err != nil {
		t.Fatal(err)
	}

	if err := p.Attach(map[string]string{"a": "1", "b": "2"}); err != nil {
		t.Fatal(err)
	}
	const n = 100
	got := make(chan string, n)
	ended := make(chan error, 1)
	go func() {
		ended <- c.Run(streaming, 10, func(m *danubepb.StreamMessage) {
			if a := m.GetAttributes(); len(a) != 2 || a["a"] != "1" || a["b"] != "2" {
				t.Errorf("attributes %v", a)
			}
			got <- string(m.GetPayload())
		})
	}()
	for i := range n {
		if err := p.Send(ctx, []byte(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		if m := <-got; m != strconv.Itoa(i) {
			t.Fatalf("message %d is %q", i, m)
		}
	}
	if err := b.WaitAcked(ctx, topic, "sub", n); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ended; err == nil {
		t.Error("Run returned nil although its stream was cancelled")
	}
}

func TestWireTopics(t *testing.T) {
	for n, want := range map[int][]string{
		0: {"/default/t"},
		1: {"/default/t"},
		3: {"/default/t-part-0", "/default/t-part-1", "/default/t-part-2"},
	} {
		if got := bare.WireTopics("/default/t", n); !slices.Equal(got, want) {
			t.Errorf("%d partitions: %q, want %q", n, got, want)
		}
	}
}
