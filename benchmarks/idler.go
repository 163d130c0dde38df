package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/bare"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// idleOrder is the one command for the process with an idle client.
type idleOrder struct {
	Client     string
	URL, Topic string
	Partitions int
	Time       time.Duration
}

// idleReport is its answer. Memory is in bytes.
type idleReport struct {
	Before     int64   `json:"rss_before"`
	Opened     int64   `json:"rss_opened"`
	Most       int64   `json:"rss_most"` // once it was open
	Live       uint64  `json:"heap_live"`
	CPU        float64 `json:"cpu_share_of_a_core"`
	Goroutines int     `json:"goroutines"`
}

func serveIdler(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	if !lines.Scan() {
		return lines.Err()
	}
	var o idleOrder
	if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
		return err
	}
	r, err := o.run()
	return answer(out, r, err)
}

// run opens the client, waits, and tells what that took.
func (o idleOrder) run() (r idleReport, err error) {
	r.Before = rss()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute+o.Time)
	defer cancel()
	stop, err := o.open(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, stop(ctx)) }()
	r.Opened = rss()
	start, cpu := time.Now(), cpuTime()
	for time.Since(start) < o.Time {
		time.Sleep(min(time.Second, o.Time))
		r.Most = max(r.Most, rss())
	}
	r.CPU = (cpuTime() - cpu).Seconds() / time.Since(start).Seconds()
	r.Goroutines = runtime.NumGoroutine()
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	r.Live = mem.HeapAlloc
	return r, nil
}

func (o idleOrder) open(ctx context.Context) (stop func(context.Context) error, err error) {
	if o.Client == "bare consumers" {
		return o.openBare(ctx)
	}
	client, err := danube.Open(danube.Config{Seeds: []string{o.URL}, Logger: silent})
	if err != nil {
		return nil, err
	}
	switch o.Client {
	case "danube consumer":
		_, err = client.NewConsumer(ctx, danube.ConsumerConfig{Topic: o.Topic, Subscription: subscription, Name: "bench", Handler: func(*danube.Message) {}})
	case "danube producer":
		_, err = client.NewProducer(ctx, danube.ProducerConfig{Topic: o.Topic, Name: "bench", Partitions: o.Partitions})
	default:
		err = fmt.Errorf("client %q is unknown", o.Client)
	}
	if err != nil {
		return nil, errors.Join(err, client.Close(ctx))
	}
	return client.Close, nil
}

func (o idleOrder) openBare(ctx context.Context) (stop func(context.Context) error, err error) {
	conn, err := bare.Dial(o.URL)
	if err != nil {
		return nil, err
	}
	for _, topic := range bare.WireTopics(o.Topic, o.Partitions) {
		c, err := bare.NewConsumer(ctx, conn, topic, subscription, "bench")
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		go func() { _ = c.Run(ctx, 1, func(*danubepb.StreamMessage) {}) }()
	}
	return func(context.Context) error { return conn.Close() }, nil
}
