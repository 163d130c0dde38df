package danube

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// A real broker skips what a slow consumer leaves behind. Everything that was
// published is then either received or inside a gap that was reported.
func TestEveryLossOfARealBrokerIsReported(t *testing.T) {
	url := os.Getenv("DANUBE_SERVICE_URL")
	if url == "" {
		t.Skip("needs a real broker: set DANUBE_SERVICE_URL")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := Open(Config{Seeds: []string{url}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	topic := fmt.Sprintf("/default/gaps-%d", time.Now().UnixNano())
	p, err := c.NewProducer(ctx, ProducerConfig{Topic: topic, Name: "p"})
	if err != nil {
		t.Fatal(err)
	}

	const n = 3000
	var (
		mu       sync.Mutex
		received int
		missing  uint64
		last     = make(chan struct{})
		con      *Consumer
		ready    = make(chan struct{})
	)
	con, err = c.NewConsumer(ctx, ConsumerConfig{
		Topic: topic, Name: "c", Subscription: "s",
		OnAnomaly: func(a Anomaly) {
			mu.Lock()
			defer mu.Unlock()
			if a.Kind == GapFound {
				missing += a.To - a.From + 1
			} else {
				t.Errorf("unexpected: %v", a)
			}
		},
		Handler: func(m *Message) {
			<-ready
			select { // work of 2 ms
			case <-time.After(2 * time.Millisecond):
			case <-ctx.Done():
			}
			if err := con.Ack(m); err != nil {
				t.Error(err)
			}
			mu.Lock()
			received++
			mu.Unlock()
			if string(m.Payload) == "last" {
				close(last)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	close(ready)
	for i := range n {
		payload := "x"
		if i == n-1 {
			payload = "last"
		}
		if _, err := p.Send(ctx, &Outgoing{Payload: []byte(payload)}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-last: // the newest messages are always kept
	case <-ctx.Done():
		t.Fatal("the last message did not come")
	}
	mu.Lock()
	defer mu.Unlock()
	t.Logf("%d received, %d reported missing", received, missing)
	if uint64(received)+missing != n {
		t.Errorf("%d received and %d reported missing, of %d", received, missing, n)
	}
}
