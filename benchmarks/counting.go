package main

import (
	"context"
	"sync"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danube"
)

// countingClient counts what a runtime publishes at the moment when the broker has
// answered. Commit would not do: it comes for many at once, between two polls.
// Counting allocates nothing, or it would be in the figures.
type countingClient struct {
	connect.Client
	meter *meter

	mu    sync.Mutex
	hooks []*countingHook // free; a sync.Pool would cost more than what is measured
}

func newCountingClient(c *danube.Client, m *meter) *countingClient {
	return &countingClient{Client: connect.DanubeClient(c), meter: m}
}

func (w *countingClient) hook() *countingHook {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.hooks); n > 0 {
		h := w.hooks[n-1]
		w.hooks = w.hooks[:n-1]
		return h
	}
	h := &countingHook{client: w}
	h.done = h.published
	return h
}

func (w *countingClient) free(h *countingHook) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks = append(w.hooks, h)
}

func (w *countingClient) NewProducer(ctx context.Context, cfg danube.ProducerConfig) (connect.Producer, error) {
	p, err := w.Client.NewProducer(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return countingProducer{p, w}, nil
}

type countingProducer struct {
	connect.Producer
	client *countingClient
}

func (p countingProducer) SendAsync(ctx context.Context, m *danube.Outgoing, done func(danube.Receipt, error)) error {
	h := p.client.hook()
	h.next = done
	err := p.Producer.SendAsync(ctx, m, h.done)
	if err != nil { // done is not called then
		p.client.free(h)
	}
	return err
}

// countingHook stands in for the done of one message at a time.
type countingHook struct {
	client *countingClient
	next   func(danube.Receipt, error)
	done   func(danube.Receipt, error) // h.published, made once
}

func (h *countingHook) published(r danube.Receipt, err error) {
	next := h.next
	h.next = nil
	h.client.free(h)
	next(r, err)
	h.client.meter.add()
}
