package danube_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// Whatever breaks, and however often: every message comes, none while it is in work
// or after it was acknowledged, and per partition in order.
func TestChaos(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			embedded(t, func(l *lab) { chaos(l, rand.New(rand.NewPCG(seed, 1))) },
				danubetest.WithMaxUnacked(5+int(seed)*7), danubetest.WithFailurePolicy("", danubetest.FailurePolicy{MaxRedeliveries: 1000}))
		})
	}
}

func chaos(l *lab, rnd *rand.Rand) {
	const n, parts = 600, 2
	var events sessions
	topic, client := l.topic(), l.open(func(c *danube.Config) { c.Timeouts.Ack, c.Timeouts.Send = 3*time.Second, 3*time.Second })
	l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{Partitions: parts}))
	con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession, c.MaxQueued = events.add, 7 })
	p := l.producer(client, topic)
	methods := []danubetest.Method{danubetest.MethodSendMessage, danubetest.MethodAck, danubetest.MethodSubscribe, danubetest.MethodReceiveMessages,
		danubetest.MethodTopicLookup, danubetest.MethodCreateProducer, danubetest.MethodHealthCheck}
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func(rnd *rand.Rand) {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(rnd.IntN(3000)) * time.Millisecond):
			}
			m := methods[rnd.IntN(len(methods))]
			f := danubetest.Fault{Methods: []danubetest.Method{m}, Optional: true, AfterApply: rnd.IntN(2) == 0, Count: 1 + rnd.IntN(3)}
			switch rnd.IntN(6) {
			case 0:
				l.broker.DropStreams([]danubetest.StreamEnd{danubetest.StreamUnavailable, danubetest.StreamInternal, danubetest.StreamEOF}[rnd.IntN(3)])
			case 1:
				l.broker.CloseClient([]string{"c", "p-0", "p-1"}[rnd.IntN(3)])
			case 2:
				l.broker.Stop()
				<-time.After(time.Duration(rnd.IntN(5000)) * time.Millisecond)
				if err := l.broker.Start(); err != nil {
					l.Error(err)
				}
			case 3:
				f.Hang = true
				h := l.broker.Fault(f)
				<-time.After(time.Duration(rnd.IntN(4000)) * time.Millisecond)
				h.Remove()
			case 4:
				l.broker.Fault(danubetest.Fault{EndStream: danubetest.StreamUnavailable, AfterApply: rnd.IntN(2) == 0, Skip: rnd.IntN(20), Optional: true})
			default:
				f.Err = status.Error(codes.Unavailable, "chaos")
				l.broker.Fault(f)
			}
		}
	}(rand.New(rand.NewPCG(rnd.Uint64(), 2)))
	receipts := make(chan danube.Receipt, n)
	for i := range n {
		l.must(p.SendAsync(context.Background(), &danube.Outgoing{Payload: []byte(fmt.Sprint(i)), Key: fmt.Sprint(i % 5)}, func(r danube.Receipt, err error) {
			if err != nil {
				l.Error(err)
			}
			receipts <- r
		}))
	}

	seen := map[danube.ID]bool{}
	payloads := map[string]int{}
	next := map[string]uint64{}
	var hand []*danube.Message
	var copies atomic.Int32 // of ambiguous publishes
	for len(payloads) < n {
		if len(hand) > 0 && (len(hand) == 4 || rnd.IntN(3) == 0) {
			i := rnd.IntN(len(hand))
			l.must(con.Ack(hand[i]))
			hand = append(hand[:i], hand[i+1:]...)
			continue
		}
		m, err := con.Receive(l.within(5 * time.Minute))
		l.must(err)
		if seen[m.ID()] {
			l.Fatalf("%+v comes again", m.ID())
		}
		seen[m.ID()] = true
		if m.Offset != next[m.WireTopic] {
			l.Fatalf("%s: offset %d, want %d", m.WireTopic, m.Offset, next[m.WireTopic])
		}
		next[m.WireTopic]++
		if payloads[string(m.Payload)]++; payloads[string(m.Payload)] > 1 {
			copies.Add(1)
		}
		hand = append(hand, m)
	}
	close(stop)
	<-stopped
	for _, m := range hand {
		l.must(con.Ack(m))
	}
	l.must(p.Close(l.within(time.Minute)))
	l.must(con.Flush(l.within(5 * time.Minute)))
	ambiguous := 0
	for range n {
		if r := <-receipts; r.Ambiguous {
			ambiguous += r.Attempts - 1
		}
	}
	if int(copies.Load()) > ambiguous {
		l.Errorf("%d messages came twice, and only %d publishes were ambiguous", copies.Load(), ambiguous)
	}
	for {
		m, err := con.Receive(l.within(time.Minute))
		if err != nil {
			break
		}
		if seen[m.ID()] || payloads[string(m.Payload)] == 0 {
			l.Errorf("%+v comes again", m.ID())
		}
		l.ack(con, m) // the second copy of an ambiguous publish
	}
	l.broker.CheckNoUnacked(l, topic, "s")
	events.check(l)
}
