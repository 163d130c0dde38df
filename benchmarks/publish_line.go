package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/bare"
)

// publishLine is one partition.
type publishLine struct {
	open    orderOpen
	senders []*publishSender

	mu     sync.Mutex
	more   sync.Cond
	sent   int64
	seen   int64
	ended  bool
	waited time.Duration
}

// publishSender is one producer.
type publishSender struct {
	producer *bare.Producer
	number   uint32
	seq      uint32 // of the next message
	payload  []byte
}

// publish sends until ctx ends, or all there is.
func (l *publishLine) publish(ctx context.Context, s *publishSender, gap time.Duration) error {
	tick := time.NewTimer(gap)
	defer tick.Stop()
	for n := 0; l.open.Count == 0 || n < l.open.Count; n++ {
		if gap > 0 {
			select {
			case <-tick.C:
				tick.Reset(gap)
			case <-ctx.Done():
				return nil
			}
		}
		if !l.take(int64(l.open.Ahead)) {
			return nil
		}
		// Not cancelled by the end: a send that is can leave a hole in the topic.
		if err := l.send(context.WithoutCancel(ctx), s); err != nil {
			return err
		}
	}
	return nil
}

func newPublishSender(p *bare.Producer, number uint32, size int) *publishSender {
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = byte(i)
	}
	return &publishSender{producer: p, number: number, payload: payload}
}

// send sends one message.
func (l *publishLine) send(ctx context.Context, s *publishSender) error {
	stampPayload(s.payload, time.Now(), s.number, s.seq)
	s.seq++
	if l.open.Keys == 0 {
		return s.producer.Send(ctx, s.payload)
	}
	return s.producer.SendKey(ctx, fmt.Sprint("key-", (s.seq*uint32(len(l.senders))+s.number)%uint32(l.open.Keys)), s.payload)
}

// stampPayload writes what a payload begins with, as far as there is room: when it was
// sent, and which message of which sender it is.
func stampPayload(payload []byte, at time.Time, sender, seq uint32) {
	if len(payload) >= 8 {
		binary.LittleEndian.PutUint64(payload, uint64(at.UnixNano()))
	}
	if len(payload) >= 16 {
		binary.LittleEndian.PutUint32(payload[8:], sender)
		binary.LittleEndian.PutUint32(payload[12:], seq)
	}
}

// readPayload returns the sender and the number of a message.
func readPayload(payload []byte) (sender, seq uint32, ok bool) {
	if len(payload) < 16 {
		return 0, 0, false
	}
	return binary.LittleEndian.Uint32(payload[8:]), binary.LittleEndian.Uint32(payload[12:]), true
}

// take waits until one more message may go out; false when it is over.
func (l *publishLine) take(ahead int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.ended && ahead > 0 && l.sent-l.seen >= ahead {
		since := time.Now()
		l.more.Wait()
		l.waited += time.Since(since)
	}
	if l.ended {
		return false
	}
	l.sent++
	return true
}
