package danubetest_test

import (
	"sync"
	"testing"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// BenchmarkSend is the bare loop: one outstanding SendMessage over loopback.
func BenchmarkSend(b *testing.B) {
	br := danubetest.Run(b, danubetest.WithForgetAcked())
	s := dial(b, br)
	must(b, br.CreateTopic(topic, danubetest.TopicConfig{Dispatch: danubetest.NonReliable}))
	p := &producer{s: s, topic: topic}
	resp, err := s.producers.CreateProducer(b.Context(), &pb.ProducerRequest{ProducerName: "p", TopicName: topic})
	must(b, err)
	p.id = resp.GetProducerId()
	m := p.message(string(make([]byte, 100)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.producers.SendMessage(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// BenchmarkConsume is one publisher and one consumer with ten acks in flight.
func BenchmarkConsume(b *testing.B) {
	br := danubetest.Run(b, danubetest.WithForgetAcked())
	s, s2 := dial(b, br), dial(b, br)
	p := s.producer(topic, "p")
	c := s2.open(topic, sub, "c", exclusive)
	m := p.message(string(make([]byte, 100)))
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for range b.N {
			if _, err := s.producers.SendMessage(b.Context(), m); err != nil {
				b.Error(err)
				return
			}
		}
	}()
	var wg sync.WaitGroup
	sem := make(chan struct{}, 10)
	for range b.N {
		o := c.next().GetMsgId().GetTopicOffset()
		sem <- struct{}{}
		wg.Go(func() {
			c.ack(o)
			<-sem
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
